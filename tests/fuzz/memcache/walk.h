// What the fuzzers of stream parsers share: walk a stream message by message, and see that cutting
// it anywhere changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/core/check.h"
#include "base/memcache/request.h"

namespace base::memcache {

inline bool is_within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// An exactly sized copy, so that a read past its end is seen.
inline std::vector<char> exact(std::string_view bytes) {
  return {bytes.begin(), bytes.end()};
}

// parse(bytes, item) and make() as in the unit tests; inspect(item, bytes) checks a complete item.
template <class Item, class Make, class Inspect>
void walk(std::string_view stream, size_t cut, Make make, Inspect inspect) {
  while (!stream.empty()) {
    Item item;
    auto one_shot = make();
    const Parsed parsed = one_shot(stream, item);
    const std::vector<char> front = exact(stream.substr(0, cut % (stream.size() + 1)));
    Item early_item;
    auto stepwise = make();
    const Parsed early = stepwise(std::string_view(front.data(), front.size()), early_item);
    if (early.state != ParseState::kNeedMore) {
      CHECK(early.state == parsed.state && early.consumed == parsed.consumed);
      CHECK(early.consumed <= front.size());
    } else {
      CHECK(early.needed > front.size());
      CHECK(parsed.state != ParseState::kComplete || early.needed <= parsed.consumed);
      Item late_item;
      const Parsed late = stepwise(stream, late_item);
      CHECK(late.state == parsed.state && late.consumed == parsed.consumed);
      CHECK(late.reply == parsed.reply && late.status == parsed.status);
    }
    if (parsed.state == ParseState::kNeedMore || parsed.fate == Fate::kClose) return;
    CHECK(parsed.consumed > 0 && parsed.consumed <= stream.size());
    if (parsed.state == ParseState::kComplete) inspect(item, stream.substr(0, parsed.consumed));
    const uint64_t skip = parsed.consumed + parsed.swallow;
    if (skip >= stream.size()) return;
    stream.remove_prefix(skip);
  }
}

inline void inspect_request(const Request& request, std::string_view bytes) {
  CHECK(is_within(request.key, bytes) && is_within(request.more_keys, bytes));
  CHECK(is_within(request.value, bytes) && is_within(request.arguments, bytes));
  CHECK(request.value_follows || request.value.size() == request.value_length);
  size_t keys = 0;
  for (const std::string_view key : request.keys()) {
    CHECK(!key.empty() && key.size() <= kMaxKeyLength && is_within(key, bytes));
    ++keys;
  }
  CHECK(keys == request.key_count);
}

}  // namespace base::memcache
