#include <algorithm>

#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"
#include "base/telemetry/log.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

constexpr base::Duration kUsageTimeout = std::chrono::milliseconds(300);

json::object to_json(const coord::Cache& cache) {
  return json::object{{"id", cache.id},
                      {"label", cache.label},
                      {"plan", cache.plan},
                      {"cluster", cache.cluster},
                      {"generation", cache.generation},
                      {"enabled", cache.enabled},
                      {"limit_bytes", cache.limit_bytes},
                      {"connection_limit", cache.connection_limit},
                      {"created_at", cache.created_at}};
}

json::object to_json(const coord::Credential& credential) {
  return json::object{{"username", credential.user},
                      {"cache", credential.cache},
                      {"write", credential.write},
                      {"flush", credential.flush},
                      {"api", credential.api},
                      {"primary", credential.primary},
                      {"created_at", credential.created_at}};
}

json::object to_json(const coord::CacheUsage& usage) {
  return json::object{{"items", usage.items},       {"bytes", usage.bytes},
                      {"items_error", usage.error}, {"evictions", usage.evictions},
                      {"expired", usage.expired},   {"connections", usage.connections},
                      {"proxies", usage.proxies}};
}

// The only place where a new password leaves the agent: to the operator who asked for it.
json::object to_json(const coord::Issued& issued) {
  json::object shown = to_json(issued.credential);
  shown["password"] = issued.password.reveal();
  return shown;
}

// What is not named keeps its present value; a new credential may do everything.
base::Result<coord::Capabilities> capabilities_of(const json::object& args,
                                                  coord::Capabilities present) {
  auto write = boolean_argument(args, "write", present.write);
  if (!write) return write.error();
  auto flush = boolean_argument(args, "flush", present.flush);
  if (!flush) return flush.error();
  auto api = boolean_argument(args, "api", present.api);
  if (!api) return api.error();
  return coord::Capabilities{*write, *flush, *api};
}

// Proxies are told of it: what they would refuse must not get into the store.
base::Result<> check_name(std::string_view key, const std::string& text) {
  constexpr size_t kLongest = 200;
  const bool plain =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (!text.empty() && text.size() <= kLongest && plain) return base::Done{};
  return base::Error(base::ErrorCode::kInvalid,
                     std::string(key) + ": expected 1 to " + std::to_string(kLongest) +
                         " bytes without control characters, got " + std::to_string(text.size()) +
                         " bytes",
                     base::Origin::kClient);
}

}  // namespace

Operator::Answer Operator::list_caches(json::object args) {
  const std::string cluster = text_argument(args, "cluster").value_or("");
  json::array listed;
  for (const coord::Cache* cache : parts_.coordinator.tenants().caches(cluster)) {
    if (!cache->internal) listed.push_back(to_json(*cache));
  }
  json::value answer = json::object{{"caches", std::move(listed)}};
  co_return answer;
}

// The canary's caches are mcguard's own: nobody sees or changes them.
base::Result<base::CacheId> Operator::customer_cache(const json::object& args,
                                                     std::string_view name) const {
  auto id = required_number(args, name, coord::kMaxCacheId);
  if (!id) return id.error();
  const auto number = static_cast<base::CacheId>(*id);
  const coord::Cache* cache = parts_.coordinator.tenants().cache(number);
  if (cache != nullptr && !cache->internal) return number;
  return base::Error(base::ErrorCode::kNotFound,
                     "no cache " + std::to_string(*id) + "; see `mcguard cache list`");
}

Operator::Answer Operator::show_cache(json::object args) {
  auto id = customer_cache(args, "id");
  if (!id) co_return id.error();
  const coord::Tenants& tenants = parts_.coordinator.tenants();
  const coord::Cache* cache = tenants.cache(*id);
  json::object shown = to_json(*cache);
  json::array credentials;
  for (const coord::Credential* credential : tenants.credentials(cache->id)) {
    credentials.push_back(to_json(*credential));
  }
  shown["credentials"] = std::move(credentials);
  const coord::CacheUsage usage = co_await usage_of(*cache);
  shown["usage"] = to_json(usage);
  json::value answer = std::move(shown);
  co_return answer;
}

// Those that do not answer know something too, but the figures say how many did.
boost::asio::awaitable<coord::CacheUsage> Operator::usage_of(coord::Cache cache) {
  std::vector<coord::ProxyUsage> known;
  const coord::ClusterSpec* const cluster = parts_.coordinator.region().cluster(cache.cluster);
  if (cluster == nullptr) co_return coord::CacheUsage();
  for (const coord::ProxySpec& proxy : cluster->proxies) {
    coord::ProxyCall call(proxy.id, "usage", 0, json::object{{"cache", cache.id}}, kUsageTimeout);
    const auto answer = co_await parts_.proxies.call(std::move(call));
    if (!answer) continue;
    if (auto read = coord::parse_proxy_usage(*answer)) known.push_back(std::move(*read));
  }
  co_return coord::put_together(known);
}

