#include "proxy/frontend/slow_telemetry.h"

#include <algorithm>

namespace proxy {

using base::Instant;
using base::telemetry::SlowCells;

void SlowTelemetry::set_policy(base::Duration threshold, uint32_t per_second, bool with_text) {
  const bool was_on = threshold_ns_ != std::numeric_limits<int64_t>::max();
  const bool ends = was_on && threshold == base::Duration(0);
  threshold_ns_ =
      threshold == base::Duration(0) ? std::numeric_limits<int64_t>::max() : threshold.count();
  per_second_ = per_second;
  tokens_ = std::min<double>(tokens_, per_second);
  if ((with_text_ && !with_text) || ends) {
    for (SlowCells& cells : cells_.slow) {
      if (cells.number.get() != 0) cells.key.forget_text();
    }
  }
  with_text_ = with_text;
}

bool SlowTelemetry::admit(Instant now) {
  cells_.slow_seen.add();
  tokens_ = std::min(per_second_, tokens_ + per_second_ * base::to_seconds(now - refilled_));
  refilled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

uint64_t SlowTelemetry::add(const SlowRequest& request) {
  const uint64_t number = cells_.slow_written.get() + 1;
  const auto ns = [](base::Duration d) { return uint64_t(std::max<int64_t>(0, d.count())); };
  SlowCells& cells = cells_of(number);
  cells.number.set(number);
  cells.at_ns.set(static_cast<uint64_t>(request.done.ns));
  cells.operation.set(static_cast<uint64_t>(request.operation));
  cells.backend.set(request.backend);
  cells.failure.set(request.failure ? 1 + static_cast<uint64_t>(*request.failure) : 0);
  cells.queued_ns.set(ns(request.sent - request.read));
  cells.backend_ns.set(ns(request.done - request.sent));
  cells.written_ns.set(base::telemetry::kUnknownTime);
  cells.client[0].set(request.client[0]);
  cells.client[1].set(request.client[1]);
  cells.key.set(base::telemetry::key_hash(request.cache, request.key), request.cache, request.key,
                with_text_);
  cells_.slow_written.set(number);
  return number;
}

void SlowTelemetry::await_writing(const Unwritten& sample) {
  if (unwritten_.size() < kMostUnwritten) unwritten_.push_back(sample);
}

void SlowTelemetry::note_written(const Unwritten& sample, Instant now) {
  SlowCells& cells = cells_of(sample.number);
  if (cells.number.get() != sample.number) return;  // the ring has come round
  cells.written_ns.set(static_cast<uint64_t>(std::max<int64_t>(0, (now - sample.done).count())));
}

}  // namespace proxy
