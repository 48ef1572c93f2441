#include "agent/coord/fence_records.h"

#include <algorithm>

#include "base/core/check.h"

namespace agent::coord {

FenceRecords::FenceRecords(const Region& region, const TableJournal& journal,
                           const Tenants& tenants, BackendControl& backends, base::Clock& clock)
    : region_(region), journal_(journal), tenants_(tenants), backends_(backends), clock_(clock) {}

FenceRecord FenceRecords::wanted(std::string_view cluster) const {
  return FenceRecord{journal_.at(cluster).fence_epoch(), tenants_.version(cluster).flush_sequence};
}

boost::asio::awaitable<base::Result<>> FenceRecords::raise(std::string backend) {
  const ClusterSpec* cluster = region_.cluster_of(backend);
  CHECK(cluster != nullptr);
  const FenceRecord record = wanted(cluster->name);
  const uint64_t life = held_[backend].life;
  Tried& tried = tried_[cluster->name];
  ++tried.in_flight;
  auto raised = co_await backends_.raise_fence(backend, record, kFenceWriteTimeout);
  --tried.in_flight;
  const bool certainly_not = !raised.ok() && raised.code() == base::ErrorCode::kUnavailable;
  if (!certainly_not) tried.highest = std::max(tried.highest, record.epoch);
  if (!raised.ok()) co_return raised.error();
  Held& held = held_[backend];
  if (held.life != life) {
    co_return base::Error(base::ErrorCode::kUnknown,
                          backend + " was restarted or flushed while its fence record was written",
                          base::Origin::kBackend);
  }
  if (!held.known || !held.record.covers(record)) {
    held.known = true;
    held.record = record;
    held.since = clock_.now();
  }
  co_return base::Done{};
}

std::optional<base::Instant> FenceRecords::held_since(std::string_view backend,
                                                      const FenceRecord& record) const {
  const auto at = held_.find(backend);
  if (at == held_.end() || !at->second.known || !at->second.record.covers(record)) {
    return std::nullopt;
  }
  return at->second.since;
}

bool FenceRecords::may_exist(std::string_view cluster, base::Epoch epoch) const {
  const auto at = tried_.find(cluster);
  if (at == tried_.end()) return false;
  return at->second.in_flight > 0 || at->second.highest >= epoch;
}

void FenceRecords::forget(std::string_view backend) {
  Held& held = held_[std::string(backend)];
  const uint64_t life = held.life;
  held = Held();
  held.life = life + 1;
}

}  // namespace agent::coord
