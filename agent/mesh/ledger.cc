#include "agent/mesh/ledger.h"

#include <algorithm>

namespace agent::mesh {

EchoDatagram EchoLedger::ask(uint64_t nonce, base::Instant now) {
  Question& question = questions_[next_ % kRemembered];
  // Asked faster than the ledger remembers: nobody waits for the oldest any longer.
  if (question.state == State::kOutstanding) ++counts_.lost;
  question.echo = EchoDatagram{};
  question.echo.sequence = next_++;
  question.echo.nonce = nonce;
  question.echo.sent = now;
  question.state = State::kOutstanding;
  ++counts_.asked;
  return question.echo;
}

EchoLedger::Answer EchoLedger::take(const EchoDatagram& answer, base::Instant arrived) {
  if (answer.kind != EchoDatagram::Kind::kAnswer) return {};
  Question& question = questions_[answer.sequence % kRemembered];
  const EchoDatagram& asked = question.echo;
  if (asked.sequence != answer.sequence || asked.nonce != answer.nonce ||
      asked.sent != answer.sent) {
    return {};
  }
  if (question.state != State::kOutstanding && question.state != State::kLost) return {};
  if (question.state == State::kLost) {
    question.state = State::kAnswered;
    ++counts_.late;
    return {Fate::kLate, {}};
  }
  question.state = State::kAnswered;
  const base::Duration whole = std::max(arrived - asked.sent, base::Duration(0));
  const base::Duration took = whole - std::min(answer.dwell, whole);
  const double seconds = base::to_seconds(took);
  ++counts_.answered;
  counts_.seconds += seconds;
  const auto bound = std::lower_bound(kEchoBounds.begin(), kEchoBounds.end(), seconds);
  if (bound != kEchoBounds.end()) {
    ++counts_.within[static_cast<size_t>(bound - kEchoBounds.begin())];
  }
  return {Fate::kAnswered, took};
}

size_t EchoLedger::take_lost(base::Instant now) {
  size_t lost = 0;
  for (Question& question : questions_) {
    if (question.state != State::kOutstanding || now - question.echo.sent < kPatience) continue;
    question.state = State::kLost;
    ++lost;
  }
  counts_.lost += lost;
  return lost;
}

}  // namespace agent::mesh
