#include "agent/conns/dump.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <cerrno>
#include <map>

#include "tests/support/tcp_bed.h"

namespace agent::conns {
namespace {

std::map<uint16_t, int> established(const DumpQuestion& question) {
  std::map<uint16_t, int> counts;
  const auto done = dump(question, [&](const SocketRow& row) {
    EXPECT_EQ(tcp_state_name(row.state), "established");
    ++counts[row.local_port];
  });
  EXPECT_TRUE(done.ok()) << done.error().context;
  return counts;
}

TEST(Dump, ShowsTheConnectionsOfThePortsAskedFor) {
  const test::TcpBed first("127.87.4.1", 5);
  const test::TcpBed second("127.87.4.2", 3);
  const test::TcpBed other("127.87.4.3", 2);
  DumpQuestion question;
  question.ports = {1, first.port(), second.port()};
  question.states = state_bit(kEstablished);
  auto counts = established(question);
  EXPECT_EQ(counts[first.port()], 5);
  EXPECT_EQ(counts[second.port()], 3);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(Dump, DividedByTheRemotePortShowsEachConnectionOnce) {
  const test::TcpBed bed("127.87.4.4", 40);
  DumpQuestion question;
  question.ports = {bed.port(), 1};
  question.states = state_bit(kEstablished);
  int sum = 0;
  for (const auto& [low, high] : std::vector<std::pair<uint16_t, uint16_t>>{
           {0, 32767}, {32768, 39999}, {40000, 50000}, {50001, 65535}}) {
    question.remote_low = low;
    question.remote_high = high;
    sum += established(question)[bed.port()];
  }
  EXPECT_EQ(sum, 40);
}

TEST(Dump, ShowsWhatWaitsToBeAccepted) {
  const test::TcpBed bed("127.87.4.5");
  base::net::UniqueFd waiting(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  ASSERT_EQ(::getsockname(bed.listener(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  ASSERT_EQ(::connect(waiting.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
  DumpQuestion question;
  question.ports = {bed.port()};
  question.states = state_bit(kListen);
  int rows = 0;
  ASSERT_TRUE(dump(question, [&](const SocketRow& row) {
                ++rows;
                EXPECT_EQ(row.queue, 1u);
                EXPECT_EQ(row.queue_limit, 128u);
              }).ok());
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(listening_ports()->count(bed.port()), 1u);
}

TEST(Dump, ShowsConnectionsOfIpv6) {
  const test::TcpBed bed("::1", 3);
  DumpQuestion question;
  question.ports = {bed.port()};
  question.states = state_bit(kEstablished);
  EXPECT_EQ(established(question)[bed.port()], 3);
}

TEST(Dump, IsAFailureWhenTheEndCarriesAnErrorOrAMessageIsCutOff) {
  struct {
    nlmsghdr header;
    int number;
  } end{};
  end.header.nlmsg_len = sizeof end;
  end.header.nlmsg_type = NLMSG_DONE;
  const auto nothing = [](const SocketRow&) {};
  const auto text = [&] { return std::string_view(reinterpret_cast<char*>(&end), sizeof end); };
  EXPECT_FALSE(*read_dump(text(), false, nothing));
  end.number = -ENOMEM;
  EXPECT_FALSE(read_dump(text(), false, nothing).ok());
  EXPECT_FALSE(read_dump(text(), true, nothing).ok());
  end.header.nlmsg_len = 4000;
  EXPECT_FALSE(read_dump(text(), false, nothing).ok());
}

}  // namespace
}  // namespace agent::conns
