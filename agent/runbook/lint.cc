// lint(): the sense of a runbook, against the actions that exist.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "agent/runbook/guard.h"
#include "agent/runbook/meaning.h"
#include "agent/runbook/possible.h"
#include "agent/runbook/reference.h"
#include "agent/runbook/runbook.h"
#include "base/config/scalar.h"

namespace agent::runbook {
namespace {

using base::config::Place;
using base::config::Problems;

// "proxy" for "${proxy}"; empty: it is no reference, or more than one.
std::string lone_reference(const boost::json::value& value) {
  if (!value.is_string()) return {};
  const std::vector<std::string> names = references_in(value);
  return names.size() == 1 && value.get_string() == "${" + names.front() + "}" ? names.front()
                                                                               : std::string();
}

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text.empty() ? "none" : text;
}

// Thread: one. Owner: lint(). Invariant: earlier_ holds the ids and actions of the steps before the one
// checked.
class Linter {
 public:
  Linter(const Runbook& book, const ActionRegistry& actions, Problems& problems)
      : book_(book), actions_(actions), problems_(problems) {}

  void check() {
    if (book_.steps.empty()) report(book_.place, "steps", "is empty, expected at least one step");
    for (const Param& param : book_.params) check_default(param);
    for (const std::string& lock : book_.locks) references(lock, book_.place, "locks", false);
    references(book_.cooldown.key, book_.place, "cooldown.key", false);
    if (book_.cls >= Class::kDisruptive) {
      if (book_.locks.empty()) {
        report(book_.place, "locks",
               "is empty, expected a lock: a disruptive runbook holds one, "
               "such as cluster/${proxy.cluster}");
      }
      if (book_.guards.empty()) {
        report(book_.place, "guards", "is empty, expected guards: a disruptive runbook needs them");
      }
    }
    guards(book_.guards, "guards", true);
    if (book_.approve.present) approval();
    for (const Step& step : book_.steps) check_step(step);
  }

 private:
  void check_default(const Param& param) {
    if (!param.fallback || is_target(param.types.front())) return;
    const ParamType type = param.types.front();
    const bool is_number =
        type == ParamType::kNumber && base::config::parse_number(*param.fallback);
    if (is_number || fits(boost::json::value(*param.fallback), type)) return;
    report(book_.place, "params." + param.name + ".default",
           "got \"" + *param.fallback + "\", expected " + words_for({type}));
  }

  void report(const Place& place, const std::string& key, const std::string& message) {
    problems_.add(place, key, message);
  }

  // `are_asked`: those of a step that disrupts nothing are not.
  void guards(const std::vector<Guard>& list, const std::string& key, bool are_asked) {
    const Domains domains = guard_domains(book_);
    const size_t before = problems_.size();
    std::vector<const Expression*> all;
    for (const Guard& guard : list) {
      const size_t found = problems_.size();
      expression(guard.expression, guard.place, key);
      all.push_back(&guard.expression);
      if (!are_asked || problems_.size() != found || can_hold({&guard.expression}, domains))
        continue;
      report(guard.place, key,
             "\"" + guard.expression.text() + "\" can never hold, so nothing would ever be done" +
                 unknown_in(guard.expression, domains));
    }
    if (!are_asked || problems_.size() != before || can_hold(all, domains)) return;
    report(list.front().place, key,
           "can never hold together, so nothing would ever be done: expected guards that do not "
           "exclude each other");
  }

  static std::string unknown_in(const Expression& expression, const Domains& domains) {
    for (const Expression::Name& name : expression.names()) {
      const std::optional<Domain> domain = domains(name.name, name.reference);
      if (!domain || !domain->is_never_known) continue;
      return ": " + name.name + " is never known, expected a param that names a proxy or backend";
    }
    return {};
  }

