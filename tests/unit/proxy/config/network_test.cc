#include "proxy/config/network.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

bool holds(const std::string& network, const std::string& address) {
  return parse_network(network)->contains(*parse_address(address));
}

TEST(Network, HoldsTheAddressesOfItsPrefix) {
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(holds("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(holds("10.1.2.3", "10.1.2.2"));
  EXPECT_TRUE(holds("0.0.0.0/0", "255.1.2.3"));
  EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(holds("2001:db8::8/125", "2001:db8::f"));
  EXPECT_FALSE(holds("2001:db8::8/125", "2001:db8::10"));
  EXPECT_TRUE(holds("::/0", "10.0.0.1"));
  EXPECT_TRUE(holds("::1", "::1"));
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/", "10.0.0.0/-1",
                           "host", "10.0.0/8", "2001:db8::1/64"}) {
    EXPECT_FALSE(parse_network(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace proxy
