#include "proxy/route/in_flight.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace proxy::route {
namespace {

TEST(InFlight, KeepsOrderAndKeysAsADequeWould) {
  InFlight in_flight;
  std::deque<std::pair<uint64_t, std::string>> model;
  std::mt19937 random(3);
  for (uint64_t i = 0; i < 50000; ++i) {
    if (model.empty() || (random() % 5 < 3 && i < 40000)) {
      Pending pending;
      pending.ticket = i;
      const std::string key(random() % 251, static_cast<char>('a' + i % 26));
      in_flight.push(pending, key);
      model.emplace_back(i, key);
    } else {
      ASSERT_EQ(in_flight.front().ticket, model.front().first);
      ASSERT_EQ(in_flight.front_key(), model.front().second);
      in_flight.pop();
      model.pop_front();
    }
    ASSERT_EQ(in_flight.size(), model.size());
  }
  size_t at = 0;
  in_flight.for_each([&](Pending& pending, std::string_view key) {
    ASSERT_EQ(pending.ticket, model[at].first);
    ASSERT_EQ(key, model[at].second);
    ++at;
  });
  EXPECT_EQ(at, model.size());
}

}  // namespace
}  // namespace proxy::route
