#include "agent/mesh/responder.h"

#include <algorithm>

#include "base/telemetry/log.h"

namespace agent::mesh {
namespace {

// Peers ask many at a time: one waking answers those that come so soon after the first, and the dwell in
// the answer says for how long each has waited.
constexpr base::Duration kGather = std::chrono::milliseconds(2);
constexpr base::Duration kAgain = std::chrono::seconds(1);

}  // namespace

EchoResponder::EchoResponder(EchoSocket socket, const std::vector<std::string>& peers,
                             base::Timers& timers)
    : socket_(std::move(socket)), timers_(timers) {
  for (const std::string& peer : peers) {
    if (const auto address = echo_address(peer, 0)) {
      budgets_[address->sin_addr.s_addr].since = timers.clock().now();
    }
  }
}

void EchoResponder::start(const boost::asio::any_io_executor& executor, base::Gate& gate) {
  base::spawn(executor, gate, "answer echoes", answer_all());
}

boost::asio::awaitable<void> EchoResponder::answer_all() {
  while (true) {
    const bool readable = co_await socket_.wait_readable();
    if (!socket_.is_open()) co_return;
    if (!readable) {
      base::log::warn("echoes_not_answered", {{"why", "out of descriptors"}});
      co_await timers_.wait_for(kAgain);
      continue;
    }
    co_await timers_.wait_for(kGather);
    if (!answer_batch()) co_await timers_.wait_for(kPauseAfterRefusal);
  }
}

bool EchoResponder::may_answer(const Arrival& arrival, base::Instant now) {
  const auto found = budgets_.find(arrival.from.sin_addr.s_addr);
  if (found == budgets_.end()) {
    ++counts_.unknown_peer;
    return false;
  }
  Budget& budget = found->second;
  budget.left =
      std::min(kBurst, budget.left + kAnswersPerSecond * base::to_seconds(now - budget.since));
  budget.since = now;
  if (budget.left < 1) {
    ++counts_.limited;
    return false;
  }
  budget.left -= 1;
  return true;
}

bool EchoResponder::answer_batch() {
  const base::Instant now = timers_.clock().now();
  std::vector<Departure> answers;
  bool refused = false;
  for (const Arrival& arrival : socket_.receive(timers_.clock().wall())) {
    if (!may_answer(arrival, now)) {
      refused = true;
      continue;
    }
    auto echo = parse_echo(arrival.bytes);
    // An answer is never answered: two responders would play it to each other for ever.
    if (!echo || echo->kind != EchoDatagram::Kind::kQuestion) {
      ++counts_.malformed;
      refused = true;
      continue;
    }
    echo->kind = EchoDatagram::Kind::kAnswer;
    echo->dwell = arrival.waited;
    answers.push_back({arrival.from, encode_echo(*echo)});
  }
  counts_.answered += answers.size();
  socket_.send(answers);
  return !refused;
}

}  // namespace agent::mesh
