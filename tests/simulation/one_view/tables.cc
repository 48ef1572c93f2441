#include "tests/simulation/one_view/tables.h"

#include "agent/coord/epoch_change.h"
#include "base/memcache/stored_key.h"

namespace one_view {

TablePtr Tables::next(const TablePtr& previous, base::Epoch epoch,
                      const std::vector<uint32_t>& weights, bool reuse_since) {
  TablePtr& kept = tables_[TableKey(previous.get(), epoch, weights, reuse_since)];
  if (kept != nullptr) return kept;
  std::vector<base::TableBackend> backends;
  for (size_t i = 0; i < weights.size(); ++i) backends.push_back({backend_id(i), weights[i]});
  const base::EpochTable nothing;
  auto table = base::next_table(previous ? *previous : nothing, epoch, std::move(backends));
  if (reuse_since && previous) table.since = previous->since;
  kept = std::make_shared<const base::EpochTable>(std::move(table));
  return kept;
}

ViewPtr Tables::view(const TablePtr& committed, const TablePtr& prepared, base::Epoch known) {
  ViewPtr& kept = views_[{{committed.get(), prepared.get()}, known}];
  if (kept != nullptr) return kept;
  std::vector<proxy::ring::BackendRef> backends;
  for (const base::TableBackend& entry : committed->backends) {
    proxy::ring::BackendRef backend;
    backend.id = entry.id;
    backend.index = static_cast<uint16_t>(backends.size());
    backend.hash = base::memcache::owner_hash(entry.id);
    backends.push_back(std::move(backend));
  }
  kept = proxy::ring::compile_view(committed.get(), prepared.get(), known, std::move(backends));
  return kept;
}

const std::set<std::string>& Tables::old_owners(const TablePtr& from, const TablePtr& to) {
  const auto found = owners_.find({from.get(), to.get()});
  if (found != owners_.end()) return found->second;
  return owners_[{from.get(), to.get()}] = agent::coord::old_owners_of_moving(*from, *to);
}

void Tables::trim() {
  if (views_.size() + tables_.size() < 600) return;
  views_.clear();
  owners_.clear();
  tables_.clear();
}

}  // namespace one_view
