// Small text forms that several formats here share: base64, hex, numbers without locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace base {

std::string base64_encode(std::string_view bytes);                // RFC 4648 §4, padded
std::optional<std::string> base64_decode(std::string_view text);  // strict
std::string hex_encode(std::string_view bytes);                   // lower case
std::optional<std::string> hex_decode(std::string_view text);

// Whole-string decimal; no sign, no space, no overflow.
std::optional<uint64_t> parse_u64(std::string_view text);

// "127.0.0.1:80", "[::1]:80" -> host and port.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
std::optional<HostPort> parse_host_port(std::string_view text);

// Bytes that a log line or a terminal may show: others become \xNN; at most `max` bytes, then "…".
std::string printable(std::string_view bytes, size_t max = 200);

}  // namespace base
