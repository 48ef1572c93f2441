#include "cli/load/load.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/load/process_cpu.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

TEST(ParseServer, TakesNumericAddressesAndUnixSockets) {
  EXPECT_EQ(parse_server("127.0.1.1:11211")->storage.ss_family, AF_INET);
  EXPECT_EQ(parse_server("localhost:11211")->storage.ss_family, AF_INET);
  EXPECT_EQ(parse_server("[::1]:11211")->storage.ss_family, AF_INET6);
  EXPECT_EQ(parse_server("unix:/tmp/x.sock")->storage.ss_family, AF_UNIX);
}

TEST(ParseServer, SaysWhatItExpectedOfAnythingElse) {
  for (const char* text : {"", "11211", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                           "example.org:11211", "unix:", ":11211"}) {
    const auto server = parse_server(text);
    ASSERT_FALSE(server.ok()) << text;
    EXPECT_EQ(server.code(), base::ErrorCode::kInvalid);
    EXPECT_NE(server.error().context.find("expected ADDRESS:PORT"), std::string::npos) << text;
  }
}

TEST(Load, NamesAServerThatRefusesTheConnection) {
  // A port that is bound and does not listen.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::inet_addr("127.91.0.1");
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string text = "127.91.0.1:" + std::to_string(ntohs(address.sin_port));
  LoadOptions options;
  options.servers.push_back(*parse_server(text));
  const base::SystemClock clock;
  const auto report = run_load(options, clock, {});
  ::close(fd);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.code(), base::ErrorCode::kUnavailable);
  EXPECT_NE(report.error().context.find(text), std::string::npos);
}

TEST(Load, RefusesOptionsThatCannotBe) {
  const base::SystemClock clock;
  LoadOptions options;
  EXPECT_EQ(run_load(options, clock, {}).code(), base::ErrorCode::kInvalid) << "no server";
  options.servers.push_back(*parse_server("127.0.0.1:1"));
  options.threads = 51;
  EXPECT_EQ(run_load(options, clock, {}).code(), base::ErrorCode::kInvalid) << "too many threads";
  options.threads = 1;
  options.key_bytes = 5;
  EXPECT_EQ(run_load(options, clock, {}).code(), base::ErrorCode::kInvalid) << "keys too short";
}

TEST(ProcessCpu, GrowsWithWorkAndIsNotThereForNobody) {
  const auto before = process_cpu(::getpid());
  ASSERT_TRUE(before.ok()) << before.error().context;
  volatile uint64_t sum = 0;
  auto after = before;
  for (int i = 0; i < 10'000 && *after - *before < 5ms; ++i) {
    for (int j = 0; j < 100'000; ++j) sum = sum + 1;
    after = process_cpu(::getpid());
    ASSERT_TRUE(after.ok());
  }
  EXPECT_GE(*after - *before, 5ms);
  EXPECT_EQ(process_cpu(0x3fffffff).code(), base::ErrorCode::kNotFound);
}

}  // namespace
}  // namespace cli
