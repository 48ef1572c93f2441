#include "base/core/slots.h"

#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "base/core/hash.h"
#include "base/core/text.h"

namespace base {
namespace {

namespace json = boost::json;

// Weighted rendezvous score: -weight / ln(u), u uniform in (0,1) from (backend, slot); the highest
// wins, so a backend gets its weight's share and a change moves only what it must.
// Source: Schindelhauer & Schomaker, "Weighted distributed hash tables" (SPAA 2005).
double rendezvous_score(uint64_t backend_hash, Slot slot, uint32_t weight) {
  const uint64_t mixed = mix64(backend_hash, slot);
  const double uniform = (static_cast<double>(mixed >> 11) + 0.5) * 0x1.0p-53;
  return -static_cast<double>(weight) / std::log(uniform);
}

template <class Integer>
std::string pack(const std::vector<Integer>& values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(Integer));
  for (const Integer value : values) {
    for (size_t i = 0; i < sizeof(Integer); ++i) {
      bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
    }
  }
  return base64_encode(bytes);
}

template <class Integer>
bool unpack(std::string_view text, std::vector<Integer>& values) {
  const auto bytes = base64_decode(text);
  if (!bytes || bytes->size() != kSlotCount * sizeof(Integer)) return false;
  values.resize(kSlotCount);
  for (size_t i = 0; i < kSlotCount; ++i) {
    Integer value = 0;
    for (size_t j = 0; j < sizeof(Integer); ++j) {
      const auto byte = static_cast<unsigned char>((*bytes)[i * sizeof(Integer) + j]);
      value = static_cast<Integer>(value | static_cast<Integer>(Integer{byte} << (8 * j)));
    }
    values[i] = value;
  }
  return true;
}

Error bad_table(std::string why) {
  return Error(ErrorCode::kInvalid, "epoch table: " + std::move(why));
}

}  // namespace

Slot slot_of(CacheId cache, std::string_view client_key) {
  return static_cast<Slot>(hash64(client_key, cache) & (kSlotCount - 1));
}

EpochTable next_table(const EpochTable& previous, Epoch epoch, std::vector<TableBackend> backends) {
  CHECK(epoch > previous.epoch);
  CHECK(backends.size() < EpochTable::kNoOwner);
  EpochTable table;
  table.epoch = epoch;
  table.backends = std::move(backends);
  table.owner.assign(kSlotCount, EpochTable::kNoOwner);
  table.since.assign(kSlotCount, epoch);
  std::vector<uint64_t> hashes;
  for (const TableBackend& backend : table.backends) hashes.push_back(hash64(backend.id, 0));
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    double best = -1;
    for (size_t i = 0; i < table.backends.size(); ++i) {
      if (table.backends[i].weight == 0) continue;
      const double score =
          rendezvous_score(hashes[i], static_cast<Slot>(slot), table.backends[i].weight);
      if (score > best) {
        best = score;
        table.owner[slot] = static_cast<uint16_t>(i);
      }
    }
    if (previous.epoch == 0) continue;
    const uint16_t before = previous.owner[slot];
    const uint16_t after = table.owner[slot];
    const bool stays = before == EpochTable::kNoOwner || after == EpochTable::kNoOwner
                           ? before == after
                           : previous.backends[before].id == table.backends[after].id;
    if (stays) table.since[slot] = previous.since[slot];
  }
  return table;
}

bool slot_moves(const EpochTable& from, const EpochTable& to, Slot slot) {
  if (from.epoch == 0 || from.since[slot] != to.since[slot]) return true;
  const uint16_t before = from.owner[slot];
  const uint16_t after = to.owner[slot];
  if (before == EpochTable::kNoOwner || after == EpochTable::kNoOwner) return before != after;
  return from.backends[before].id != to.backends[after].id;
}

std::string to_json(const EpochTable& table) {
  json::array backends;
  for (const TableBackend& backend : table.backends) {
    backends.push_back(json::object{{"id", backend.id}, {"weight", backend.weight}});
  }
  return json::serialize(json::object{{"epoch", table.epoch},
                                      {"backends", std::move(backends)},
                                      {"owner", pack(table.owner)},
                                      {"since", pack(table.since)}});
}

Result<EpochTable> parse_table(std::string_view text) {
  json::error_code failed;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !parsed.is_object()) return bad_table("not a JSON object");
  const json::object& object = parsed.get_object();
  const auto number = [](const json::value* value, uint64_t max) -> std::optional<uint32_t> {
    if (value == nullptr || !value->is_number()) return std::nullopt;
    json::error_code wrong;
    const auto n = value->to_number<uint64_t>(wrong);
    if (wrong || n > max) return std::nullopt;
    return static_cast<uint32_t>(n);
  };
  const auto string = [](const json::value* value) -> std::optional<std::string_view> {
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string_view(value->get_string().data(), value->get_string().size());
  };

  EpochTable table;
  const auto epoch = number(object.if_contains("epoch"), std::numeric_limits<Epoch>::max());
  if (!epoch) return bad_table("epoch: expected a number from 0 to 4294967295");
  table.epoch = *epoch;
  const json::value* backends = object.if_contains("backends");
  if (backends == nullptr || !backends->is_array()) return bad_table("backends: expected a list");
  for (const json::value& item : backends->get_array()) {
    const json::object* backend = item.if_object();
    if (backend == nullptr) return bad_table("backends: expected objects");
    const auto id = string(backend->if_contains("id"));
    const auto weight = number(backend->if_contains("weight"), 1'000'000);
    if (!id || id->empty() || !weight) return bad_table("backends: expected id and weight");
    table.backends.push_back({std::string(*id), *weight});
  }
  const auto owner = string(object.if_contains("owner"));
  const auto since = string(object.if_contains("since"));
  if (!owner || !unpack(*owner, table.owner)) return bad_table("owner: expected 16384 base64 u16");
  if (!since || !unpack(*since, table.since)) return bad_table("since: expected 16384 base64 u32");
  for (const uint16_t o : table.owner) {
    if (o != EpochTable::kNoOwner && o >= table.backends.size()) {
      return bad_table("owner: names a backend that is not listed");
    }
  }
  for (const Epoch s : table.since) {
    if (s > table.epoch) return bad_table("since: later than the epoch");
  }
  return table;
}

}  // namespace base
