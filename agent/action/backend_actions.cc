// epoch.eject, epoch.admit, backend.await, backend.replace and backend.flush.
#include <algorithm>

#include "agent/action/bound_action.h"

namespace agent::action {
namespace {

using runbook::ActionCall;
using runbook::ActionResult;
using runbook::Class;
using runbook::Happened;
using runbook::ParamType;

constexpr base::Duration kProbeTimeout = std::chrono::milliseconds(200);
constexpr base::Duration kProbeEvery = std::chrono::milliseconds(100);
constexpr base::Duration kKillTimeout = std::chrono::seconds(5);
constexpr base::Duration kFlushTimeout = std::chrono::seconds(2);
constexpr int kProbesToTrust = 3;  // in a row, before a backend counts as recovered

boost::json::object epoch_value(base::Epoch epoch) {
  boost::json::object value;
  value["epoch"] = epoch;
  return value;
}

Shape change_shape() {
  return Shape().takes("cluster", ParamType::kCluster).needs(ParamType::kBackend).gives({"epoch"});
}

// Eject and admit: the backend's weight becomes 0, or what the definition says.
class ChangeEpoch final : public BoundAction {
 public:
  ChangeEpoch(bool admit, const Hands* hands)
      : BoundAction(
            admit ? describe("epoch.admit", Class::kReversible, change_shape(),
                             "Flushes a backend and gives it slots again, for all proxies at once.",
                             true)
                  : describe("epoch.eject", Class::kDisruptive, change_shape(),
                             "Takes all slots from a backend, for all proxies at once; ends its "
                             "process if it and a proxy are silent.",
                             true),
            hands),
        admit_(admit) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok()) co_return backend.error();
    const std::string cluster = region().cluster_of(*backend)->name;
    auto admitted = co_await admit(call, cluster);
    if (!admitted.ok()) co_return admitted.error();
    std::map<std::string, uint32_t> weights;
    weights[*backend] = admit_ ? std::max(region().backend(*backend)->weight, 1u) : 0;
    // Ejecting moves only slots of this backend: what it holds is given up anyway.
    coord::TableRequest request(cluster, std::move(weights), !admit_, call.deadline);
    auto epoch = co_await hands().coordinator.tables().change(std::move(request));
    if (!epoch.ok()) co_return epoch.error();
    co_return epoch_value(*epoch);
  }

  boost::asio::awaitable<runbook::ProbeAnswer> probe(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok()) co_return happened(Happened::kNo);
    const coord::ClusterTables& tables =
        hands().coordinator.tables().at(region().cluster_of(*backend)->name);
    // A change under way is committed or rolled back by itself, soon as a rule. A "no" before would
    // let the run end and give its lock away, and nobody would go on from the commit.
    while (is_prepared(tables, *backend) && now() < call.deadline) {
      co_await hands().timers.wait_for(kProbeEvery);
    }
    if (is_committed(tables, *backend)) {
      co_return happened(Happened::kYes, epoch_value(tables.committed.epoch));
    }
    if (is_prepared(tables, *backend)) co_return happened(Happened::kUnknown);
    // Changing a weight twice to the same value is one change, so that "no" is safe.
    co_return happened(Happened::kNo);
  }

 private:
  bool is_committed(const coord::ClusterTables& tables, std::string_view backend) const {
    return (tables.weight_of(backend) != 0) == admit_;
  }
  // Whether the change under way brings about what is wanted and the committed table lacks.
  bool is_prepared(const coord::ClusterTables& tables, std::string_view backend) const {
    if (!tables.prepared || is_committed(tables, backend)) return false;
    return (coord::weight_in(*tables.prepared, backend) != 0) == admit_;
  }

  const bool admit_;
};

