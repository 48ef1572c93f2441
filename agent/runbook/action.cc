#include "agent/runbook/action.h"

#include <boost/json/array.hpp>

#include "base/config/scalar.h"
#include "base/core/check.h"

namespace agent::runbook {

std::string_view to_string(Class c) {
  switch (c) {
    case Class::kObserve:
      return "observe";
    case Class::kReversible:
      return "reversible";
    case Class::kDisruptive:
      return "disruptive";
    case Class::kDestructive:
      return "destructive";
  }
  return "observe";
}

std::string_view to_string(ParamType type) {
  switch (type) {
    case ParamType::kProxy:
      return "proxy";
    case ParamType::kBackend:
      return "backend";
    case ParamType::kCluster:
      return "cluster";
    case ParamType::kCache:
      return "cache";
    case ParamType::kText:
      return "text";
    case ParamType::kNumber:
      return "number";
    case ParamType::kDuration:
      return "duration";
  }
  return "text";
}

bool is_target(ParamType type) {
  return type <= ParamType::kCache;
}

const ActionInput* ActionInfo::input(std::string_view input_name) const {
  for (const ActionInput& candidate : inputs) {
    if (candidate.name == input_name) return &candidate;
  }
  return nullptr;
}

boost::json::object ActionInfo::to_json() const {
  const auto texts = [](const std::vector<std::string>& list) {
    return boost::json::array(list.begin(), list.end());
  };
  boost::json::object out;
  out["name"] = name;
  out["class"] = to_string(cls);
  out["reversible"] = reversible;
  boost::json::array all_inputs;
  for (const ActionInput& each : inputs) {
    boost::json::object shown;
    shown["name"] = each.name;
    shown["type"] = to_string(each.type);
    shown["required"] = each.required;
    all_inputs.push_back(std::move(shown));
  }
  out["inputs"] = std::move(all_inputs);
  if (!one_of.empty()) out["one_of"] = texts(one_of);
  out["outputs"] = texts(outputs);
  out["summary"] = summary;
  return out;
}

std::optional<base::Duration> parse_duration_argument(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};
  const size_t end = text.find_first_not_of("0123456789.");
  const std::string_view unit = end == std::string_view::npos ? "s" : text.substr(end);
  const auto number = base::config::parse_number(text.substr(0, end));
  for (const auto& [name, seconds] : kUnits) {
    if (!number || unit != name) continue;
    const double value = *number * seconds;
    if (value > 86'400) return std::nullopt;
    return base::from_seconds(value);
  }
  return std::nullopt;
}

void ActionRegistry::add(std::unique_ptr<Action> action) {
  std::string name = action->info().name;
  const bool added = actions_.emplace(std::move(name), std::move(action)).second;
  CHECK(added);
}

Action* ActionRegistry::find(std::string_view name) const {
  const auto at = actions_.find(name);
  return at == actions_.end() ? nullptr : at->second.get();
}

std::vector<const ActionInfo*> ActionRegistry::list() const {
  std::vector<const ActionInfo*> infos;
  for (const auto& [name, action] : actions_) infos.push_back(&action->info());
  return infos;
}

}  // namespace agent::runbook
