#include <arpa/inet.h>

#include <array>

#include "base/core/check.h"
#include "base/telemetry/segment.h"

// The words for what is in the segment: they are metric labels, so they never change.
namespace base::telemetry {
namespace {

constexpr std::array<std::string_view, kOperationCount> kOperations = {
    "get",    "set",   "add", "replace", "append", "prepend", "cas",  "incr", "decr",
    "delete", "touch", "gat", "flush",   "stats",  "version", "noop", "auth", "other"};

constexpr std::array<std::string_view, kFailureCount> kFailures = {
    "backend_down",   "backend_timeout",    "backend_reset",
    "backend_error",  "slot_moving",        "fenced",
    "protocol",       "auth_failed",        "auth_timeout",
    "no_capability",  "too_large",          "connection_limit",
    "memory_limit",   "backend_queue_full", "backend_overloaded",
    "memory_short",   "request_limit",      "connection_rate",
    "stranger_limit", "descriptors",        "client_vanished",
    "proxy_header"};

constexpr std::array<std::string_view, kLegCount> kLegs = {"read", "write", "fence"};

template <class Enum, size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<size_t>(value);
  CHECK(index < N);
  return names[index];
}

}  // namespace

std::string_view to_string(Operation operation) {
  return name_of(kOperations, operation);
}
std::string_view to_string(Failure failure) {
  return name_of(kFailures, failure);
}
std::string_view to_string(Leg leg) {
  return name_of(kLegs, leg);
}

std::string address_text(const std::array<uint64_t, 2>& address) {
  in6_addr raw;
  for (size_t i = 0; i < 16; ++i) {
    raw.s6_addr[i] = static_cast<uint8_t>(address[i / 8] >> (56 - 8 * (i % 8)));
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&raw)) {
    ::inet_ntop(AF_INET, raw.s6_addr + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &raw, text, sizeof text);
  }
  return text;
}

}  // namespace base::telemetry
