#include "proxy/frontend/proxy_header.h"

#include <gtest/gtest.h>

#include <vector>

#include "proxy/backend/address.h"
#include "proxy/config/network.h"

namespace proxy {
namespace {

using State = ProxyHeader::State;

std::string binary(unsigned char command, unsigned char family, const std::string& body) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size() & 0xff);
  return header + body;
}

const std::string kV4Body("\x0a\x01\x02\x03\x7f\0\0\1\x30\x39\x2b\xcb", 12);
const std::string kV6Body = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x07" +
                            std::string(16, '\1') + "abcd";
const std::string kUnixBody = "/run/client" + std::string(97, '\0') + std::string(108, 'x');
const std::string kTlvs("\x04\0\3abc", 6);

struct Case {
  std::string header;
  std::optional<admission::ClientAddress> client;
};

std::vector<Case> good() {
  const auto v4 = parse_address("10.1.2.3"), v6 = parse_address("2001:db8::7");
  return {
      {"PROXY TCP4 10.1.2.3 127.0.0.1 12345 11211\r\n", v4},
      {"PROXY TCP6 2001:db8::7 ::1 12345 11211\r\n", v6},
      {"PROXY UNKNOWN\r\n", std::nullopt},
      {"PROXY UNKNOWN ffff::1 anything 1 2\r\n", std::nullopt},
      {binary(0x21, 0x11, kV4Body), v4},
      {binary(0x21, 0x11, kV4Body + kTlvs), v4},
      {binary(0x21, 0x12, kV4Body), v4},
      {binary(0x21, 0x21, kV6Body), v6},
      {binary(0x21, 0x21, kV6Body + std::string(3000, 'T')), v6},
      {binary(0x21, 0x31, kUnixBody), kUnixClient},
      {binary(0x21, 0x00, ""), std::nullopt},
      {binary(0x21, 0x00, kTlvs), std::nullopt},
      {binary(0x20, 0x00, ""), std::nullopt},
      {binary(0x20, 0x11, kV4Body), std::nullopt},
  };
}

TEST(ProxyHeader, NamesTheClientAtEverySplit) {
  for (const Case& one : good()) {
    for (size_t size = 0; size < one.header.size(); ++size) {
      ASSERT_EQ(parse_proxy_header(one.header.substr(0, size)).state, State::kNeedMore) << size;
    }
    for (const std::string& after : {std::string(), std::string("get a\r\n"), one.header}) {
      const ProxyHeader parsed = parse_proxy_header(one.header + after);
      ASSERT_EQ(parsed.state, State::kDone) << one.header;
      EXPECT_EQ(parsed.size, one.header.size());
      EXPECT_EQ(parsed.client, one.client) << one.header;
    }
  }
}

TEST(ProxyHeader, RefusesWhatIsMalformed) {
  std::string version_3 = binary(0x31, 0x11, kV4Body);
  const std::vector<std::string> bad = {
      "get a\r\n",
      "PROXX",
      "PROXY TCP4 10.1.2.3 127.0.0.1 12345 11211\n",
      "PROXY TCP4 10.1.2.3 127.0.0.1 12345\r\n",
      "PROXY TCP4 10.1.2.3 127.0.0.1 12345 11211 more\r\n",
      "PROXY TCP4 10.1.2.3 127.0.0.1 12345 65536\r\n",
      "PROXY TCP4 10.1.2.300 127.0.0.1 12345 11211\r\n",
      "PROXY TCP4 ::1 ::1 12345 11211\r\n",
      "PROXY TCP6 10.1.2.3 127.0.0.1 12345 11211\r\n",
      "PROXY UDP4 10.1.2.3 127.0.0.1 12345 11211\r\n",
      "PROXY \r\n",
      "PROXY UNKNOWN " + std::string(107, 'x'),
      version_3,
      binary(0x22, 0x11, kV4Body),
      binary(0x21, 0x41, kV4Body),
      binary(0x21, 0x13, kV4Body),
      binary(0x21, 0x11, kV4Body.substr(1)),
      binary(0x21, 0x21, kV6Body.substr(1)),
      binary(0x21, 0x31, kUnixBody.substr(1)),
      binary(0x21, 0x11, kV4Body + std::string(kLongestProxyHeader, 'T')),
      std::string("\r\n\r\nx", 5),
  };
  for (const std::string& header : bad) {
    EXPECT_EQ(parse_proxy_header(header).state, State::kMalformed) << header;
  }
}

}  // namespace
}  // namespace proxy
