#include "proxy/route/in_flight.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace proxy::route {
namespace {

TEST(InFlight, KeepsOrderAndKeysAsADequeWould) {
  InFlight in_flight;
  struct Entry {
    uint64_t ticket;
    std::string key, flags;
  };
  std::deque<Entry> model;
  std::mt19937 random(3);
  for (uint64_t i = 0; i < 50000; ++i) {
    if (model.empty() || (random() % 5 < 3 && i < 40000)) {
      Pending pending;
      pending.ticket = i;
      const std::string key(random() % 251, static_cast<char>('a' + i % 26));
      const std::string flags(random() % 2 == 0 ? 0 : random() % 1024, 'f');
      in_flight.push(pending, key, flags);
      model.push_back({i, key, flags});
    } else {
      ASSERT_EQ(in_flight.front().ticket, model.front().ticket);
      ASSERT_EQ(in_flight.front_key(), model.front().key);
      ASSERT_EQ(in_flight.front_flags(), model.front().flags);
      in_flight.pop();
      model.pop_front();
    }
    ASSERT_EQ(in_flight.size(), model.size());
  }
  size_t at = 0;
  in_flight.for_each([&](Pending& pending, std::string_view key, std::string_view flags) {
    ASSERT_EQ(pending.ticket, model[at].ticket);
    ASSERT_EQ(key, model[at].key);
    ASSERT_EQ(flags, model[at].flags);
    ++at;
  });
  EXPECT_EQ(at, model.size());
}

}  // namespace
}  // namespace proxy::route
