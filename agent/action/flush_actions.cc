// cache.flush and cluster.flush.
#include "agent/action/bound_action.h"
#include "base/core/text.h"

namespace agent::action {
namespace {

using runbook::ActionCall;
using runbook::ActionResult;
using runbook::Class;
using runbook::ParamType;

// "Flush pending" is as good as done for a run: it is durable and will complete. Doing a flush twice is
// harmless, so the plain probe ("no, do it again") serves.
class FlushCache final : public BoundAction {
 public:
  explicit FlushCache(const Hands* hands)
      : BoundAction(describe("cache.flush", Class::kDisruptive,
                             Shape()
                                 .needs(ParamType::kCache)
                                 .takes("origin", ParamType::kText)
                                 .takes("reason", ParamType::kText)
                                 .takes("who", ParamType::kText)
                                 .gives({"generation", "pending"}),
                             "Makes all values of one cache unreachable, for all proxies at once."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    const auto number = base::parse_u64(argument(call, "cache"));
    const coord::Cache* cache =
        number && *number <= coord::kMaxCacheId
            ? hands().coordinator.tenants().cache(static_cast<base::CacheId>(*number))
            : nullptr;
    if (cache == nullptr) {
      co_return base::Error(base::ErrorCode::kNotFound,
                            "no cache has id " + base::printable(argument(call, "cache"), 40),
                            base::Origin::kClient);
    }
    const base::CacheId id = cache->id;
    auto admitted = co_await admit(call, cache->cluster);
    if (!admitted.ok()) co_return admitted.error();
    const std::string named = argument(call, "origin");
    auto origin = named.empty()
                      ? base::Result<coord::FlushOrigin>(coord::FlushOrigin::kAdminOperation)
                      : coord::parse_flush_origin(named);
    if (!origin.ok()) co_return origin.error();
    const std::string who = argument(call, "who");
    coord::FlushRequest request(id, *origin, who.empty() ? call.idempotency_key : who,
                                argument(call, "reason"));
    auto flushed = co_await hands().coordinator.flushes().flush(std::move(request));
    const bool pending = !flushed.ok() && flushed.code() == base::ErrorCode::kTimeout;
    if (!flushed.ok() && !pending) co_return flushed.error();
    const coord::Cache* now_is = hands().coordinator.tenants().cache(id);
    boost::json::object value;
    value["generation"] = now_is == nullptr ? 0 : now_is->generation;
    value["pending"] = pending;
    co_return value;
  }
};

class FlushCluster final : public BoundAction {
 public:
  explicit FlushCluster(const Hands* hands)
      : BoundAction(describe("cluster.flush", Class::kDisruptive,
                             Shape()
                                 .needs(ParamType::kCluster)
                                 .takes("reason", ParamType::kText)
                                 .takes("who", ParamType::kText)
                                 .gives({"caches", "pending"}),
                             "Makes all values of all caches of a cluster unreachable."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto cluster = cluster_argument(call, region());
    if (!cluster.ok()) co_return cluster.error();
    auto admitted = co_await admit(call, *cluster);
    if (!admitted.ok()) co_return admitted.error();
    const std::string who = argument(call, "who");
    coord::FlushRequest request(0, coord::FlushOrigin::kAdminOperation,
                                who.empty() ? call.idempotency_key : who, argument(call, "reason"));
    request.cluster = *cluster;
    auto flushed = co_await hands().coordinator.flushes().flush(std::move(request));
    const bool pending = !flushed.ok() && flushed.code() == base::ErrorCode::kTimeout;
    if (!flushed.ok() && !pending) co_return flushed.error();
    boost::json::object value;
    value["caches"] = hands().coordinator.tenants().caches(*cluster).size();
    value["pending"] = pending;
    co_return value;
  }
};

}  // namespace

void add_flush_actions(runbook::ActionRegistry& registry, const Hands* hands) {
  registry.add(std::make_unique<FlushCache>(hands));
  registry.add(std::make_unique<FlushCluster>(hands));
}

}  // namespace agent::action
