#include "agent/runbook/plan.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "agent/runbook/digest.h"
#include "agent/runbook/reference.h"
#include "base/config/scalar.h"
#include "base/core/text.h"

namespace agent::runbook {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;

Error invalid(std::string text) {
  return Error(ErrorCode::kInvalid, std::move(text));
}

json::object frozen(const Target& target) {
  json::object fields = target.fields;
  fields["id"] = target.id;
  fields["kind"] = to_string(target.kind);
  fields["cluster"] = target.cluster;
  return fields;
}

// "backend/amber-backend-1" names its kind; a bare id must fit one of the kinds.
Result<Target> find_target(const Param& param, std::string_view id, const Facts& facts) {
  if (const size_t slash = id.find('/'); slash != std::string_view::npos) {
    for (const ParamType type : param.types) {
      if (id.substr(0, slash) == to_string(type)) return facts.target(type, id.substr(slash + 1));
    }
  }
  std::optional<Target> found;
  std::string tried;
  for (const ParamType type : param.types) {
    Result<Target> target = facts.target(type, id);
    tried += (tried.empty() ? "" : " or ") + std::string(to_string(type));
    if (!target.ok()) continue;
    if (found.has_value()) {
      return invalid("\"" + std::string(id) + "\" is a " + std::string(to_string(found->kind)) +
                     " and a " + std::string(to_string(type)) + "; write " +
                     std::string(to_string(type)) + "/" + std::string(id));
    }
    found = std::move(*target);
  }
  if (found.has_value()) return *found;
  return Error(ErrorCode::kNotFound, "no " + tried + " named " + base::printable(id));
}

Result<json::value> plain_value(const Param& param, const json::value& given) {
  const ParamType type = param.types.front();
  if (type == ParamType::kNumber && !given.is_number()) {
    return invalid(param.name + ": expected a number");
  }
  if (type != ParamType::kNumber && !given.is_string()) {
    return invalid(param.name + ": expected a text");
  }
  if (type == ParamType::kDuration && !parse_duration_argument(given.get_string())) {
    return invalid(param.name + ": got \"" + base::printable(given.get_string(), 60) +
                   "\", expected a duration up to 24h, like 250ms, 5s or 10m");
  }
  if (given.is_string() && given.get_string().size() > 1000) {
    return invalid(param.name + ": longer than 1000 bytes");
  }
  return given;
}

// As its type: a number's default is text in the file, too.
json::value fallback_of(const Param& param) {
  if (param.types.front() == ParamType::kNumber) {
    if (const auto whole = base::config::parse_integer(*param.fallback)) return *whole;
    if (const auto number = base::config::parse_number(*param.fallback)) return *number;
  }
  return json::value(*param.fallback);
}

Result<json::object> resolve_params(const Runbook& book, const json::object& params,
                                    const Facts& facts) {
  for (const auto& [name, value] : params) {
    if (book.param(name) == nullptr) {
      return invalid(book.name + " has no param " + std::string(name) +
                     "; see mcguard runbook show " + book.name);
    }
  }
  json::object targets;
  for (const Param& param : book.params) {
    const json::value* given = params.if_contains(param.name);
    json::value value = given != nullptr ? *given : json::value();
    if (given == nullptr && param.fallback.has_value()) value = fallback_of(param);
    if (value.is_null() || (value.is_string() && value.get_string().empty())) {
      if (!param.required) continue;
      return invalid(book.name + " needs " + param.name + " (" +
                     std::string(to_string(param.types.front())) + ")");
    }
    if (!is_target(param.types.front())) {
      Result<json::value> plain = plain_value(param, value);
      if (!plain.ok()) return plain.error();
      targets[param.name] = std::move(*plain);
      continue;
    }
    if (!value.is_string()) return invalid(param.name + ": expected the id as text");
    Result<Target> target = find_target(param, value.get_string(), facts);
    if (!target.ok()) return target.error();
    targets[param.name] = frozen(*target);
  }
  return targets;
}

// Arguments that name an optional param which was not given are left out.
json::object without_absent(json::object with, const Runbook& book, const json::object& scope) {
  json::object kept;
  for (auto& [key, value] : with) {
    const std::vector<std::string> names = references_in(value);
    const bool absent = names.size() == 1 && value.is_string() &&
                        value.get_string() == "${" + names.front() + "}" &&
                        book.param(names.front().substr(0, names.front().find('.'))) != nullptr &&
                        !resolve(scope, names.front()).has_value();
    if (!absent) kept[key] = std::move(value);
  }
  return kept;
}

// Thread: one. Owner: remake_plan. Fills in everything that follows from frozen targets.
class Builder {
 public:
  Builder(Plan& plan, const ActionRegistry& actions) : plan_(plan), actions_(actions) {}

  Result<> build() {
    const Runbook& book = plan_.runbook;
    for (const std::string& lock : book.locks) {
      const std::string name = substitute(lock, plan_.targets);
      if (Result<> done = all_resolved(json::value(name)); !done.ok()) return done;
      plan_.locks.push_back(name);
    }
    plan_.cooldown.key = substitute(plan_.cooldown.key, plan_.targets);
    for (const Step& step : book.steps) {
      if (Result<> done = add(step); !done.ok()) return done;
    }
    return {};
  }

