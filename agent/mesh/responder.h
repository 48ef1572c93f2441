// EchoResponder: answers echoes of the peers it is told, and of nobody else.
//
// An answer has exactly the size of its question, and each peer has a budget, so that a forged sender
// makes neither more bytes nor a storm of it. What is refused is dropped and counted by its reason.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/mesh/socket.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::mesh {

struct ResponderCounts {
  uint64_t answered = 0;
  uint64_t malformed = 0, unknown_peer = 0, limited = 0;  // refused
};

// Thread: the control thread's. Owner: Mesh; outlives the coroutine that start() begins.
class EchoResponder {
 public:
  static constexpr double kAnswersPerSecond = 250;  // to one peer; an agent asks at most 200
  static constexpr double kBurst = 250;

  // `peers`: numeric addresses; a peer may ask from any port.
  EchoResponder(EchoSocket socket, const std::vector<std::string>& peers, base::Timers& timers);

  void start(const boost::asio::any_io_executor& executor, base::Gate& gate);
  void stop() { socket_.close(); }

  const ResponderCounts& counts() const { return counts_; }
  uint16_t port() const { return socket_.port(); }

 private:
  struct Budget {
    double left = kBurst;
    base::Instant since;
  };

  boost::asio::awaitable<void> answer_all();
  // False: something was refused.
  bool answer_batch();
  bool may_answer(const Arrival& arrival, base::Instant now);

  EchoSocket socket_;
  base::Timers& timers_;
  std::map<in_addr_t, Budget> budgets_;  // by peer
  ResponderCounts counts_;
};

}  // namespace agent::mesh
