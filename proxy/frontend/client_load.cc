// What a Client has in flight, and how much more its credential and the proxy have room for.
#include <algorithm>

#include "proxy/frontend/client.h"
#include "proxy/frontend/worker.h"

namespace proxy {

using base::telemetry::Failure;

// Before requests are read: requests beyond what there is room for are refused.
void Client::find_room() {
  most_outstanding_ = UINT64_MAX;
  if (!worker_.loads().is_on()) return;
  settle_load();
  const admission::Loads::Room room = worker_.loads().room(load_);
  is_short_of_bytes_ = room.is_short_of_bytes;
  most_outstanding_ = load_.requests() + std::min<uint64_t>(room.requests, kMostOutstanding * 16);
}

// A reply that is on its way counts as large as they came lately. Those refused wait for the ones
// before them, but are not in flight.
void Client::settle_load() {
  if (!session_.authenticated) return;
  const uint64_t requests = std::min<uint64_t>(replies_.outstanding(), most_outstanding_);
  const uint64_t waiting = in_.size() + (group_ == nullptr ? 0 : group_->keys.size());
  const uint64_t bytes = out_.size() + replies_.held_bytes() + waiting + requests * typical_reply_;
  worker_.loads().settle(load_, session_.user, {requests, bytes});
}

bool Client::is_congested() const {
  if (group_ != nullptr) return true;
  const size_t waiting = out_.size() + replies_.held_bytes();
  const size_t outstanding = replies_.outstanding();
  if (waiting > kSoftOutput || outstanding > window_) return true;
  // What is on its way may be as large as what came lately.
  return outstanding > 1 && outstanding * typical_reply_ > kSoftOutput;
}

// Whether one more key of a get of several may be sent. One always may when none is under way.
bool Client::may_send_key() const {
  if (out_.size() + replies_.held_bytes() > kSoftOutput) return false;
  const size_t sent = replies_.outstanding();
  if (sent >= std::max<size_t>(window_, kFirstKeys)) return false;
  return sent <= 1 || (sent + 1) * typical_reply_ <= kSoftOutput;
}

Failure Client::why_no_room() const {
  return is_short_of_bytes_ ? Failure::kMemoryShort : Failure::kRequestLimit;
}

}  // namespace proxy