  // Bare names must be facts, or words beside == and !=.
  void expression(const Expression& expression, const Place& place, const std::string& key) {
    for (const Expression::Name& name : expression.names()) {
      if (name.reference) {
        report(place, key, "${" + name.name + "}: a guard asks facts by name, without ${}");
      } else if (!guard_kind(name.name).has_value() && !name.compared_with_equals) {
        report(place, key,
               name.name +
                   ": no such fact, expected one of healthy, healthy_after, "
                   "load, load_after, telemetry_age, correlated_failure, budget, "
                   "target.dead, target.serving, target.state, policy.min_healthy, class, "
                   "confidence");
      }
    }
    kinds(expression, place, key, [](std::string_view name, bool) -> std::optional<Value> {
      const auto kind = guard_kind(name);
      if (!kind.has_value()) return std::nullopt;
      Value sample;
      sample.kind = *kind;
      return sample;
    });
  }

  void kinds(const Expression& expression, const Place& place, const std::string& key,
             const Lookup& samples) {
    if (auto wrong = expression.mistake(samples)) {
      report(place, key, "\"" + expression.text() + "\": " + *wrong);
    }
  }

  void approval() {
    for (const Expression::Name& name : book_.approve.when.names()) {
      if (name.compared_with_equals || name.name == "class" || name.name == "confidence") continue;
      report(book_.place, "approve.when", name.name + ": expected class or confidence");
    }
    kinds(book_.approve.when, book_.place, "approve.when",
          [](std::string_view name, bool) -> std::optional<Value> {
            if (name == "class") return Value::word("observe");
            if (name == "confidence") return Value::of(1);
            return std::nullopt;
          });
  }

  void check_step(const Step& step) {
    const std::string key = "steps." + step.id;
    if (!ids_.insert(step.id).second) {
      report(step.place, key, "there is another step with this id, expected unique ids");
    }
    if (!step.each.empty()) check_each(step, key + ".each");
    has_item_ = !step.each.empty();
    has_condition_ = step.when.has_value();
    if (has_condition_) check_when(step, key + ".when");
    const ActionInfo* info = action(step.action, step.place, key + ".do");
    if (info != nullptr) check_act(step, *info, key);
    references(step.with, step.place, key + ".with", true);
    if (!step.probe.empty()) action(step.probe, step.place, key + ".probe");
    if (step.guards.has_value()) {
      guards(*step.guards, key + ".guards", info == nullptr || info->cls >= Class::kDisruptive);
    }
    earlier_[step.id] = info;  // from here on its own value may be named
    if (step.verify.has_value()) check_verify(step, key + ".verify");
    if (step.undo.has_value()) check_undo(step, key + ".undo");
    if (has_item_) earlier_.erase(step.id);  // one id per member: no single value to name
    has_item_ = false;
    item_.clear();
  }

  void check_act(const Step& step, const ActionInfo& info, const std::string& key) {
    inputs(step.with, info, step.place, key + ".with");
    if (info.cls > book_.cls) {
      report(step.place, key + ".do",
             info.name + " is " + std::string(to_string(info.cls)) + ", the runbook says class " +
                 std::string(to_string(book_.cls)) +
                 ", expected at least the class of its actions");
    }
    if (info.reversible && !step.undo.has_value() && !step.point_of_no_return) {
      report(step.place, key,
             info.name +
                 " is reversible, expected an undo, or "
                 "point_of_no_return: true");
    }
  }

  void check_each(const Step& step, const std::string& key) {
    const std::vector<std::string> names = references_in(step.each);
    if (names.size() != 1 || step.each != "${" + names.front() + "}") {
      report(step.place, key,
             "got \"" + step.each +
                 "\", expected one reference to a list, such as "
                 "${cluster.dead_proxies}");
      return;
    }
    const size_t dot = names.front().find('.');
    if (dot == std::string::npos ||
        !is_list_field(std::string_view(names.front()).substr(dot + 1))) {
      report(step.place, key, "${" + names.front() + "} is no list: the selection would be empty");
      return;
    }
    reference(names.front(), step.place, key, false);
    const bool backends = std::string_view(names.front()).substr(dot + 1) == "backends";
    item_ = {backends ? ParamType::kBackend : ParamType::kProxy};
  }

