// Runbook: a codified response, as read from runbooks/<name>.yaml.
//
// Values only, in the words of the file. The text a run was started with is pinned: the run keeps
// the text and its SHA-256, and after a crash the same text is read again, so that a reload can
// never change a run half-way. parse_runbook() reads the shape; lint() checks it against the
// actions that exist. Both report every problem as file:line:column.
//
// `${…}` names values: ${param}, ${param.field}, ${steps.<id>.<field>}, ${run.id},
// ${policy.<name>},
// ${item} in a step with `each:`. Nothing else is substituted, and nothing is computed.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/action.h"
#include "agent/runbook/expression.h"
#include "base/config/yaml.h"

namespace agent::runbook {

// `target: {type: cache|backend|cluster}` takes one of several; the value is then "backend/<id>".
struct Param {
  std::string name;
  std::vector<ParamType> types;
  bool required = false;
  std::optional<std::string> fallback;  // `default:`
};

struct Guard {
  Expression expression;
  base::config::Place place;
};

enum class Exhausted { kHandOver, kWait };
// Time that must pass after a run before the next with the same key.
struct Cooldown {
  std::string key;  // with ${…}; empty: none
  base::Duration base{0};
  double factor = 2;  // growth each time the symptom returns within 60 s of a verified run
  base::Duration max{0};
  Exhausted on_exhausted = Exhausted::kHandOver;
};

enum class OnTimeout { kAbort, kHandOver };
struct Approval {
  Expression when;  // over `class` and `confidence`; empty: never
  bool present = false;
  base::Duration timeout = std::chrono::minutes(5);
  OnTimeout on_timeout = OnTimeout::kAbort;
};

// Only after errors that certainly did nothing; never after unknown or timeout.
struct RetryRule {
  int max = 0;
  std::vector<base::ErrorCode> on;
  base::Duration backoff_min = std::chrono::milliseconds(100);
  base::Duration backoff_max = std::chrono::seconds(2);
};

// Holds when `action` passes without a break for `hold` (`for:`), before `within` has gone by.
struct Verify {
  std::string action;
  boost::json::object with;
  base::Duration hold{0};
  base::Duration within = std::chrono::seconds(30);
  base::Duration every = std::chrono::milliseconds(250);
};

struct Undo {
  std::string action;
  boost::json::object with;
};

struct Step {
  std::string id;
  std::string action;  // `do:`
  boost::json::object with;
  std::optional<Expression> when;
  std::string each;  // a reference to a list, frozen by the plan: one step per member
  base::Duration timeout = std::chrono::seconds(30);
  RetryRule retry;
  std::string probe;  // whose probe() answers after a crash; default: the step's own action
  std::optional<Verify> verify;
  std::optional<Undo> undo;
  bool point_of_no_return = false;
  std::optional<std::vector<Guard>> guards;  // replaces the runbook's for this step
  base::config::Place place;
};

struct Runbook {
  std::string name;
  int version = 1;
  std::string summary;
  std::vector<Param> params;
  Class cls = Class::kObserve;
  std::vector<std::string> locks;  // with ${…}
  std::vector<Guard> guards;
  Cooldown cooldown;
  Approval approve;
  std::vector<Step> steps;

  std::string text;    // as read
  std::string sha256;  // of text, hex
  base::config::Place place;

  const Param* param(std::string_view param_name) const;
  boost::json::object to_json() const;  // for runbooks.list and runbooks.show
};

// A file that app has read; rooms that decide read none.
struct SourceText {
  std::string file;
  std::string text;
  SourceText() = default;
  SourceText(std::string f, std::string t) : file(std::move(f)), text(std::move(t)) {}
};

// The shape: keys, types, ranges, expressions. nullopt when problems were added.
std::optional<Runbook> parse_runbook(const SourceText& source, base::config::Problems& problems);
// The sense: unknown actions, inputs, params, fields; a class milder than its actions; a reversible
// step without undo; an empty selection; steps or undos that can never run.
void lint(const Runbook& runbook, const ActionRegistry& actions, base::config::Problems& problems);

// All runbooks, by name. Immutable once built.
class Library {
 public:
  // kInvalid with every problem of every file, one per line.
  static base::Result<Library> build(const std::vector<SourceText>& sources,
                                     const ActionRegistry& actions);
  const Runbook* find(std::string_view name) const;
  const std::map<std::string, Runbook, std::less<>>& all() const { return runbooks_; }

 private:
  std::map<std::string, Runbook, std::less<>> runbooks_;
};

}  // namespace agent::runbook
