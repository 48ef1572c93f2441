// proxy.replace, proxy.drain and canary.data_path.
#include <algorithm>

#include "agent/action/bound_action.h"
#include "agent/coord/turn.h"
#include "base/telemetry/log.h"

namespace agent::action {
namespace {

using runbook::ActionCall;
using runbook::ActionResult;
using runbook::Class;
using runbook::Happened;
using runbook::ParamType;

constexpr base::Duration kAnswersWithin = std::chrono::milliseconds(200);
constexpr base::Duration kBriefDrain = std::chrono::milliseconds(500);
constexpr base::Duration kLongestDrain = std::chrono::seconds(30);
constexpr base::Duration kCallSlack = std::chrono::milliseconds(300);
constexpr base::Duration kHandOverTime = std::chrono::seconds(10);
constexpr base::Duration kProxyStopGrace = std::chrono::seconds(1);
constexpr base::Duration kKillTimeout = std::chrono::seconds(5);
constexpr base::Duration kServingLook = std::chrono::milliseconds(100);
constexpr uint64_t kMostKeys = 64;

int64_t milliseconds(base::Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

// One call to a proxy on behalf of a run.
boost::asio::awaitable<base::Result<boost::json::value>> call_proxy(const Hands& hands,
                                                                    std::string proxy,
                                                                    const char* verb,
                                                                    boost::json::object args,
                                                                    base::Duration timeout) {
  const std::string lock = coord::cluster_lock(hands.coordinator.region().cluster_of(proxy)->name);
  coord::ProxyCall call(std::move(proxy), verb, hands.coordinator.gate().highest(lock),
                        std::move(args), timeout);
  co_return co_await hands.proxies.call(std::move(call));
}

boost::asio::awaitable<base::Result<uint64_t>> drain(const Hands& hands, std::string proxy,
                                                     base::Duration time) {
  boost::json::object args;
  args["deadline_ms"] = milliseconds(time);
  const std::string id = proxy;
  auto answer =
      co_await call_proxy(hands, std::move(proxy), "drain", std::move(args), time + kCallSlack);
  if (!answer.ok()) co_return answer.error();
  hands.coordinator.region().set_state(id, coord::ProcessState::kDraining);
  const boost::json::value* remaining =
      answer->is_object() ? answer->get_object().if_contains("remaining") : nullptr;
  boost::system::error_code failed;
  co_return remaining != nullptr && remaining->is_number() ? remaining->to_number<uint64_t>(failed)
                                                           : 0;
}

class ReplaceProxy final : public BoundAction {
 public:
  explicit ReplaceProxy(const Hands* hands)
      : BoundAction(
            describe("proxy.replace", Class::kDisruptive,
                     Shape().needs(ParamType::kProxy).gives({"pid", "forced", "handed_over"}),
                     "Starts a new process of a proxy, which takes sockets and clients over from "
                     "one that answers; one that does not is killed first."),
            hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto proxy = proxy_argument(call, region());
    if (!proxy.ok()) co_return proxy.error();
    auto admitted = co_await admit(call, region().cluster_of(*proxy)->name);
    if (!admitted.ok()) co_return admitted.error();
    bool forced = true;
    bool handed_over = false;
    const bool begun = hands().provider.running_token(*proxy) == call.idempotency_key;
    if (!begun) handed_over = co_await hands_over(*proxy, call.idempotency_key);
    if (begun || handed_over) {
      forced = false;
    } else {
      auto ended = co_await end(*proxy);
      if (!ended.ok()) co_return ended.error();
      forced = *ended;
      auto started = co_await hands().provider.start(*proxy, call.idempotency_key);
      if (!started.ok()) co_return started.error();
    }
    auto serving = co_await wait_serving(*proxy, call.deadline);
    if (!serving.ok()) co_return serving.error();
    boost::json::object value;
    value["pid"] = region().process(*proxy)->pid;
    value["forced"] = forced;
    value["handed_over"] = handed_over;
    co_return value;
  }

  boost::asio::awaitable<runbook::ProbeAnswer> probe(ActionCall call) override {
    auto proxy = proxy_argument(call, region());
    if (!proxy.ok()) co_return happened(Happened::kNo);
    if (hands().provider.running_token(*proxy) != call.idempotency_key) {
      co_return happened(Happened::kNo);
    }
    boost::json::object value;
    value["pid"] = region().process(*proxy)->pid;
    co_return happened(Happened::kYes, std::move(value));
  }

 private:
  // Whether a new process has taken over from one that answers: its clients notice nothing.
  boost::asio::awaitable<bool> hands_over(std::string proxy, std::string token) {
    if (!hands().provider.running(proxy)) co_return false;
    boost::json::object nothing;
    const auto status =
        co_await call_proxy(hands(), proxy, "status", std::move(nothing), kAnswersWithin);
    if (!status.ok()) co_return false;
    const auto taken = co_await hands().provider.succeed(proxy, std::move(token), kHandOverTime);
    if (!taken.ok()) {
      base::log::warn("not_handed_over", {{"proxy", proxy}, {"error", taken.error()}});
    }
    co_return taken.ok();
  }

  // Whether it had to be forced.
  boost::asio::awaitable<base::Result<bool>> end(std::string proxy) {
    if (!hands().provider.running(proxy)) co_return true;
    boost::json::object nothing;
    auto status = co_await call_proxy(hands(), proxy, "status", std::move(nothing), kAnswersWithin);
    if (status.ok()) {
      auto drained = co_await drain(hands(), proxy, kBriefDrain);
      if (!drained.ok()) {
        base::log::info("drain_failed", {{"proxy", proxy}, {"error", drained.error()}});
      }
      auto stopped = co_await hands().provider.stop(proxy, kProxyStopGrace);
      if (!stopped.ok()) co_return stopped.error();
      co_return false;
    }
    auto killed = co_await hands().provider.kill(proxy, kKillTimeout);
    if (!killed.ok()) co_return killed.error();
    co_return true;
  }

  // Until it is configured, has the committed table and answers; or has ended again.
  boost::asio::awaitable<base::Result<>> wait_serving(std::string proxy, base::Instant deadline) {
    while (true) {
      const base::Instant slice = std::min(deadline, now() + kServingLook);
      auto waited = co_await hands().coordinator.reconciler().wait_in_step(proxy, slice);
      if (waited.ok()) co_return waited;
      if (!hands().provider.running(proxy)) {
        co_return base::Error(base::ErrorCode::kUnavailable,
                              "the new process of " + proxy + " has ended (" +
                                  region().process(proxy)->last_exit +
                                  "); its log says why: " + region().spec().log_path(proxy),
                              base::Origin::kBackend, base::Retry::kSafe);
      }
      if (now() >= deadline) co_return waited;
    }
  }
};

class DrainProxy final : public BoundAction {
 public:
  explicit DrainProxy(const Hands* hands)
      : BoundAction(describe("proxy.drain", Class::kDisruptive,
                             Shape().needs(ParamType::kProxy).gives({"remaining"}),
                             "Stops a proxy from accepting and lets it finish what has begun."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    auto proxy = proxy_argument(call, region());
    if (!proxy.ok()) co_return proxy.error();
    auto admitted = co_await admit(call, region().cluster_of(*proxy)->name);
    if (!admitted.ok()) co_return admitted.error();
    const base::Duration left = call.deadline - now() - 2 * kCallSlack;
    auto remaining =
        co_await drain(hands(), *proxy,
                       std::clamp(left, base::Duration(kCallSlack), base::Duration(kLongestDrain)));
    if (!remaining.ok()) co_return remaining.error();
    boost::json::object value;
    value["remaining"] = *remaining;
    co_return value;
  }

  boost::asio::awaitable<runbook::ProbeAnswer> probe(ActionCall call) override {
    auto proxy = proxy_argument(call, region());
    if (!proxy.ok()) co_return happened(Happened::kNo);
    boost::json::object nothing;
    auto answer =
        co_await call_proxy(hands(), *proxy, "status", std::move(nothing), kAnswersWithin);
    if (!answer.ok()) co_return happened(Happened::kUnknown);
    auto status = coord::parse_proxy_status(*answer);
    if (!status.ok()) co_return happened(Happened::kUnknown);
    if (!status->draining) co_return happened(Happened::kNo);
    boost::json::object value;
    value["remaining"] = status->connections;
    co_return happened(Happened::kYes, std::move(value));
  }
};

class DataPath final : public BoundAction {
 public:
  explicit DataPath(const Hands* hands)
      : BoundAction(describe("canary.data_path", Class::kObserve,
                             Shape()
                                 .takes_one_of({ParamType::kProxy, ParamType::kCluster})
                                 .takes("keys_per_backend", ParamType::kNumber)
                                 .gives({"probes", "left_out", "ok", "reason"}),
                             "Sets and gets keys on every backend through a proxy, or through all "
                             "of a cluster; whoever is known to be dead or stuck is left out."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    std::vector<std::string> proxies;
    if (!argument(call, "proxy").empty()) {
      auto proxy = proxy_argument(call, region());
      if (!proxy.ok()) co_return proxy.error();
      proxies.push_back(*proxy);
    } else {
      auto cluster = cluster_argument(call, region());
      if (!cluster.ok()) co_return cluster.error();
      for (const auto& proxy : region().cluster(*cluster)->proxies) {
        if (serves(proxy.id)) proxies.push_back(proxy.id);
      }
    }
    const size_t keys =
        std::clamp<uint64_t>(number_argument(call, "keys_per_backend", 1), 1, kMostKeys);
    const base::Duration time = std::min(base::Duration(kCanaryTimeout), call.deadline - now());
    std::vector<std::vector<CanaryAnswer>> answers(proxies.size());
    std::vector<boost::asio::awaitable<void>> works;
    for (size_t i = 0; i < proxies.size(); ++i) {
      works.push_back(probe_proxy(proxies[i], keys, time, answers[i]));
    }
    co_await coord::run_all(hands().executor, std::move(works));
    co_return judge(proxies, answers);
  }

 private:
  // Whoever is known to be dead or stuck is somebody else's run: judged by it too, two of them would
  // wait for each other.
  bool serves(const std::string& id) const {
    const coord::Process* process = region().process(id);  // null: gone from the definition
    return process != nullptr && process->pid != 0 && process->state != coord::ProcessState::kStuck;
  }

  boost::asio::awaitable<void> probe_proxy(std::string proxy, size_t keys, base::Duration time,
                                           std::vector<CanaryAnswer>& answers) {
    answers = co_await hands().canary.probe(std::move(proxy), keys, time);
  }

  ActionResult judge(const std::vector<std::string>& proxies,
                     const std::vector<std::vector<CanaryAnswer>>& answers) const {
    size_t probes = 0;
    size_t left_out = 0;
    std::string reason;
    for (size_t i = 0; i < proxies.size(); ++i) {
      if (answers[i].empty() && reason.empty()) {
        reason = "no backend of the cluster of " + proxies[i] + " owns slots";
      }
      for (const CanaryAnswer& answer : answers[i]) {
        if (!answer.ok && answer.logged_in && !serves(answer.backend)) {
          ++left_out;
          continue;
        }
        ++probes;
        if (answer.ok || !reason.empty()) continue;
        reason = answer.proxy + " to " + answer.backend + ": " + answer.what;
      }
    }
    boost::json::object value;
    value["probes"] = probes;
    value["left_out"] = left_out;
    if (reason.empty() && probes + left_out == 0) reason = "nobody is there to be probed";
    value["ok"] = reason.empty();
    value["reason"] = reason;
    return value;
  }
};

}  // namespace

void add_proxy_actions(runbook::ActionRegistry& registry, const Hands* hands) {
  registry.add(std::make_unique<ReplaceProxy>(hands));
  registry.add(std::make_unique<DrainProxy>(hands));
  registry.add(std::make_unique<DataPath>(hands));
}

}  // namespace agent::action