  void check_when(const Step& step, const std::string& key) {
    for (const Expression::Name& name : step.when->names()) {
      if (name.reference) {
        reference(name.name, step.place, key, true);
      } else if (!name.compared_with_equals) {
        report(step.place, key, name.name + ": expected a ${reference}");
      }
    }
    if (!can_hold({&*step.when}, reference_domains(book_))) {
      report(step.place, key, "\"" + step.when->text() + "\" never holds: the step is unreachable");
    }
  }

  void check_verify(const Step& step, const std::string& key) {
    const ActionInfo* info = action(step.verify->action, step.place, key + ".do");
    if (info != nullptr) {
      inputs(step.verify->with, *info, step.place, key + ".with");
      if (info->cls != Class::kObserve) {
        report(step.place, key + ".do",
               info->name + " is " + std::string(to_string(info->cls)) +
                   ", expected an action that only observes");
      }
    }
    references(step.verify->with, step.place, key + ".with", true);
  }

  void check_undo(const Step& step, const std::string& key) {
    if (step.point_of_no_return) {
      report(step.place, key, "is unreachable: the step is a point of no return");
    }
    const ActionInfo* info = action(step.undo->action, step.place, key + ".do");
    if (info != nullptr) inputs(step.undo->with, *info, step.place, key + ".with");
    references(step.undo->with, step.place, key + ".with", true);
  }

  const ActionInfo* action(const std::string& name, const Place& place, const std::string& key) {
    const Action* found = actions_.find(name);
    if (found != nullptr) return &found->info();
    std::vector<std::string> known;
    for (const ActionInfo* info : actions_.list()) known.push_back(info->name);
    report(place, key, "got \"" + name + "\", expected an action: " + joined(known));
    return nullptr;
  }

  void inputs(const boost::json::object& with, const ActionInfo& info, const Place& place,
              const std::string& key) {
    for (const auto& [name, value] : with) {
      const std::string input(name);
      const ActionInput* known = info.input(input);
      if (known == nullptr) {
        report(place, key + "." + input,
               info.name + " takes no such argument, expected one of: " + names_of(info));
      } else if (value.is_string() && value.get_string().empty()) {
        report(place, key + "." + input, "is empty: an empty selection is never everything");
      } else {
        argument(value, *known, info, place, key + "." + input);
      }
    }
    for (const ActionInput& input : info.inputs) {
      if (!input.required || with.contains(input.name)) continue;
      report(place, key,
             "is without " + input.name + ", expected it: " + info.name + " needs " +
                 words_for({input.type}));
    }
    const auto is_given = [&with](const std::string& name) { return with.contains(name); };
    if (!info.one_of.empty() && std::none_of(info.one_of.begin(), info.one_of.end(), is_given)) {
      report(place, key, info.name + " needs one of these, expected it: " + joined(info.one_of));
    }
  }

  static std::string names_of(const ActionInfo& info) {
    std::vector<std::string> names;
    for (const ActionInput& input : info.inputs) names.push_back(input.name);
    return joined(names);
  }

  // An argument that the action takes, of the type that it takes?
  void argument(const boost::json::value& value, const ActionInput& input, const ActionInfo& info,
                const Place& place, const std::string& key) {
    const std::string expected =
        ", expected " + words_for({input.type}) + " for " + info.name + "'s " + input.name;
    const std::string name = lone_reference(value);
    if (name.empty()) {
      const bool is_known = !value.is_string() || references_in(value).empty();
      if (is_known && !fits(value, input.type)) {
        report(place, key, "got " + boost::json::serialize(value) + expected);
      }
      return;
    }
    const Meaning meaning = meaning_of(name, book_, item_);
    if (meaning.is_list) {
      report(place, key, "${" + name + "} is a list" + expected + "; `each:` makes a step of each");
    } else if (!meaning.types.empty() &&
               std::none_of(meaning.types.begin(), meaning.types.end(),
                            [&input](ParamType type) { return fits(type, input.type); })) {
      report(place, key, "${" + name + "} is " + words_for(meaning.types) + expected);
    }
    const Param* param = book_.param(name.substr(0, name.find('.')));
    const bool may_be_absent = param != nullptr && !param->required &&
                               param->fallback.value_or("").empty() && !has_condition_ &&
                               !is_in_a_lock(param->name);
    if (input.required && may_be_absent) {
      report(place, key,
             "${" + name + "} may be absent, expected a required param or one with a default: " +
                 info.name + " needs " + input.name);
    }
  }

