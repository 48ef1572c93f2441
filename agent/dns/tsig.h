// TSIG (RFC 8945): who sent a DNS message, and that nobody changed it.
//
// sign() appends the record to an encoded message, verify() takes it off again. Both work on bytes, so
// that an answer is known to be authentic before anything else reads it. libldns could verify, too, but
// would take any algorithm, any key name and any time from the answer itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/secret.h"
#include "base/time/clock.h"

namespace agent::dns {

enum class TsigAlgorithm { kHmacSha256, kHmacSha512 };
std::string_view to_string(TsigAlgorithm algorithm);  // "hmac-sha256"

struct Key {
  std::string name;  // normal form (change.h)
  TsigAlgorithm algorithm = TsigAlgorithm::kHmacSha256;
  base::Secret secret;  // its bytes
};

// A message is good for so long before and after the time at which it was signed. So a change whose
// answer did not come cannot be taken later than this, and clocks may not differ by more.
inline constexpr uint16_t kFudgeSeconds = 60;

struct SignedMessage {
  std::string bytes;
  std::string mac;  // of this message: the answer's covers it
};

// `request_mac`: empty for a request.
SignedMessage sign(std::string message, const Key& key, base::WallTime now,
                   std::string_view request_mac = {});

// The message without its TSIG, which was right: signed with this key and algorithm, for the request
// with this MAC, at about this time. Otherwise one sentence on what is wrong: kInvalid: this is no DNS
// message; kPermission: it is not, or not rightly, signed.
base::Result<std::string> verify(std::string_view bytes, const Key& key, base::WallTime now,
                                 std::string_view request_mac = {});

}  // namespace agent::dns