Operator::Answer Operator::create_cache(json::object args) {
  auto label = required_text(args, "label");
  if (!label) co_return label.error();
  if (auto fits = check_name("label", *label); !fits) co_return fits.error();
  auto cluster = required_text(args, "cluster");
  if (!cluster) co_return cluster.error();
  coord::NewCache wanted(*label, *cluster);
  if (auto plan = text_argument(args, "plan")) wanted.plan = *std::move(plan);
  if (auto fits = check_name("plan", wanted.plan); !fits) co_return fits.error();
  auto limit = number_argument(args, "limit_bytes", 0, uint64_t{1} << 50);
  if (!limit) co_return limit.error();
  auto connections = number_argument(args, "connection_limit", 0, 1'000'000);
  if (!connections) co_return connections.error();
  wanted.limit_bytes = *limit;
  wanted.connection_limit = static_cast<uint32_t>(*connections);
  auto created = co_await parts_.coordinator.tenants().create_cache(std::move(wanted));
  if (!created) co_return created.error();
  json::object shown = to_json(created->cache);
  shown["credential"] = to_json(created->issued);
  json::value answer = std::move(shown);
  co_return answer;
}

Operator::Answer Operator::delete_cache(json::object args) {
  auto id = customer_cache(args, "id");
  if (!id) co_return id.error();
  auto done = co_await parts_.coordinator.tenants().delete_cache(*id);
  if (!done) co_return done.error();
  json::value answer = json::object{{"deleted", *id}};
  co_return answer;
}

// A flush is a run of the runbook `flush`, as an automatic one would be.
Operator::Answer Operator::flush_cache(json::object args) {
  auto id = customer_cache(args, "id");
  if (!id) co_return id.error();
  json::object run{
      {"name", "flush"},
      {"who", text_argument(args, "who").value_or("cli")},
      {"params", json::object{{"target", "cache/" + std::to_string(*id)},
                              {"reason", text_argument(args, "reason").value_or("by hand")}}}};
  co_return co_await run_runbook(std::move(run));
}

Operator::Answer Operator::list_credentials(json::object args) {
  auto cache = number_argument(args, "cache", 0, coord::kMaxCacheId);
  if (!cache) co_return cache.error();
  const coord::Tenants& tenants = parts_.coordinator.tenants();
  json::array listed;
  for (const coord::Credential* credential :
       tenants.credentials(static_cast<base::CacheId>(*cache))) {
    const coord::Cache* owner = tenants.cache(credential->cache);
    if (owner != nullptr && !owner->internal) listed.push_back(to_json(*credential));
  }
  json::value answer = json::object{{"credentials", std::move(listed)}};
  co_return answer;
}

// Returns when every proxy of the cluster that answers has what was changed: "deleted" means that nobody
// gets in with it any more. Who does not answer within a second is told by the reconciler.
boost::asio::awaitable<void> Operator::tell_proxies(std::string cluster) {
  constexpr base::Duration kPatience = std::chrono::seconds(1);
  const coord::ClusterSpec* spec = parts_.coordinator.region().cluster(cluster);
  if (spec == nullptr) co_return;
  const base::Instant deadline = parts_.timers.clock().now() + kPatience;
  for (const coord::ProxySpec& proxy : spec->proxies) {
    if (parts_.coordinator.region().process(proxy.id)->pid == 0) continue;
    auto told = co_await parts_.coordinator.reconciler().wait_in_step(proxy.id, deadline);
    if (!told) base::log::info("proxy_not_told", {{"proxy", proxy.id}});
  }
}

Operator::Answer Operator::create_credential(json::object args) {
  auto cache = customer_cache(args, "cache");
  if (!cache) co_return cache.error();
  auto wanted = capabilities_of(args, coord::Capabilities{true, true, true});
  if (!wanted) co_return wanted.error();
  coord::Tenants& tenants = parts_.coordinator.tenants();
  auto issued = co_await tenants.create_credential(*cache, *wanted);
  if (!issued) co_return issued.error();
  co_await tell_proxies(tenants.cache(*cache)->cluster);
  json::value answer = to_json(*issued);
  co_return answer;
}

Operator::Answer Operator::update_credential(json::object args) {
  auto user = required_text(args, "user");
  if (!user) co_return user.error();
  coord::Tenants& tenants = parts_.coordinator.tenants();
  const coord::Credential* present = tenants.credential(*user);
  if (present == nullptr || tenants.cache(present->cache)->internal) {
    co_return base::Error(base::ErrorCode::kNotFound,
                          "no credential '" + *user + "'; see `mcguard credential list`");
  }
  const coord::Capabilities had{present->write, present->flush, present->api};
  auto wanted = capabilities_of(args, had);
  if (!wanted) co_return wanted.error();
  const std::string cluster = tenants.cache(present->cache)->cluster;
  auto done = co_await tenants.update_credential(*user, *wanted);
  if (!done) co_return done.error();
  co_await tell_proxies(cluster);
  present = tenants.credential(*user);
  if (present == nullptr) {
    co_return base::Error(base::ErrorCode::kConflict, "the credential was deleted meanwhile");
  }
  json::value answer = to_json(*present);
  co_return answer;
}

Operator::Answer Operator::delete_credential(json::object args) {
  auto user = required_text(args, "user");
  if (!user) co_return user.error();
  coord::Tenants& tenants = parts_.coordinator.tenants();
  const coord::Credential* present = tenants.credential(*user);
  const coord::Cache* cache = present == nullptr ? nullptr : tenants.cache(present->cache);
  const std::string cluster = cache == nullptr ? std::string() : cache->cluster;
  auto done = co_await tenants.delete_credential(*user);
  if (!done) co_return done.error();
  co_await tell_proxies(cluster);
  json::value answer = json::object{{"deleted", *user}};
  co_return answer;
}

}  // namespace agent::admin
