// EchoLedger: which echoes of one target are outstanding, and what became of the others. Pure.
//
// Idea: an answer counts when it names a question that is outstanding by sequence, nonce and time;
// a question found unanswered after a second is lost. What comes for a lost one is late and counted
// once, as such: the loss stands. Anything else is unexpected: a copy, or somebody who guesses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "agent/mesh/datagram.h"
#include "base/time/clock.h"

namespace agent::mesh {

// Upper bounds of the histogram of round trips, seconds.
inline constexpr std::array<double, 11> kEchoBounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005,
                                                       0.01,   0.02,   0.05,   0.1,   1};

struct EchoCounts {
  uint64_t asked = 0, answered = 0, lost = 0, late = 0;
  double seconds = 0;                                 // of all round trips together
  std::array<uint64_t, kEchoBounds.size()> within{};  // round trips by the first bound they fit
};

// Thread: the control thread's. Owner: EchoProber. Invariant: every question is outstanding, answered
// or lost; asked = answered + lost + outstanding.
class EchoLedger {
 public:
  static constexpr base::Duration kPatience = std::chrono::seconds(1);
  // Fewer are outstanding at the fastest pace; the rest remembers what is late.
  static constexpr size_t kRemembered = 32;

  EchoDatagram ask(uint64_t nonce, base::Instant now);

  enum class Fate { kAnswered, kLate, kUnexpected };
  struct Answer {
    Fate fate = Fate::kUnexpected;
    base::Duration took{0};  // of the way alone, when answered
  };
  // `arrived`: when it was there, which may be before somebody looked.
  Answer take(const EchoDatagram& answer, base::Instant arrived);
  // How many are found lost since the last call.
  size_t take_lost(base::Instant now);

  const EchoCounts& counts() const { return counts_; }

 private:
  enum class State : uint8_t { kNone, kOutstanding, kAnswered, kLost };
  struct Question {
    EchoDatagram echo;
    State state = State::kNone;
  };
  std::array<Question, kRemembered> questions_{};  // by sequence
  uint32_t next_ = 1;
  EchoCounts counts_;
};

}  // namespace agent::mesh