class AwaitBackend final : public BoundAction {
 public:
  explicit AwaitBackend(const Hands* hands)
      : BoundAction(describe("backend.await", Class::kObserve,
                             Shape()
                                 .needs(ParamType::kBackend)
                                 .needs("for", ParamType::kDuration)
                                 .gives({"state"}),
                             "Waits a while for a backend to answer again."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok()) co_return backend.error();
    auto time = duration_argument(call, "for");
    if (!time.ok()) co_return time.error();
    const base::Instant until = std::min(now() + *time, call.deadline - 2 * kProbeTimeout);
    boost::json::object value;
    value["state"] = "stuck";
    int good = 0;
    while (true) {
      if (!hands().provider.running(*backend)) {
        value["state"] = "dead";
        break;
      }
      auto probed = co_await hands().backends.probe(*backend, kProbeTimeout);
      good = probed.ok() ? good + 1 : 0;
      if (good >= kProbesToTrust) {
        value["state"] = "recovered";
        break;
      }
      if (now() >= until) break;
      co_await hands().timers.wait_for(kProbeEvery);
    }
    co_return value;
  }
};

class ReplaceBackend final : public BoundAction {
 public:
  explicit ReplaceBackend(const Hands* hands)
      : BoundAction(describe("backend.replace", Class::kDisruptive,
                             Shape().needs(ParamType::kBackend).gives({"pid"}),
                             "Ends a backend's process and starts an empty one at its address."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok()) co_return backend.error();
    auto admitted = co_await admit(call, region().cluster_of(*backend)->name);
    if (!admitted.ok()) co_return admitted.error();
    if (hands().provider.running_token(*backend) != call.idempotency_key) {
      auto killed = co_await hands().provider.kill(*backend, kKillTimeout);
      if (!killed.ok()) co_return killed.error();
      auto started = co_await hands().provider.start(*backend, call.idempotency_key);
      if (!started.ok()) co_return started.error();
    }
    while (true) {
      auto probed = co_await hands().backends.probe(*backend, kProbeTimeout);
      if (probed.ok()) break;
      if (!hands().provider.running(*backend)) {
        co_return base::Error(base::ErrorCode::kUnavailable,
                              "the new process of " + *backend + " has ended (" +
                                  region().process(*backend)->last_exit +
                                  "); its log says why: " + region().spec().log_path(*backend),
                              base::Origin::kBackend, base::Retry::kSafe);
      }
      if (now() >= call.deadline) co_return probed.error();
      co_await hands().timers.wait_for(kProbeEvery);
    }
    boost::json::object value;
    value["pid"] = region().process(*backend)->pid;
    co_return value;
  }

  boost::asio::awaitable<runbook::ProbeAnswer> probe(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok() || hands().provider.running_token(*backend) != call.idempotency_key) {
      co_return happened(Happened::kNo);
    }
    boost::json::object value;
    value["pid"] = region().process(*backend)->pid;
    co_return happened(Happened::kYes, std::move(value));
  }
};

class FlushBackend final : public BoundAction {
 public:
  explicit FlushBackend(const Hands* hands)
      : BoundAction(
            describe("backend.flush", Class::kDisruptive, Shape().needs(ParamType::kBackend),
                     "Empties one backend and gives it its fence record again."),
            hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto backend = backend_argument(call, region());
    if (!backend.ok()) co_return backend.error();
    auto admitted = co_await admit(call, region().cluster_of(*backend)->name);
    if (!admitted.ok()) co_return admitted.error();
    auto flushed = co_await hands().backends.flush_all(*backend, kFlushTimeout);
    hands().coordinator.fences().forget(*backend);
    if (!flushed.ok()) co_return flushed.error();
    auto raised = co_await hands().coordinator.fences().raise(*backend);
    if (!raised.ok()) co_return raised.error();
    co_return boost::json::object();
  }
};

}  // namespace

void add_backend_actions(runbook::ActionRegistry& registry, const Hands* hands) {
  registry.add(std::make_unique<ChangeEpoch>(false, hands));
  registry.add(std::make_unique<ChangeEpoch>(true, hands));
  registry.add(std::make_unique<AwaitBackend>(hands));
  registry.add(std::make_unique<ReplaceBackend>(hands));
  registry.add(std::make_unique<FlushBackend>(hands));
}

}  // namespace agent::action
