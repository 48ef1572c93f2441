#include "cli/region/ports.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/net/fd.h"

namespace cli {
namespace {

TEST(RegionPorts, AreAllListedOnce) {
  UpOptions options;
  options.port_base = 21000;
  const auto plain = ports_of(make_definition(options, {}));
  EXPECT_EQ(plain.size(), 2u + 2 * (2 * 3 + 2));
  options.open = options.gameday = true;
  const auto full = ports_of(make_definition(options, {}));
  EXPECT_EQ(full.size(), plain.size() + 2 * 2 + 2 * 2 * 2);
  for (size_t i = 0; i < full.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(full[i].address == full[j].address && full[i].port == full[j].port)
          << full[i].what << " and " << full[j].what;
    }
  }
}

TEST(RegionPorts, OneThatIsTakenIsNamedWithTheRemedy) {
  const base::net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  const auto free = check_ports({{"127.0.0.1", port, "the operator API"}});
  ASSERT_FALSE(free.ok());
  EXPECT_EQ(free.code(), base::ErrorCode::kExists);
  EXPECT_NE(free.error().context.find(std::to_string(port)), std::string::npos);
  EXPECT_NE(free.error().context.find("operator API"), std::string::npos);
  EXPECT_NE(free.error().context.find("--port-base"), std::string::npos);
}

TEST(RegionPorts, AnAddressOfAnotherMachineIsRefused) {
  EXPECT_EQ(check_ports({{"192.0.2.1", 21000, "proxy x"}}).code(), base::ErrorCode::kUnavailable);
  EXPECT_TRUE(check_ports({{"127.0.0.1", 0, "any"}}).ok());
}

}  // namespace
}  // namespace cli
