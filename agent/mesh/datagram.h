// An echo as it travels: 32 bytes in network order, the same for a question and its answer.
//
//   0  magic "mcge"   4  version   5  kind   6  zero   8  sequence   12  dwell, ns
//   16 nonce          24 sent, ns of the sender's monotonic clock
//
// The nonce is what makes an answer believed: only who has seen the question knows it. `dwell` is how
// long the question lay at the responder, so that a busy responder does not look like a slow network.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time/clock.h"

namespace agent::mesh {

inline constexpr size_t kEchoBytes = 32;
using EchoBytes = std::array<char, kEchoBytes>;

struct EchoDatagram {
  enum class Kind : uint8_t { kQuestion = 1, kAnswer = 2 };
  Kind kind = Kind::kQuestion;
  uint32_t sequence = 0;
  base::Duration dwell{0};  // 0 to 4.29 s; more travels as that
  uint64_t nonce = 0;
  base::Instant sent;
  friend bool operator==(const EchoDatagram&, const EchoDatagram&) = default;
};

EchoBytes encode_echo(const EchoDatagram& echo);
// Nothing unless it is exactly one datagram of this version.
std::optional<EchoDatagram> parse_echo(std::string_view bytes);

}  // namespace agent::mesh