  // Without it no run begins: a lock names it.
  bool is_in_a_lock(const std::string& param) const {
    for (const std::string& lock : book_.locks) {
      for (const std::string& name : references_in(lock)) {
        if (name.substr(0, name.find('.')) == param) return true;
      }
    }
    return false;
  }

  template <class Text>
  void references(const Text& text, const Place& place, const std::string& key, bool in_run) {
    for (const std::string& name : references_in(text)) reference(name, place, key, in_run);
  }
  void references(const boost::json::object& with, const Place& place, const std::string& key,
                  bool in_run) {
    references(boost::json::value(with), place, key, in_run);
  }

  // `in_run`: values that exist only once the run goes on may be named.
  void reference(const std::string& name, const Place& place, const std::string& key, bool in_run) {
    const size_t dot = name.find('.');
    const std::string root = name.substr(0, dot);
    const std::string field = dot == std::string::npos ? "" : name.substr(dot + 1);
    const std::string shown = "${" + name + "}";
    if (root == "steps" || root == "run") {
      if (!in_run) report(place, key, shown + ": is not known yet when a run is planned");
      if (in_run && root == "run" && field != "id" && field != "incident" && field != "requester") {
        report(place, key, shown + ": expected ${run.id}, ${run.incident} or ${run.requester}");
      }
      if (in_run && root == "steps") step_reference(shown, field, place, key);
      return;
    }
    if (root == "policy") {
      if (field != "backend_grace")
        report(place, key, shown + ": expected ${policy.backend_grace}");
      return;
    }
    if (root == "item" && has_item_ && field.empty()) return;
    const Param* param = book_.param(root);
    if (param == nullptr) {
      std::vector<std::string> known;
      for (const Param& each : book_.params) known.push_back(each.name);
      report(place, key, shown + ": no such param, expected one of: " + joined(known));
      return;
    }
    if (field.empty()) return;
    for (const ParamType type : param->types) {
      const auto& fields = fields_of(type);
      if (std::find(fields.begin(), fields.end(), field) == fields.end()) {
        report(place, key,
               shown + ": a " + std::string(to_string(type)) +
                   " has no such field, expected one of: " + joined(fields));
      }
    }
  }

  void step_reference(const std::string& shown, const std::string& field, const Place& place,
                      const std::string& key) {
    const std::string id = field.substr(0, field.find('.'));
    if (field.find('.') == std::string::npos) {
      report(place, key, shown + ": expected ${steps.<id>.<field>}");
      return;
    }
    const auto step = earlier_.find(id);
    if (step == earlier_.end()) {
      std::vector<std::string> known;
      for (const auto& [earlier, info] : earlier_) known.push_back(earlier);
      report(place, key, shown + ": no earlier step " + id + ", expected one of: " + joined(known));
      return;
    }
    const ActionInfo* info = step->second;
    const std::string output = field.substr(id.size() + 1);
    if (info == nullptr ||
        std::find(info->outputs.begin(), info->outputs.end(), output) != info->outputs.end()) {
      return;
    }
    report(place, key,
           shown + ": " + info->name +
               " gives no such field, expected one of: " + joined(info->outputs));
  }

  const Runbook& book_;
  const ActionRegistry& actions_;
  Problems& problems_;
  std::set<std::string> ids_;
  std::map<std::string, const ActionInfo*> earlier_;  // nullptr: there is no such action
  bool has_condition_ = false;                        // the step checked has a `when:`
  bool has_item_ = false;
  std::vector<ParamType> item_;  // what ${item} is
};

}  // namespace

void lint(const Runbook& runbook, const ActionRegistry& actions, Problems& problems) {
  Linter(runbook, actions, problems).check();
}

}  // namespace agent::runbook
