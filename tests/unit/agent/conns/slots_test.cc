#include "agent/conns/slots.h"

#include <gtest/gtest.h>

#include "agent/conns/top.h"

namespace agent::conns {
namespace {

Address address(const char* text) {
  return parse_address(text).value();
}

TEST(Address, IsReadAndWrittenInBothFamilies) {
  EXPECT_EQ(to_string(address("10.1.2.3")), "10.1.2.3");
  EXPECT_EQ(to_string(address("2001:db8::7")), "2001:db8::7");
  EXPECT_EQ(to_string(address("::ffff:10.1.2.3")), "10.1.2.3");
  EXPECT_FALSE(parse_address("10.1.2").has_value());
  EXPECT_FALSE(parse_address("").has_value());
}

TEST(Slots, TellAddressesOfOnePortApartAndKeepTheRestTogether) {
  const auto slots = Slots::create({{11211, {address("127.0.1.1"), address("127.0.1.2")}},
                                    {11212, {}},
                                    {11211, {address("127.0.1.2"), address("::1")}}});
  ASSERT_TRUE(slots.ok());
  EXPECT_EQ(slots->size(), 5u);
  const int first = slots->find(11211, address("127.0.1.1"));
  EXPECT_NE(first, slots->find(11211, address("127.0.1.2")));
  EXPECT_EQ(slots->find(11211, address("10.0.0.1")), slots->find(11211, address("10.0.0.2")));
  EXPECT_TRUE(slots->listeners()[static_cast<size_t>(slots->find(11211, address("::2")))].others);
  EXPECT_EQ(slots->find(11212, address("127.0.1.1")), slots->find(11212, address("127.0.1.2")));
  EXPECT_EQ(slots->find(80, address("127.0.1.1")), -1);
}

TEST(Slots, RefuseWhatTheyCannotNumber) {
  EXPECT_FALSE(Slots::create({{0, {}}}).ok());
  std::vector<WatchedPort> many;
  for (uint16_t port = 1; port <= kMaxSlots; ++port) many.push_back({port, {}});
  EXPECT_TRUE(Slots::create(many).ok());
  many.push_back({kMaxSlots + 1, {}});
  EXPECT_FALSE(Slots::create(many).ok());
}

TEST(TopClients, KeepsTheLargestOfEachListenerInOrder) {
  TopClients top(2, 3);
  for (uint64_t i = 1; i <= 100; ++i) {
    ClientCount count;
    count.client = address(("10.0.0." + std::to_string(i)).c_str());
    count.listener = i % 2;
    count.connections = i * 37 % 101;
    top.add(count);
  }
  const std::vector<ClientCount> kept = top.take();
  ASSERT_EQ(kept.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(kept[i].listener, i / 3);
  EXPECT_GT(kept[0].connections, kept[1].connections);
  EXPECT_GT(kept[1].connections, kept[2].connections);
  EXPECT_EQ(kept[0].connections, 100u);
  EXPECT_EQ(kept[3].connections, 97u);
}

}  // namespace
}  // namespace agent::conns
