#include "agent/action/actions.h"

#include <cstdlib>

#include "agent/action/bound_action.h"
#include "base/core/text.h"

namespace agent::action {
namespace {

void add_all(runbook::ActionRegistry& registry, const Hands* hands) {
  add_proxy_actions(registry, hands);
  add_backend_actions(registry, hands);
  add_flush_actions(registry, hands);
  add_telling_actions(registry, hands);
}

base::Error wrong(std::string_view key, const std::string& got, const char* expected) {
  return base::Error(
      base::ErrorCode::kInvalid,
      std::string(key) + ": got \"" + base::printable(got, 60) + "\", expected " + expected,
      base::Origin::kClient);
}

}  // namespace

void add_actions(runbook::ActionRegistry& registry, const Hands& hands) {
  add_all(registry, &hands);
}
void add_action_names(runbook::ActionRegistry& registry) {
  add_all(registry, nullptr);
}

Shape& Shape::add(std::string_view name, runbook::ParamType type, bool required) {
  inputs.push_back({std::string(name), type, required});
  return *this;
}

Shape& Shape::takes_one_of(std::initializer_list<runbook::ParamType> targets) {
  for (const runbook::ParamType target : targets) {
    one_of.emplace_back(to_string(target));
    add(one_of.back(), target, false);
  }
  return *this;
}

Shape& Shape::gives(std::initializer_list<const char*> fields) {
  outputs.insert(outputs.end(), fields.begin(), fields.end());
  return *this;
}

runbook::ActionInfo describe(const char* name, runbook::Class cls, Shape shape, const char* summary,
                             bool reversible) {
  runbook::ActionInfo info;
  info.name = name;
  info.cls = cls;
  info.inputs = std::move(shape.inputs);
  info.outputs = std::move(shape.outputs);
  info.one_of = std::move(shape.one_of);
  info.summary = summary;
  info.reversible = reversible;
  return info;
}

boost::asio::awaitable<runbook::ProbeAnswer> BoundAction::probe(runbook::ActionCall) {
  co_return happened(runbook::Happened::kNo);
}

boost::asio::awaitable<base::Result<>> BoundAction::admit(const runbook::ActionCall& call,
                                                          std::string cluster) const {
  co_return co_await hands().coordinator.gate().admit(coord::cluster_lock(cluster), call.fence);
}

runbook::ProbeAnswer happened(runbook::Happened answer, boost::json::object value) {
  runbook::ProbeAnswer result;
  result.happened = answer;
  result.value = std::move(value);
  return result;
}

std::string argument(const runbook::ActionCall& call, std::string_view key) {
  const boost::json::value* value = call.with.if_contains(key);
  if (value == nullptr) return {};
  if (value->is_int64()) return std::to_string(value->get_int64());
  if (value->is_uint64()) return std::to_string(value->get_uint64());
  if (value->is_double()) return std::to_string(value->get_double());
  if (!value->is_string()) return {};
  const std::string text(value->get_string());
  const std::string prefix = std::string(key) + "/";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

base::Result<std::string> proxy_argument(const runbook::ActionCall& call,
                                         const coord::Region& region) {
  std::string id = argument(call, "proxy");
  if (region.proxy(id) == nullptr) return wrong("proxy", id, "the id of a proxy of the region");
  return id;
}

base::Result<std::string> backend_argument(const runbook::ActionCall& call,
                                           const coord::Region& region) {
  std::string id = argument(call, "backend");
  if (region.backend(id) == nullptr) {
    return wrong("backend", id, "the id of a backend of the region");
  }
  return id;
}

base::Result<std::string> cluster_argument(const runbook::ActionCall& call,
                                           const coord::Region& region) {
  std::string name = argument(call, "cluster");
  if (region.cluster(name) == nullptr) {
    return wrong("cluster", name, "the name of a cluster of the region");
  }
  return name;
}

base::Result<base::Duration> duration_argument(const runbook::ActionCall& call,
                                               std::string_view key) {
  const std::string text = argument(call, key);
  const auto duration = runbook::parse_duration_argument(text);
  if (!duration) return wrong(key, text, "a duration up to 24h, like 3s");
  return *duration;
}

uint64_t number_argument(const runbook::ActionCall& call, std::string_view key, uint64_t fallback) {
  return base::parse_u64(argument(call, key)).value_or(fallback);
}

}  // namespace agent::action
