// NftablesTable: the address filters of this node in its kernel, through nft.
//
// nft is a program of its own (GPL) and is never linked. What stands is in the kernel alone: an
// agent that was restarted lists it, and it ends by itself, since every element has a time. When an
// answer does not come, the kernel is asked what stands before anybody is told; only when that
// fails, too, it is unknown. The first change of a run waits for the disk (its fence); those after
// it do not, and those under no lock never do.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/coord/turn.h"
#include "agent/filter/fence_file.h"
#include "agent/filter/nft_process.h"
#include "agent/filter/nft_text.h"
#include "agent/filter/table.h"
#include "base/time/timers.h"

namespace agent::filter {

struct NftablesOptions {
  std::vector<uint16_t> ports;  // of memcache, plain and TLS; nothing else is filtered
  std::string fence_file;
  std::vector<std::string> command;  // empty: nft where it is installed
  // Beyond a change's deadline, to ask what stands when nft did not answer.
  base::Duration probe_time = std::chrono::seconds(1);
};

// Thread: one executor's. Owner: app.
class NftablesTable final : public FilterTable {
 public:
  // kNotFound: no nft; kInvalid: no ports, or an odd fence file. The kernel is not asked yet.
  static base::Result<std::unique_ptr<NftablesTable>> open(boost::asio::any_io_executor executor,
                                                           boost::asio::any_io_executor disk,
                                                           base::Timers& timers,
                                                           NftablesOptions options);

  boost::asio::awaitable<base::Result<>> apply(FilterChange change) override;
  boost::asio::awaitable<base::Result<Standing>> list(base::Instant deadline) override;
  boost::asio::awaitable<base::Result<>> remove_all(base::Instant deadline) override;
  const FenceFile& fences() const { return *fences_; }

 private:
  NftablesTable(boost::asio::any_io_executor executor, base::Timers& timers,
                NftablesOptions options, std::unique_ptr<FenceFile> fences);
  boost::asio::awaitable<base::Result<NftAnswer>> ask(std::string text, base::Instant deadline);
  boost::asio::awaitable<base::Result<>> change(FilterChange change);
  boost::asio::awaitable<base::Result<>> make_table(base::Instant deadline);
  boost::asio::awaitable<base::Result<Standing>> list_now(base::Instant deadline);
  boost::asio::awaitable<base::Result<>> find_out(FilterChange change, base::Error failure);

  base::Timers& timers_;
  const NftablesOptions options_;
  const std::unique_ptr<FenceFile> fences_;
  coord::Turn turn_;
  NftProcess nft_;
  bool is_made_ = false;  // the table, by this process
};

}  // namespace agent::filter
