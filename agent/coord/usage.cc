#include "agent/coord/usage.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace agent::coord {
namespace {

base::Error strange(const char* what) {
  return base::Error(base::ErrorCode::kInvalid,
                     std::string("the answer to usage: expected ") + what, base::Origin::kBackend);
}

bool read(const boost::json::object& object, std::string_view key, uint64_t& number) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return false;
  boost::system::error_code failed;
  number = value->to_number<uint64_t>(failed);
  return !failed;
}

}  // namespace

base::Result<ProxyUsage> parse_proxy_usage(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  ProxyUsage usage;
  if (object == nullptr || !read(*object, "generation", usage.generation) ||
      !read(*object, "connections", usage.connections) ||
      !read(*object, "evictions", usage.evictions) || !read(*object, "expired", usage.expired) ||
      !read(*object, "every", usage.every) || usage.every == 0) {
    return strange("numbers generation, connections, evictions, expired, every");
  }
  const boost::json::value* items = object->if_contains("items");
  const boost::json::array* list = items == nullptr ? nullptr : items->if_array();
  if (list == nullptr || list->size() % 2 != 0) return strange("items, pairs of numbers");
  for (size_t i = 0; i < list->size(); i += 2) {
    boost::system::error_code failed, failed_too;
    const auto hash = (*list)[i].to_number<uint64_t>(failed);
    const auto bytes = (*list)[i + 1].to_number<uint64_t>(failed_too);
    if (failed || failed_too) return strange("items, pairs of numbers");
    usage.items.emplace_back(hash, bytes);
  }
  return usage;
}

CacheUsage put_together(const std::vector<ProxyUsage>& known) {
  CacheUsage all;
  uint64_t newest = 0, every = 1;
  for (const ProxyUsage& each : known) newest = std::max(newest, each.generation);
  for (const ProxyUsage& each : known) {
    // One that has not heard of a flush knows what is no longer there.
    if (each.generation == newest) every = std::max(every, each.every);
  }
  std::unordered_map<uint64_t, uint64_t> items;
  for (const ProxyUsage& each : known) {
    all.connections += each.connections;
    all.evictions += each.evictions;
    all.expired += each.expired;
    if (each.generation != newest) continue;
    for (const auto& [hash, bytes] : each.items) {
      if (hash % every != 0) continue;
      uint64_t& seen = items[hash];
      seen = std::max(seen, bytes);
    }
  }
  uint64_t bytes = 0;
  for (const auto& [hash, size] : items) bytes += size;
  all.items = items.size() * every;
  all.bytes = bytes * every;
  all.error = items.empty() ? 1 : std::min(1.0, 2 / std::sqrt(double(items.size())));
  all.proxies = known.size();
  return all;
}

}  // namespace agent::coord
