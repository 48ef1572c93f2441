#include "agent/conns/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/telemetry/segment.h"

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
  std::array<uint64_t, 2> halves{};
  for (size_t i = 0; i < address.size(); ++i) halves[i / 8] = halves[i / 8] << 8 | address[i];
  return base::telemetry::address_text(halves);
}

std::string_view tcp_state_name(uint8_t state) {
  static constexpr std::string_view kNames[] = {
      "unknown",    "established", "syn_sent",    "syn_received", "fin_wait_1",
      "fin_wait_2", "time_wait",   "close",       "close_wait",   "last_ack",
      "listen",     "closing",     "syn_received"};
  return kNames[state < std::size(kNames) ? state : 0];
}

}  // namespace agent::conns
