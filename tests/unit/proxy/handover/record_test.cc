#include "proxy/handover/record.h"

#include <gtest/gtest.h>

#include <vector>

namespace proxy::handover {
namespace {

using base::memcache::Protocol;

ClientRecord authenticated() {
  ClientRecord record;
  record.is_authenticated = record.is_counted = true;
  record.protocol = Protocol::kAscii;
  record.cache = 77;
  record.user = "A1B2C3";
  record.proof = 0xfedcba9876543210;
  record.address = {1, 0xffff7f000001};
  record.opened = base::Instant{123'456'789'012};
  record.active = base::Instant{223'456'789'012};
  record.in = std::string("set a 0 0 5\r\nab\0", 16);
  record.out = "VALUE b 0 1\r\n";
  return record;
}

std::vector<ClientRecord> some() {
  ClientRecord stranger;
  stranger.failed_tries = 4;
  stranger.swallow = 1ull << 40;
  ClientRecord open = authenticated();
  open.open_cache = 1;
  open.is_counted = false;
  open.user.clear();
  ClientRecord flushes = authenticated();
  flushes.protocol = Protocol::kBinary;
  flushes.flush = WaitingFlush{0x18, 0xdeadbeef, true, -3};
  ClientRecord leaves = authenticated();
  leaves.is_finishing = true;
  leaves.out = std::string(300'000, 'x');
  ClientRecord greeting;
  greeting.is_greeting = greeting.is_tls = true;
  greeting.in = "PROXY TC";
  return {ClientRecord(), stranger, authenticated(), open, flushes, leaves, greeting};
}

TEST(ClientRecord, ComesBackAsItWas) {
  std::string text;
  for (const ClientRecord& record : some()) append_record(text, record);
  std::string_view left = text;
  for (const ClientRecord& record : some()) {
    const auto taken = take_record(left);
    ASSERT_TRUE(taken.ok());
    EXPECT_EQ(*taken, record);
  }
  EXPECT_TRUE(left.empty());
}

TEST(ClientRecord, IsRefusedWhereverItIsCut) {
  for (const ClientRecord& record : some()) {
    std::string text;
    append_record(text, record);
    for (size_t size = 0; size < std::min<size_t>(text.size(), 400); ++size) {
      std::string_view left = std::string_view(text).substr(0, size);
      ASSERT_FALSE(take_record(left).ok()) << size;
      ASSERT_EQ(left.size(), size) << "nothing is taken of what is refused";
    }
  }
}

struct Damage {
  const char* what;
  size_t at;
  char to;
};

TEST(ClientRecord, IsRefusedWithWhatNobodyWrote) {
  std::string text;
  append_record(text, authenticated());
  for (const Damage& damage :
       {Damage{"an unknown flag", 0, char(0x88)}, Damage{"quiet, but no flush", 0, char(0x48)},
        Damage{"a protocol", 1, 3}, Damage{"an endless user", 62, char(0xff)}}) {
    std::string damaged = text;
    damaged[damage.at] = damage.to;
    std::string_view left = damaged;
    EXPECT_FALSE(take_record(left).ok()) << damage.what;
  }
  ClientRecord nowhere = authenticated();
  nowhere.cache = 0;
  std::string of_no_cache;
  append_record(of_no_cache, nowhere);
  std::string_view left = of_no_cache;
  EXPECT_FALSE(take_record(left).ok());
}

}  // namespace
}  // namespace proxy::handover
