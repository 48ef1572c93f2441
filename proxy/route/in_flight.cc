#include "proxy/route/in_flight.h"

#include <algorithm>

namespace proxy::route {

void InFlight::grow() {
  const size_t capacity = std::max<size_t>(16, capacity_ * 2);
  auto entries = std::make_unique<Pending[]>(capacity);
  for (size_t i = 0; i < count_; ++i) entries[i] = at(i);
  entries_ = std::move(entries);
  capacity_ = capacity;
  head_ = 0;
}

void InFlight::shrink() {
  entries_.reset();
  capacity_ = head_ = 0;
  keys_.clear();
  keys_.release();
}

}  // namespace proxy::route
