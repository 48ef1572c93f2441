#include "base/telemetry/detail.h"

#include <algorithm>
#include <cstring>

#include "base/core/hash.h"

namespace base::telemetry {

uint64_t key_hash(uint32_t cache, std::string_view key) {
  return std::max<uint64_t>(1, hash64(key, cache));
}

void ShownKeyCells::set(uint64_t key_hash, uint32_t of_cache, std::string_view key,
                        bool with_text) {
  const size_t shown = with_text ? std::min(key.size(), kShownKeyBytes) : 0;
  hash.set(key_hash);
  cache.set(of_cache);
  size.set(key.size());
  // Nothing stays of a longer key that was here.
  const size_t written = std::max<size_t>(shown, std::min(text_size.get(), kShownKeyBytes));
  text_size.set(shown);
  for (size_t at = 0; at < written; at += 8) {
    uint64_t word = 0;
    if (at < shown) std::memcpy(&word, key.data() + at, std::min<size_t>(8, shown - at));
    text[at / 8].set(word);
  }
}

void ShownKeyCells::forget_text() {
  text_size.set(0);
  for (Cell& word : text) word.set(0);
}

ShownKey ShownKey::of(const ShownKeyCells& cells) {
  ShownKey key;
  key.hash = cells.hash.get();
  key.cache = static_cast<uint32_t>(cells.cache.get());
  key.size = cells.size.get();
  key.text.resize(std::min<uint64_t>(cells.text_size.get(), kShownKeyBytes));
  for (size_t at = 0; at < key.text.size(); at += 8) {
    const uint64_t word = cells.text[at / 8].get();
    std::memcpy(key.text.data() + at, &word, std::min<size_t>(8, key.text.size() - at));
  }
  return key;
}

}  // namespace base::telemetry
