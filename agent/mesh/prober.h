// EchoProber: asks every target for an echo, again and again, and tells what became of it.
//
// A round asks all targets at once, in one system call per 32, at a pace that its owner says (slower
// when the host is full) and never more than kMostPerSecond questions altogether. While its owner has a
// question that echoes answer, rounds follow each other fast whatever the host does, and at random times:
// what happens at regular moments is then seen as often as it lasts. A target that has never answered
// is silent: what listens there may know no echoes, and that is no loss.
//
// Answers are read when the next round begins: the kernel has stamped their arrival, so that waking up
// for each of them would cost much and tell no more.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <unordered_map>
#include <vector>

#include "agent/mesh/ledger.h"
#include "agent/mesh/socket.h"
#include "agent/mesh/targets.h"
#include "agent/series/sample.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::mesh {

struct ProberCounts {
  uint64_t malformed = 0, unknown_peer = 0, unexpected = 0;  // of what came, dropped
};

// Thread: the control thread's. Owner: app; outlives the coroutine that start() begins.
class EchoProber {
 public:
  static constexpr double kMostPerSecond = 200;
  static constexpr base::Duration kUrgent = std::chrono::milliseconds(100);  // in the mean

  struct Surroundings {
    base::Timers& timers;
    std::function<base::Duration()> pace;  // between two echoes of a target
    std::function<bool()> is_urgent;       // many are wanted now
    std::function<void(const std::vector<series::Sample>&)> sink;
    std::function<uint64_t()> nonce;
  };
  EchoProber(EchoSocket socket, const std::vector<EchoTarget>& targets, Surroundings surroundings);

  void start(const boost::asio::any_io_executor& executor, base::Gate& gate);
  void stop();

  struct Asked {
    EchoTarget target;
    sockaddr_in address{};
    EchoLedger ledger;
  };
  const std::vector<Asked>& targets() const { return targets_; }
  const ProberCounts& counts() const { return counts_; }

 private:
  boost::asio::awaitable<void> ask_all();
  void ask_round();
  // True: there may be more.
  bool hear_batch();
  void tell(const Asked& asked, const char* name, base::Instant at, double value);
  void tell_lost(base::Instant now);
  base::Duration at_least(base::Duration interval) const;

  EchoSocket socket_;
  Surroundings around_;
  std::vector<Asked> targets_;
  std::unordered_map<EchoPlace, size_t> by_place_;
  std::vector<series::Sample> news_;
  ProberCounts counts_;
  bool stopped_ = false;
};

}  // namespace agent::mesh
