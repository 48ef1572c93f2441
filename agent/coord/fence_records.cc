#include "agent/coord/fence_records.h"

#include <algorithm>
#include <vector>

#include "base/core/check.h"

namespace agent::coord {

FenceRecords::FenceRecords(const Region& region, const TableJournal& journal,
                           const Tenants& tenants, BackendControl& backends, base::Clock& clock)
    : region_(region), journal_(journal), tenants_(tenants), backends_(backends), clock_(clock) {}

// One call of raise(): what it has claimed so far counts as perhaps written until it is settled.
class FenceRecords::Raising final : public FenceSource {
 public:
  Raising(FenceRecords& records, std::string cluster, Tried& tried)
      : records_(records), cluster_(std::move(cluster)), tried_(tried) {}
  Raising(const Raising&) = delete;
  Raising& operator=(const Raising&) = delete;

  FenceRecord claim() override {
    record_ = records_.wanted(cluster_);
    claims_.push_back(tried_.in_flight.insert(record_.epoch));
    return record_;
  }
  void saw(const FenceRecord& present) override { records_.note(cluster_, present); }
  void settle(bool maybe_written) {
    for (const auto claim : claims_) {
      if (maybe_written) tried_.highest = std::max(tried_.highest, *claim);
      tried_.in_flight.erase(claim);
    }
    claims_.clear();
  }
  // The last one claimed.
  const FenceRecord& record() const { return record_; }

 private:
  FenceRecords& records_;
  const std::string cluster_;
  Tried& tried_;
  FenceRecord record_;
  std::vector<std::multiset<base::Epoch>::iterator> claims_;
};

FenceRecord FenceRecords::wanted(std::string_view cluster) const {
  return FenceRecord{journal_.fence_epoch(cluster), tenants_.version(cluster).flush_sequence};
}

boost::asio::awaitable<base::Result<FenceRecord>> FenceRecords::raise(std::string backend) {
  const ClusterSpec* cluster = region_.cluster_of(backend);
  CHECK(cluster != nullptr);
  const uint64_t life = held_[backend].life;
  Raising raising(*this, cluster->name, tried_[cluster->name]);
  auto raised = co_await backends_.raise_fence(backend, raising, kFenceWriteTimeout);
  raising.settle(raised.ok() || raised.code() != base::ErrorCode::kUnavailable);
  if (!raised.ok()) co_return raised.error();
  const FenceRecord record = raising.record();
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
  co_return record;
}

void FenceRecords::note(std::string_view cluster, const FenceRecord& present) {
  seen_[std::string(cluster)].raise_to(present);
}

FenceRecord FenceRecords::seen(std::string_view cluster) const {
  const auto at = seen_.find(cluster);
  return at == seen_.end() ? FenceRecord() : at->second;
}

std::optional<base::Instant> FenceRecords::held_since(std::string_view backend,
                                                      const FenceRecord& record) const {
  const auto at = held_.find(backend);
  if (at == held_.end() || !at->second.known || !at->second.record.covers(record)) {
    return std::nullopt;
  }
  return at->second.since;
}

std::optional<ReadFence> FenceRecords::probed_after(std::string_view backend,
                                                    base::Instant moment) {
  auto read = backends_.probed_fence(backend);
  if (!read || read->asked <= moment) return std::nullopt;
  if (read->record) note(region_.cluster_of(backend)->name, *read->record);
  return read;
}

bool FenceRecords::may_exist(std::string_view cluster, base::Epoch epoch) const {
  const auto at = tried_.find(cluster);
  if (at == tried_.end()) return false;
  const Tried& tried = at->second;
  return tried.highest >= epoch || (!tried.in_flight.empty() && *tried.in_flight.rbegin() >= epoch);
}

void FenceRecords::forget(std::string_view backend) {
  Held& held = held_[std::string(backend)];
  const uint64_t life = held.life;
  held = Held();
  held.life = life + 1;
  ++losses_;
}

}  // namespace agent::coord
