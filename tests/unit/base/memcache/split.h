// Every split point: whatever prefix of an input arrives first, the outcome is that of the whole.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "describe.h"

namespace base::memcache {

// make() gives a fresh parser, called as parser(bytes, item) -> Parsed; Item is Request or
// MetaReply. Inputs live in exactly sized copies, so that sanitizers see a read past the end.
template <class Item, class Make>
void expect_same_at_every_split(std::string_view input, Make make) {
  Item whole;
  auto one_shot = make();
  const Parsed expected = one_shot(input, whole);
  const std::string outcome = describe(expected);
  const bool has_item = expected.state == ParseState::kComplete;
  auto stepwise = make();
  for (size_t size = 0; size <= input.size(); ++size) {
    SCOPED_TRACE(::testing::Message() << "prefix of " << size << " of " << input.size());
    const std::string prefix(input.substr(0, size));
    Item first;
    auto parser = make();
    const Parsed early = parser(prefix, first);
    Item stepped;
    const Parsed step = stepwise(prefix, stepped);
    ASSERT_EQ(describe(early), describe(step)) << "a parser that saw every byte alone";
    if (early.state != ParseState::kNeedMore) {
      ASSERT_EQ(describe(early), outcome);
      if (has_item) {
        ASSERT_EQ(describe(first), describe(whole));
      }
      ASSERT_LE(early.consumed, size);
      return;
    }
    ASSERT_GT(early.needed, size);
    if (has_item) {
      ASSERT_LE(early.needed, expected.consumed);
    }
    const std::string all(input);
    Item second;
    ASSERT_EQ(describe(parser(all, second)), outcome);
    if (has_item) {
      ASSERT_EQ(describe(second), describe(whole));
    }
  }
}

}  // namespace base::memcache
