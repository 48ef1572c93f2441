#include "cli/forwarder/delay_queue.h"

#include <algorithm>

#include "base/core/check.h"

namespace cli {

void DelayQueue::push(std::string bytes, base::Instant due) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (!chunks_.empty()) due = std::max(due, chunks_.back().due);
  chunks_.push_back({std::move(bytes), due});
}

std::optional<base::Instant> DelayQueue::due() const {
  if (chunks_.empty()) return std::nullopt;
  return chunks_.front().due;
}

std::string_view DelayQueue::ready(base::Instant now) const {
  if (chunks_.empty() || chunks_.front().due > now) return {};
  return std::string_view(chunks_.front().bytes).substr(sent_);
}

void DelayQueue::consume(size_t count) {
  CHECK(!chunks_.empty() && sent_ + count <= chunks_.front().bytes.size());
  sent_ += count;
  bytes_ -= count;
  if (sent_ < chunks_.front().bytes.size()) return;
  chunks_.pop_front();
  sent_ = 0;
}

}  // namespace cli