 private:
  Result<> add(const Step& step) {
    if (step.each.empty()) return add_one(step, step.id, plan_.targets);
    const std::vector<std::string> names = references_in(step.each);
    const std::optional<json::value> list =
        names.empty() ? std::nullopt : resolve(plan_.targets, names.front());
    if (!list.has_value() || !list->is_array() || list->get_array().empty()) {
      return invalid("step " + step.id + " selects nothing: " + step.each +
                     " is empty, so there is nothing to do");
    }
    for (const json::value& item : list->get_array()) {
      json::object scope = plan_.targets;
      scope["item"] = item;
      const std::string id = step.id + "." + std::string(item.as_string());
      if (Result<> done = add_one(step, id, scope); !done.ok()) return done;
    }
    return {};
  }

  Result<> add_one(const Step& step, const std::string& id, const json::object& scope) {
    const Action* action = actions_.find(step.action);
    if (action == nullptr) return invalid("step " + id + ": there is no action " + step.action);
    PlannedStep planned;
    planned.id = id;
    planned.step = step;
    planned.cls = action->info().cls;
    planned.with = arguments(step.with, scope);
    if (step.verify.has_value()) planned.verify_with = arguments(step.verify->with, scope);
    if (step.undo.has_value()) planned.undo_with = arguments(step.undo->with, scope);
    plan_.steps.push_back(std::move(planned));
    return {};
  }

  json::object arguments(const json::object& with, const json::object& scope) const {
    const json::value resolved = substitute(json::value(with), scope);
    return without_absent(resolved.get_object(), plan_.runbook, scope);
  }

  Plan& plan_;
  const ActionRegistry& actions_;
};

void name_first_target(Plan& plan) {
  for (const Param& param : plan.runbook.params) {
    const json::value* found = plan.targets.if_contains(param.name);
    if (!is_target(param.types.front()) || found == nullptr || !found->is_object()) continue;
    const json::object& fields = found->get_object();
    plan.target = std::string(fields.at("id").as_string());
    plan.cluster = std::string(fields.at("cluster").as_string());
    for (int i = 0; i <= static_cast<int>(ParamType::kCache); ++i) {
      const auto type = static_cast<ParamType>(i);
      if (fields.at("kind").as_string() == to_string(type)) plan.target_kind = type;
    }
    return;
  }
}

json::object step_json(const PlannedStep& planned) {
  json::object out;
  out["id"] = planned.id;
  out["do"] = planned.step.action;
  out["class"] = to_string(planned.cls);
  out["with"] = planned.with;
  if (planned.step.when.has_value()) out["when"] = planned.step.when->text();
  if (planned.step.verify.has_value()) out["verify"] = planned.step.verify->action;
  if (planned.step.undo.has_value()) out["undo"] = planned.step.undo->action;
  if (planned.step.point_of_no_return) out["point_of_no_return"] = true;
  return out;
}

json::array steps_json(const Plan& plan) {
  json::array steps;
  for (const PlannedStep& planned : plan.steps) steps.push_back(step_json(planned));
  return steps;
}

}  // namespace

std::string_view to_string(Hold hold) {
  switch (hold) {
    case Hold::kNone:
      return "none";
    case Hold::kGuard:
      return "guard";
    case Hold::kLockHeld:
      return "lock_held";
    case Hold::kCooldown:
      return "cooldown";
    case Hold::kCooldownExhausted:
      return "cooldown_exhausted";
    case Hold::kMode:
      return "mode";
    case Hold::kHoldDown:
      return "hold_down";
    case Hold::kPaused:
      return "paused";
    case Hold::kHandedOver:
      return "handed_over";
  }
  return "none";
}

Result<Plan> make_plan(const Runbook& runbook, const json::object& params, const Facts& facts,
                       const Policy& policy, const ActionRegistry& actions) {
  Result<json::object> targets = resolve_params(runbook, params, facts);
  if (!targets.ok()) return targets.error();
  json::object numbers;
  numbers["backend_grace"] = Value::seconds(base::to_seconds(policy.backend_grace)).to_string();
  (*targets)["policy"] = std::move(numbers);
  return remake_plan(runbook, params, *targets, policy, actions);
}

Result<Plan> remake_plan(const Runbook& runbook, const json::object& params,
                         const json::object& targets, const Policy& policy,
                         const ActionRegistry& actions) {
  Plan plan;
  plan.runbook = runbook;
  plan.params = params;
  plan.targets = targets;
  plan.cooldown = policy.cooldown(runbook);
  name_first_target(plan);
  if (Result<> done = Builder(plan, actions).build(); !done.ok()) return done.error();
  return plan;
}

std::string Plan::hash() const {
  json::object all;
  all["sha256"] = runbook.sha256;
  all["params"] = params;
  all["targets"] = targets;
  all["steps"] = steps_json(*this);
  return sha256_hex(json::serialize(all));
}

json::object Plan::to_json() const {
  json::object out;
  out["runbook"] = runbook.name;
  out["version"] = runbook.version;
  out["sha256"] = runbook.sha256;
  out["hash"] = hash();
  out["class"] = to_string(runbook.cls);
  out["params"] = params;
  out["targets"] = targets;
  json::array held;
  for (const std::string& lock : locks) held.push_back(json::value(lock));
  out["locks"] = std::move(held);
  json::array answers;
  for (const GuardAnswer& given : guards) {
    json::object shown;
    shown["guard"] = given.guard;
    shown["answer"] = to_string(given.answer);
    shown["reason"] = given.reason;
    answers.push_back(std::move(shown));
  }
  out["guards"] = std::move(answers);
  out["predicted"] = predicted;
  out["steps"] = steps_json(*this);
  out["hold"] = to_string(hold);
  out["hold_text"] = hold_text;
  if (retry_at.ns != 0) out["retry_at"] = retry_at.to_rfc3339();
  return out;
}

}  // namespace agent::runbook
