// PagePublisher keeps the files of the status page true: at each change at once, and every 5 s so
// that readers see that somebody is alive. While there is nothing new only meta.json says so, and
// all files once in 15 s: the time is told by nearly all of them, and each costs a file made and
// one removed.
//
// Idea: the model is built on the control thread, rendered and written on `disk`, another executor,
// so that a slow or stuck disk never holds up detection. Only changed files are written, each
// atomically, meta.json last: a reader who sees a new meta.json sees the rest as well. A write that
// fails (full disk) is reported, leaves the old file, and is tried again a second later; until it
// works meta.json grows old, and the page calls itself unknown, which is the truth.
//
// Leaves out: pages of incidents that have left the model stay on disk, so that links keep working.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/publish/page_model.h"
#include "agent/publish/render.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::publish {

// Writes a FileSet into a folder. Thread: one at a time. Owner: PagePublisher.
// Invariant: written_ holds exactly what this object knows to be on disk.
class PageWriter {
 public:
  explicit PageWriter(std::string directory) : directory_(std::move(directory)) {}
  // Writes what changed, meta.json last and only if all else worked; the first error otherwise.
  base::Result<> write(const FileSet& files);

 private:
  base::Result<> write_one(const std::string& path, const std::string& content);
  base::Result<> make_folders(const FileSet& files);

  const std::string directory_;
  std::map<std::string, size_t> written_;  // path -> hash of the content on disk
  std::set<std::string> folders_;          // that were there when last written to
};

// Thread: the control thread's, but for the writer. Owner: app. Call stop() before destruction.
class PagePublisher {
 public:
  struct Options {
    std::string directory;  // "<D>/page"
    base::Duration every = std::chrono::seconds(5);
    // Between publications of all files at most, while there is nothing new; well below
    // PageIdentity::valid_for.
    base::Duration whole = std::chrono::seconds(15);
    base::Duration retry = std::chrono::seconds(1);  // after a failed write
  };
  struct Counts {
    uint64_t writes = 0;    // complete publications
    uint64_t failures = 0;  // attempts that failed
    base::WallTime last_success;
    std::string last_error;  // empty when the last attempt worked
  };
  // The page as it should read now; nullopt while too little is known to claim anything (nothing is
  // written, and an old page grows old).
  using Source = std::function<std::optional<PageModel>()>;

  // `executor` is the control thread's. `disk` may be the same one in tests.
  PagePublisher(boost::asio::any_io_executor executor, boost::asio::any_io_executor disk,
                base::Timers& timers, Options options, Source source);

  void start();
  // Something that the page shows has changed: publish at once (one publication at a time; a change
  // during one makes another follow).
  void changed();
  boost::asio::awaitable<void> stop();

  const Counts& counts() const { return counts_; }

 private:
  boost::asio::awaitable<void> publish_until_clean();
  boost::asio::awaitable<base::Result<>> publish_once(PageModel model, bool whole);
  void note(const base::Result<>& result);

  // Constant after construction.
  const boost::asio::any_io_executor executor_;
  const boost::asio::any_io_executor disk_;
  base::Timers& timers_;
  const Options options_;
  const Source source_;

  // Owned by the control thread.
  base::Gate gate_;
  Counts counts_;
  base::Instant next_;             // when to publish at the latest
  std::optional<PageModel> told_;  // what all files say; nullopt: they may say something else
  base::Instant told_at_;
  std::unique_ptr<base::Alarm> due_;  // at next_, while nothing is under way
  bool running_ = false;
  bool dirty_ = false;

  PageWriter writer_;  // used on disk_, by one publication at a time
};

}  // namespace agent::publish
