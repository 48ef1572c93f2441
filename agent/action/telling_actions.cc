// evidence.gather and notify.page.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "agent/action/bound_action.h"
#include "base/core/file.h"
#include "base/core/text.h"
#include "base/net/fd.h"
#include "base/telemetry/log.h"

namespace agent::action {
namespace {

using runbook::ActionCall;
using runbook::ActionResult;
using runbook::Class;
using runbook::Happened;
using runbook::ParamType;

constexpr size_t kMaxBundle = 1u << 20;
constexpr size_t kMaxNotifyLog = 64u << 20;
constexpr base::Duration kAskTimeout = std::chrono::milliseconds(200);

// Run ids and step ids as part of a file's name.
std::string file_name(const std::string& key) {
  std::string name;
  for (const char c : key.substr(0, 120)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return name;
}

class GatherEvidence final : public BoundAction {
 public:
  explicit GatherEvidence(const Hands* hands)
      : BoundAction(describe("evidence.gather", Class::kObserve,
                             Shape()
                                 .takes("cluster", ParamType::kCluster)
                                 .takes("proxy", ParamType::kProxy)
                                 .takes("backend", ParamType::kBackend)
                                 .gives({"file"}),
                             "Writes what is known about a cluster, proxy or backend to a file."),
                    hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    const std::string cluster = argument(call, "cluster");
    const std::string proxy = argument(call, "proxy");
    const std::string backend = argument(call, "backend");
    boost::json::object bundle;
    bundle["gathered_at"] = hands().timers.clock().wall().to_rfc3339();
    bundle["for"] = call.idempotency_key;
    boost::json::array members;
    for (const coord::Process* process : region().processes()) {
      const bool in_cluster = cluster.empty() || process->cluster == cluster;
      const bool named = proxy.empty() && backend.empty()
                             ? in_cluster
                             : process->id == proxy || process->id == backend;
      if (!named) continue;
      boost::json::object member = describe_process(*process);
      if (process->kind == coord::Kind::kProxy) member["answer"] = co_await ask(process->id);
      if (process->kind == coord::Kind::kBackend) member["memcached"] = co_await count(process->id);
      members.push_back(std::move(member));
    }
    bundle["members"] = std::move(members);
    bundle["tables"] = describe_tables(cluster);
    boost::system::error_code failed;
    const boost::json::value seen =
        boost::json::parse(hands().snapshot ? hands().snapshot() : "null", failed);
    if (!failed) bundle["measured"] = seen;
    std::string text = boost::json::serialize(bundle) + "\n";
    if (text.size() > kMaxBundle) {
      bundle.erase("measured");
      text = boost::json::serialize(bundle) + "\n";
    }
    const std::string folder = region().spec().dir + "/evidence";
    auto made = base::make_directories(folder, 0700);
    if (!made.ok()) co_return made.error();
    const std::string file = folder + "/" + file_name(call.idempotency_key) + ".json";
    auto written = base::write_file_atomic(file, text, base::Durability::kRenameOnly, 0600);
    if (!written.ok()) co_return written.error();
    boost::json::object value;
    value["file"] = file;
    co_return value;
  }

 private:
  static boost::json::object describe_process(const coord::Process& process) {
    boost::json::object member;
    member["id"] = process.id;
    member["kind"] = coord::to_string(process.kind);
    member["cluster"] = process.cluster;
    member["state"] = coord::to_string(process.state);
    member["pid"] = process.pid;
    member["since"] = process.since.to_rfc3339();
    member["last_exit"] = process.last_exit;
    return member;
  }

  boost::asio::awaitable<boost::json::value> ask(std::string proxy) {
    boost::json::object nothing;
    coord::ProxyCall status(std::move(proxy), "status", 0, std::move(nothing), kAskTimeout);
    auto answer = co_await hands().proxies.call(std::move(status));
    if (!answer.ok()) co_return boost::json::value(boost::json::string(answer.error().to_string()));
    co_return *answer;
  }

  boost::asio::awaitable<boost::json::value> count(std::string backend) {
    auto stats = co_await hands().backends.stats(std::move(backend), kAskTimeout);
    if (!stats.ok()) co_return boost::json::value(boost::json::string(stats.error().to_string()));
    boost::json::object value;
    value["items"] = stats->items;
    value["bytes"] = stats->bytes;
    value["limit_bytes"] = stats->limit_bytes;
    value["connections"] = stats->connections;
    value["evictions"] = stats->evictions;
    value["uptime_seconds"] = stats->uptime_seconds;
    co_return boost::json::value(std::move(value));
  }

  boost::json::array describe_tables(const std::string& only) const {
    boost::json::array all;
    for (const coord::ClusterSpec& cluster : region().spec().clusters) {
      if (!only.empty() && cluster.name != only) continue;
      const coord::ClusterTables& tables = hands().coordinator.tables().at(cluster.name);
      boost::json::object each;
      each["cluster"] = cluster.name;
      each["epoch"] = tables.committed.epoch;
      each["phase"] = coord::to_string(tables.phase);
      each["blockers"] = hands().coordinator.tables().blockers(cluster.name).to_string();
      boost::json::object weights;
      for (const auto& backend : tables.committed.backends) weights[backend.id] = backend.weight;
      each["weights"] = std::move(weights);
      all.push_back(std::move(each));
    }
    return all;
  }
};

// At least once: the line carries the idempotency key, by which a reader sees a repetition.
class NotifyPage final : public BoundAction {
 public:
  explicit NotifyPage(const Hands* hands)
      : BoundAction(
            describe("notify.page", Class::kObserve, Shape().needs("text", ParamType::kText),
                     "Calls a person: writes to log/notify.log and the agent's log."),
            hands) {}

  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    const std::string words = base::printable(argument(call, "text"), 2000);
    const std::string line = hands().timers.clock().wall().to_rfc3339() + " " +
                             call.idempotency_key + " " + words + "\n";
    const std::string path = region().spec().log_path("notify");
    const base::net::UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!file.valid() ||
        ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      co_return base::Error(base::ErrorCode::kIo,
                            "cannot write to " + path + "; make room or rights there");
    }
    base::log::warn("page", {{"key", call.idempotency_key}, {"text", words}});
    co_return boost::json::object();
  }

  boost::asio::awaitable<runbook::ProbeAnswer> probe(ActionCall call) override {
    auto text = base::read_file(region().spec().log_path("notify"), kMaxNotifyLog);
    const bool there =
        text.ok() && text->find(" " + call.idempotency_key + " ") != std::string::npos;
    co_return happened(there ? Happened::kYes : Happened::kNo);
  }
};

}  // namespace

void add_telling_actions(runbook::ActionRegistry& registry, const Hands* hands) {
  registry.add(std::make_unique<GatherEvidence>(hands));
  registry.add(std::make_unique<NotifyPage>(hands));
}

}  // namespace agent::action
