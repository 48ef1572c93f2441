// Networks of client addresses, as people write them: "10.0.0.0/8", "2001:db8::/32", "127.0.0.1".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proxy {

// IPv6, or IPv4-mapped; host byte order halves: the form of admission::ClientAddress.
using NumericAddress = std::array<uint64_t, 2>;
std::optional<NumericAddress> parse_address(const std::string& text);

struct Network {
  NumericAddress address{};
  unsigned bits = 128;  // of the IPv6 form: an IPv4 network's prefix plus 96

  bool contains(const NumericAddress& other) const;
};
// Nothing unless numeric, with a prefix that fits and no bit set behind it.
std::optional<Network> parse_network(const std::string& text);

bool is_in(const std::vector<Network>& networks, const NumericAddress& address);

}  // namespace proxy
