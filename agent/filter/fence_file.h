// FenceFile: the highest fence of each lock that this node has acted under, in a file of its own.
//
// nftables takes orders from anybody; so whoever changes filters passes here first, and a run that
// has lost its lock is refused. It is kept apart from the store, since filters must be lifted when
// the store is away. Fences are effective ones (coord/fence_gate.h): whoever starts up tells the
// gate what highest() says here.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/coord/turn.h"
#include "base/core/result.h"
#include "base/time/timers.h"

namespace agent::filter {

// Thread: one executor's; it writes on `disk`'s. Owner: NftablesTable.
// Invariant: what was admitted is on the disk.
class FenceFile {
 public:
  // kInvalid: the file is odd, and nobody can say which fences it held; the text has the remedy.
  static base::Result<std::unique_ptr<FenceFile>> open(boost::asio::any_io_executor executor,
                                                       boost::asio::any_io_executor disk,
                                                       base::Timers& timers, std::string path);
  // kRefused: lower than one before. Others: it could not be kept in time, so nothing may be done.
  // 0 passes without a trace.
  boost::asio::awaitable<base::Result<>> admit(std::string lock, uint64_t fence,
                                               base::Instant deadline);
  // Whether it would be let in by what is known now. kRefused: it is older.
  base::Result<> check(std::string_view lock, uint64_t fence) const;
  uint64_t highest(std::string_view lock) const;  // 0: none

 private:
  FenceFile(boost::asio::any_io_executor executor, boost::asio::any_io_executor disk,
            base::Timers& timers, std::string path)
      : executor_(std::move(executor)),
        disk_(std::move(disk)),
        timers_(timers),
        path_(std::move(path)),
        turn_(executor_) {}
  base::Result<> read();
  std::string text() const;
  boost::asio::awaitable<base::Result<>> write(base::Instant deadline);

  struct Known {
    uint64_t highest = 0;
    uint64_t kept = 0;  // in the file
  };
  boost::asio::any_io_executor executor_;
  boost::asio::any_io_executor disk_;
  base::Timers& timers_;
  const std::string path_;
  coord::Turn turn_;
  std::map<std::string, Known, std::less<>> known_;  // by lock
};

}  // namespace agent::filter
