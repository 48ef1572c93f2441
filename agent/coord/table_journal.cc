#include "agent/coord/table_journal.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "base/core/check.h"

namespace agent::coord {
namespace {

std::string key_of(std::string_view cluster) {
  return "/clusters/" + std::string(cluster);
}

std::string to_document(const ClusterTables& tables) {
  boost::json::object document;
  document["phase"] = to_string(tables.phase);
  document["last_epoch"] = tables.last_epoch;
  document["committed"] = tables.committed_json;
  document["prepared"] = tables.prepared_json;
  return boost::json::serialize(document);
}

base::Error damaged(const std::string& key, std::string_view what) {
  return base::Error(base::ErrorCode::kInvalid, "the store's " + key + " is damaged (" +
                                                    std::string(what) +
                                                    "); restore agent.db from a copy");
}

std::string member(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

base::Result<ClusterTables> from_document(const std::string& key, const std::string& text) {
  boost::system::error_code failed;
  const boost::json::value value = boost::json::parse(text, failed);
  const boost::json::object* object = value.if_object();
  if (failed || object == nullptr) return damaged(key, "not a JSON object");
  ClusterTables tables;
  const std::string phase = member(*object, "phase");
  if (phase == to_string(ChangePhase::kPreparing)) tables.phase = ChangePhase::kPreparing;
  if (phase == to_string(ChangePhase::kFencing)) tables.phase = ChangePhase::kFencing;
  if (const auto* last = object->if_contains("last_epoch"); last && last->is_number()) {
    tables.last_epoch = last->to_number<base::Epoch>(failed);
  }
  tables.committed_json = member(*object, "committed");
  tables.prepared_json = member(*object, "prepared");
  if (!tables.committed_json.empty()) {
    auto committed = base::parse_table(tables.committed_json);
    if (!committed.ok()) return damaged(key, committed.error().context);
    tables.committed = std::move(*committed);
  }
  if (tables.phase != ChangePhase::kStable) {
    auto prepared = base::parse_table(tables.prepared_json);
    if (!prepared.ok()) return damaged(key, prepared.error().context);
    tables.prepared = std::move(*prepared);
  }
  return tables;
}

}  // namespace

std::string_view to_string(ChangePhase phase) {
  switch (phase) {
    case ChangePhase::kStable:
      return "stable";
    case ChangePhase::kPreparing:
      return "preparing";
    case ChangePhase::kFencing:
      return "fencing";
  }
  CHECK(false);
  return {};
}

uint32_t weight_in(const base::EpochTable& table, std::string_view backend) {
  for (const base::TableBackend& entry : table.backends) {
    if (entry.id == backend) return entry.weight;
  }
  return 0;
}

uint32_t ClusterTables::weight_of(std::string_view backend) const {
  return weight_in(committed, backend);
}

std::map<std::string_view, uint32_t> ClusterTables::slots() const {
  std::vector<uint32_t> counted(committed.backends.size(), 0);
  for (const uint16_t owner : committed.owner) {
    if (owner < counted.size()) ++counted[owner];
  }
  std::map<std::string_view, uint32_t> slots;
  for (size_t i = 0; i < counted.size(); ++i) slots[committed.backends[i].id] = counted[i];
  return slots;
}

TableJournal::TableJournal(const Region& region, store::Store& store)
    : region_(region), store_(store) {
  for (const ClusterSpec& cluster : region.spec().clusters) clusters_[cluster.name];
}

boost::asio::awaitable<base::Result<>> TableJournal::load() {
  for (auto& [name, slot] : clusters_) {
    auto entry = co_await store_.get(key_of(name));
    if (!entry.ok()) co_return entry.error();
    if (!entry->has_value()) continue;
    auto tables = from_document((*entry)->key, (*entry)->value);
    if (!tables.ok()) co_return tables.error();
    slot.tables = std::move(*tables);
    slot.revision = (*entry)->modified;
  }
  ++changes_;
  co_return base::Done{};
}

const ClusterTables& TableJournal::at(std::string_view cluster) const {
  const auto at = clusters_.find(cluster);
  CHECK(at != clusters_.end());
  return at->second.tables;
}

base::Epoch TableJournal::last_epoch(std::string_view cluster) const {
  const ClusterTables& tables = at(cluster);
  return std::max(tables.last_epoch, tables.committed.epoch);
}

base::Epoch TableJournal::fence_epoch(std::string_view cluster) const {
  const auto at = clusters_.find(cluster);
  CHECK(at != clusters_.end());
  const ClusterTables& tables = at->second.tables;
  const bool forward = tables.phase == ChangePhase::kFencing && !at->second.retreating;
  return forward ? tables.prepared->epoch : tables.committed.epoch;
}

boost::asio::awaitable<base::Result<>> TableJournal::settle(std::string cluster) {
  Slot& slot = clusters_.find(cluster)->second;
  if (!slot.unsure) co_return base::Done{};
  auto entry = co_await store_.get(key_of(cluster));
  if (!entry.ok()) co_return entry.error();
  if (!slot.unsure) co_return base::Done{};  // somebody else has
  if (entry->has_value() && (*entry)->value == to_document(*slot.unsure)) {
    slot.unsure->last_epoch = std::max(slot.unsure->last_epoch, slot.tables.last_epoch);
    slot.tables = std::move(*slot.unsure);
    slot.revision = (*entry)->modified;
    ++changes_;
  }
  slot.unsure.reset();
  slot.retreating = false;
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> TableJournal::save(std::string cluster, ClusterTables next) {
  Slot& slot = clusters_.find(cluster)->second;
  CHECK(!slot.unsure);
  const std::string document = to_document(next);
  const store::Revision before = slot.revision;
  store::Transaction transaction;
  transaction.expect(key_of(cluster), slot.revision).put(key_of(cluster), document);
  auto saved = co_await store_.commit(std::move(transaction));
  if (!saved.ok() && saved.code() == base::ErrorCode::kUnknown) {
    slot.unsure = std::move(next);
    auto settled = co_await settle(cluster);
    if (settled.ok() && slot.revision != before) co_return base::Done{};
    co_return saved.error();
  }
  if (!saved.ok()) co_return saved.error();
  next.last_epoch = std::max(next.last_epoch, slot.tables.last_epoch);  // raised meanwhile
  slot.tables = std::move(next);
  slot.revision = *saved;
  ++changes_;
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> TableJournal::begin(std::string cluster,
                                                           base::EpochTable table) {
  ClusterTables next = at(cluster);
  CHECK(next.phase == ChangePhase::kStable);
  CHECK(table.epoch > next.committed.epoch);
  next.last_epoch = std::max(next.last_epoch, table.epoch);
  next.prepared_json = base::to_json(table);
  next.prepared = std::move(table);
  next.phase = ChangePhase::kPreparing;
  co_return co_await save(std::move(cluster), std::move(next));
}

boost::asio::awaitable<base::Result<>> TableJournal::fencing(std::string cluster) {
  ClusterTables next = at(cluster);
  CHECK(next.phase != ChangePhase::kStable);
  next.phase = ChangePhase::kFencing;
  co_return co_await save(std::move(cluster), std::move(next));
}

boost::asio::awaitable<base::Result<>> TableJournal::commit(std::string cluster) {
  ClusterTables next = at(cluster);
  CHECK(next.phase != ChangePhase::kStable);
  next.committed = std::move(*next.prepared);
  next.committed_json = std::move(next.prepared_json);
  next.prepared.reset();
  next.prepared_json.clear();
  next.phase = ChangePhase::kStable;
  co_return co_await save(std::move(cluster), std::move(next));
}

boost::asio::awaitable<base::Result<>> TableJournal::rollback(std::string cluster) {
  ClusterTables next = at(cluster);
  CHECK(next.phase != ChangePhase::kStable);
  next.prepared.reset();
  next.prepared_json.clear();
  next.phase = ChangePhase::kStable;
  Slot& slot = clusters_.find(cluster)->second;
  slot.retreating = true;
  auto saved = co_await save(std::move(cluster), std::move(next));
  if (!slot.unsure) slot.retreating = false;
  co_return saved;
}

void TableJournal::raise_floor(std::string_view cluster, base::Epoch epoch) {
  const auto at = clusters_.find(cluster);
  CHECK(at != clusters_.end());
  base::Epoch& last = at->second.tables.last_epoch;
  last = std::max(last, epoch);
}

}  // namespace agent::coord
