#include "agent/mesh/prober.h"

#include <algorithm>
#include <utility>

namespace agent::mesh {
namespace {

constexpr int kMostBatches = 20;  // a round; more than the socket's buffer holds

}  // namespace

EchoProber::EchoProber(EchoSocket socket, const std::vector<EchoTarget>& targets,
                       Surroundings surroundings)
    : socket_(std::move(socket)), around_(std::move(surroundings)) {
  for (const EchoTarget& target : targets) {
    const auto address = echo_address(target.address, target.port);
    if (!address || !by_place_.emplace(place_of(*address), targets_.size()).second) continue;
    targets_.push_back({target, *address, {}});
  }
}

void EchoProber::start(const boost::asio::any_io_executor& executor, base::Gate& gate) {
  if (targets_.empty()) return;
  base::spawn(executor, gate, "ask for echoes", ask_all());
}

void EchoProber::stop() {
  stopped_ = true;
  socket_.close();
}

base::Duration EchoProber::at_least(base::Duration interval) const {
  const auto least =
      static_cast<int64_t>(1e9 * static_cast<double>(targets_.size()) / kMostPerSecond);
  return std::max(interval, base::Duration(least));
}

boost::asio::awaitable<void> EchoProber::ask_all() {
  while (!stopped_) {
    ask_round();
    if (around_.is_urgent()) {
      // From half as long to half as long again.
      const auto half = static_cast<uint64_t>(at_least(kUrgent).count() / 2);
      co_await around_.timers.wait_for(base::Duration(half + around_.nonce() % (2 * half)));
    } else {
      co_await around_.timers.wait_for_beat(at_least(around_.pace()));
    }
  }
}

void EchoProber::ask_round() {
  // A flood is read no faster than it is asked; the kernel drops the rest.
  for (int batch = 0; batch < kMostBatches && hear_batch(); ++batch) {
  }
  tell_lost(around_.timers.clock().now());
  if (!news_.empty()) around_.sink(std::exchange(news_, {}));
  std::vector<Departure> questions;
  for (Asked& asked : targets_) {
    const EchoDatagram echo = asked.ledger.ask(around_.nonce(), around_.timers.clock().now());
    questions.push_back({asked.address, encode_echo(echo)});
  }
  socket_.send(questions);
}

bool EchoProber::hear_batch() {
  const base::Instant now = around_.timers.clock().now();
  const auto arrivals = socket_.receive(around_.timers.clock().wall());
  for (const Arrival& arrival : arrivals) {
    const auto place = by_place_.find(place_of(arrival.from));
    const auto echo = parse_echo(arrival.bytes);
    if (place == by_place_.end() || !echo) {
      ++(echo ? counts_.unknown_peer : counts_.malformed);
      continue;
    }
    Asked& asked = targets_[place->second];
    const base::Instant arrived = now - arrival.waited;
    const EchoLedger::Answer answer = asked.ledger.take(*echo, arrived);
    if (answer.fate == EchoLedger::Fate::kAnswered) {
      tell(asked, "echo_seconds", arrived, base::to_seconds(answer.took));
    } else if (answer.fate == EchoLedger::Fate::kUnexpected) {
      ++counts_.unexpected;
    }
  }
  return arrivals.size() == EchoSocket::kBatch;
}

void EchoProber::tell_lost(base::Instant now) {
  for (Asked& asked : targets_) {
    const size_t lost = asked.ledger.take_lost(now);
    if (asked.ledger.counts().answered == 0) continue;
    for (size_t i = 0; i < lost; ++i) tell(asked, "echo_lost", now, 1);
  }
}

// Peers are for people to look at; rules know links only.
void EchoProber::tell(const Asked& asked, const char* name, base::Instant at, double value) {
  if (asked.target.cluster.empty()) return;
  series::Sample sample;
  sample.key = {name, asked.target.cluster, asked.target.proxy, asked.target.backend, ""};
  sample.at = at;
  sample.value = value;
  news_.push_back(std::move(sample));
}

}  // namespace agent::mesh
