// Keys in base64, accepted exactly as memcached 1.6.18 accepts them: characters that are none of base64
// are skipped, what comes behind the first padding is not looked at, and neither are spare bits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base::memcache {

// Thread: any. Never empty; nullopt: not a multiple of four characters, none, or wrongly padded.
std::optional<std::string> decode_client_key(std::string_view text);

}  // namespace base::memcache
