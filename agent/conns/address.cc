#include "agent/conns/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace agent::conns {
namespace {

constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  Address address{};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  std::copy(std::begin(kMapped), std::end(kMapped), address.begin());
  if (inet_pton(AF_INET, copy.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

std::string to_string(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (std::equal(std::begin(kMapped), std::end(kMapped), address.begin())) {
    inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

std::string_view tcp_state_name(uint8_t state) {
  static constexpr std::string_view kNames[] = {
      "unknown",    "established", "syn_sent",    "syn_received", "fin_wait_1",
      "fin_wait_2", "time_wait",   "close",       "close_wait",   "last_ack",
      "listen",     "closing",     "syn_received"};
  return kNames[state < std::size(kNames) ? state : 0];
}

}  // namespace agent::conns
