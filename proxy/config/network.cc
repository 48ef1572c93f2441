#include "proxy/config/network.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/core/text.h"

namespace proxy {
namespace {

constexpr uint64_t kMappedV4 = 0xffff00000000;

// The first `bits` of a half set.
uint64_t mask_of(unsigned bits) {
  return bits == 0 ? 0 : ~uint64_t{0} << (64 - bits);
}

NumericAddress masked(const NumericAddress& address, unsigned bits) {
  return {address[0] & mask_of(std::min(bits, 64u)),
          address[1] & mask_of(bits > 64 ? bits - 64 : 0)};
}

}  // namespace

std::optional<NumericAddress> parse_address(const std::string& text) {
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return NumericAddress{0, kMappedV4 | ntohl(v4.s_addr)};
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) != 1) return std::nullopt;
  NumericAddress address{};
  for (size_t i = 0; i < 16; ++i) address[i / 8] = address[i / 8] << 8 | v6.s6_addr[i];
  return address;
}

bool Network::contains(const NumericAddress& other) const {
  return masked(other, bits) == address;
}

std::optional<Network> parse_network(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string shown = text.substr(0, slash);
  const auto address = parse_address(shown);
  if (!address) return std::nullopt;
  Network network{*address, 128};
  if (slash != std::string::npos) {
    const bool is_v6 = shown.find(':') != std::string::npos;
    const auto bits = base::parse_u64(text.substr(slash + 1));
    if (!bits || *bits > (is_v6 ? 128 : 32)) return std::nullopt;
    network.bits = static_cast<unsigned>(*bits) + (is_v6 ? 0 : 96);
  }
  if (!network.contains(*address)) return std::nullopt;
  return network;
}

bool is_in(const std::vector<Network>& networks, const NumericAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(address); });
}

}  // namespace proxy
