// FileSwitch: the names of a zone in one JSON file, for development and tests: nothing resolves them.
//
// <directory>/<zone>.json is replaced as a whole and durably; <zone>.lock is held meanwhile, so that
// several processes may share it. Unlike the other drivers it blocks the control thread: read() and
// change() open, read, write and fsync the file there, for as long as the disk takes. A region of one
// developer has that time; no other should use it.
#pragma once

#include <string>

#include "agent/dns/dns_switch.h"
#include "base/net/fd.h"
#include "base/time/timers.h"

namespace agent::dns {

struct FileOptions {
  std::string directory;
  std::string zone;  // normal form (change.h)
};

// Thread: the timers', which every call blocks while it uses the disk. Owner: app.
class FileSwitch final : public DnsSwitch {
 public:
  FileSwitch(base::Timers& timers, FileOptions options);

  boost::asio::awaitable<base::Result<std::vector<ServerView>>> read(
      std::string name, base::Instant deadline) override;
  boost::asio::awaitable<base::Result<Changed>> change(Change change,
                                                       base::Instant deadline) override;
  boost::asio::awaitable<base::Result<>> check(base::Instant deadline) override;

 private:
  boost::asio::awaitable<base::Result<base::net::UniqueFd>> lock(base::Instant deadline);

  base::Timers& timers_;
  const FileOptions options_;
  const std::string path_;
};

}  // namespace agent::dns
