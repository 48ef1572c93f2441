#include "proxy/admission/connection_counts.h"

#include "base/core/check.h"

namespace proxy::admission {

std::string_view to_string(Admission admission) {
  switch (admission) {
    case Admission::kAdmitted:
      return "admitted";
    case Admission::kProxyLimit:
      return "proxy_limit";
    case Admission::kClientLimit:
      return "client_limit";
  }
  return "unknown";
}

void ConnectionCounts::set_limits(uint64_t total, uint64_t per_client) {
  const std::lock_guard lock(mutex_);
  most_total_ = total;
  most_per_client_ = per_client;
}

Admission ConnectionCounts::enter(const ClientAddress& address) {
  const std::lock_guard lock(mutex_);
  if (most_total_ != 0 && total_ >= most_total_) return Admission::kProxyLimit;
  const auto found = per_client_.find(address);
  const uint64_t open = found == per_client_.end() ? 0 : found->second;
  if (most_per_client_ != 0 && open >= most_per_client_) return Admission::kClientLimit;
  if (found == per_client_.end()) {
    per_client_.emplace(address, 1);
  } else {
    ++found->second;
  }
  ++total_;
  return Admission::kAdmitted;
}

void ConnectionCounts::take_over(const ClientAddress& address) {
  const std::lock_guard lock(mutex_);
  ++per_client_[address];
  ++total_;
}

void ConnectionCounts::leave(const ClientAddress& address) {
  const std::lock_guard lock(mutex_);
  const auto found = per_client_.find(address);
  CHECK(found != per_client_.end() && total_ > 0);
  if (--found->second == 0) per_client_.erase(found);
  --total_;
}

uint64_t ConnectionCounts::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace proxy::admission
