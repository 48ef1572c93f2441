#include "agent/mesh/datagram.h"

#include <gtest/gtest.h>

namespace agent::mesh {
namespace {

using namespace std::chrono_literals;

EchoDatagram sample() {
  EchoDatagram echo;
  echo.kind = EchoDatagram::Kind::kAnswer;
  echo.sequence = 0x01020304;
  echo.dwell = 1234us;
  echo.nonce = 0xf0e0d0c0b0a09080;
  echo.sent = base::Instant{1'795'418'897'042'000'007};
  return echo;
}

std::string bytes_of(const EchoDatagram& echo) {
  const EchoBytes bytes = encode_echo(echo);
  return {bytes.data(), bytes.size()};
}

TEST(EchoDatagram, ReadsWhatWasWritten) {
  const auto read = parse_echo(bytes_of(sample()));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, sample());
}

TEST(EchoDatagram, IsWrittenInNetworkOrder) {
  const std::string bytes = bytes_of(sample());
  EXPECT_EQ(bytes.substr(0, 6), std::string("mcge\x01\x02"));
  EXPECT_EQ(bytes.substr(8, 4), std::string("\x01\x02\x03\x04"));
}

TEST(EchoDatagram, ADwellBeyondItsFieldIsTheLongest) {
  EchoDatagram echo = sample();
  echo.dwell = 10s;
  EXPECT_EQ(parse_echo(bytes_of(echo))->dwell, base::Duration(0xffffffff));
  echo.dwell = -1s;
  EXPECT_EQ(parse_echo(bytes_of(echo))->dwell, base::Duration(0));
}

TEST(EchoDatagram, RefusesEveryOtherLength) {
  const std::string bytes = bytes_of(sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_echo(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_echo(bytes + "x"));
}

TEST(EchoDatagram, RefusesAnotherMagicVersionKindOrFilling) {
  for (const size_t at : {0, 1, 2, 3, 4, 5, 6, 7}) {
    std::string bytes = bytes_of(sample());
    bytes[at] = static_cast<char>(bytes[at] + 3);
    EXPECT_FALSE(parse_echo(bytes)) << "byte " << at;
  }
}

}  // namespace
}  // namespace agent::mesh
