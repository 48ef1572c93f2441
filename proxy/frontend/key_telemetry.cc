#include "proxy/frontend/key_telemetry.h"

#include <algorithm>

#include "base/core/hash.h"

namespace proxy {

using base::telemetry::KeyCells;
using base::telemetry::KeyWindowCells;
using base::telemetry::kKeySlots;

namespace {

// Only what was used: the rest of the segment's pages need not exist.
void forget_texts(KeyWindowCells& window) {
  for (size_t i = 0; i < window.used.get(); ++i) window.keys[i].key.forget_text();
}

}  // namespace

void KeyTelemetry::set_policy(uint32_t one_in, bool with_text) {
  if ((with_text_ && !with_text) || one_in != one_in_) {
    for (auto& window : cells_.windows) forget_texts(window);
  }
  with_text_ = with_text;
  if (one_in == one_in_) return;
  one_in_ = one_in;
  cells_.sampled_one_in.set(one_in);
  window_ = nullptr;  // counts of another measure would mislead: begins again at the next tick
  for (auto& window : cells_.windows) window.began_ns.set(0);
  draw_distance();
}

void KeyTelemetry::draw_distance() {
  until_ = std::numeric_limits<uint64_t>::max();
  if (one_in_ == 0) return;
  state_ = base::mix64(state_, one_in_);
  until_ = 1 + state_ % (2 * uint64_t{one_in_} - 1);
}

void KeyTelemetry::tick(base::Instant now) {
  if (one_in_ == 0) return;
  if (window_ != nullptr && now.ns - static_cast<int64_t>(window_->began_ns.get()) <
                                base::telemetry::kKeyWindow.count()) {
    return;
  }
  window_ = &cells_.windows[window_ == &cells_.windows[0] ? 1 : 0];
  forget_texts(*window_);  // its places may not all be taken again
  window_->used.set(0);
  window_->samples.set(0);
  window_->began_ns.set(static_cast<uint64_t>(now.ns));
  used_ = 0;
}

size_t KeyTelemetry::place_of(uint64_t hash) {
  return static_cast<size_t>(std::find(hashes_.begin(), hashes_.begin() + used_, hash) -
                             hashes_.begin());
}

// The place of a key that has none: a free one, or that of the key with the smallest count, whose
// count it takes over as its error.
size_t KeyTelemetry::take_place(uint64_t hash, const KeyUse& use) {
  size_t place = used_;
  if (used_ < kKeySlots) {
    counts_[place] = 0;
    window_->used.set(++used_);
  } else {
    place = static_cast<size_t>(std::min_element(counts_.begin(), counts_.end()) - counts_.begin());
  }
  hashes_[place] = hash;
  KeyCells& cells = window_->keys[place];
  cells.key.set(hash, use.cache, use.key, with_text_);
  cells.error.set(counts_[place]);
  cells.misses.set(0);
  cells.writes.set(0);
  cells.bytes.set(0);
  return place;
}

void KeyTelemetry::add(const KeyUse& use) {
  draw_distance();
  if (window_ == nullptr) return;
  const uint64_t hash = base::telemetry::key_hash(use.cache, use.key);
  size_t place = place_of(hash);
  if (place == used_) place = take_place(hash, use);
  KeyCells& cells = window_->keys[place];
  cells.count.set(++counts_[place]);
  if (use.is_miss) cells.misses.add();
  if (use.is_write) cells.writes.add();
  cells.bytes.add(use.bytes);
  window_->samples.add();
  cells_.key_samples.add();
}

}  // namespace proxy
