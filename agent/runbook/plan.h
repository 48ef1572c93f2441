// Plan: what a run would do, decided completely before anything is touched.
//
// Targets are resolved and frozen (ids, addresses, the members of an `each:` list), guards are
// asked and answered with reasons, the state after is predicted. run() executes exactly this: the
// same text (sha256), the same targets, the same steps; only guards are asked again, before each
// disruptive step.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/runbook/facts.h"
#include "agent/runbook/policy.h"
#include "agent/runbook/runbook.h"

namespace agent::runbook {

struct GuardAnswer {
  std::string guard;
  Truth answer = Truth::kUnknown;
  std::string reason;
};

// Why a plan would not run now.
enum class Hold {
  kNone,
  kGuard,
  kLockHeld,
  kCooldown,
  kCooldownExhausted,
  kMode,
  kHoldDown,
  kPaused,
  kHandedOver,
};
std::string_view to_string(Hold hold);  // "none", "guard", "lock_held", …

// A step as it will be done: `each:` expanded, everything but ${steps.…} and ${run.…} resolved.
struct PlannedStep {
  std::string id;
  Step step;
  Class cls = Class::kObserve;
  boost::json::object with;
  boost::json::object verify_with;
  boost::json::object undo_with;
};

struct Plan {
  Runbook runbook;
  boost::json::object params;   // param -> value, as given or by default
  boost::json::object targets;  // param -> frozen fields (id, kind, cluster, …), also `policy`
  std::string cluster;          // of the first target; empty: none
  std::string target;           // id of the first target
  ParamType target_kind = ParamType::kCluster;
  std::vector<std::string> locks;
  Cooldown cooldown;  // key resolved, overrides applied
  std::vector<PlannedStep> steps;
  std::vector<GuardAnswer> guards;
  boost::json::object predicted;  // healthy now and after, load after
  Hold hold = Hold::kNone;
  std::string hold_text;    // one sentence
  base::WallTime retry_at;  // kCooldown: when it may run; ns == 0 otherwise

  // Of everything that would be done (text, params, targets, steps), not of the guards' answers.
  std::string hash() const;
  boost::json::object to_json() const;
};

// Resolves and freezes; asks no guard. kInvalid: a missing or unknown param, an empty selection;
// kNotFound: no such target.
base::Result<Plan> make_plan(const Runbook& runbook, const boost::json::object& params,
                             const Facts& facts, const Policy& policy,
                             const ActionRegistry& actions);
// The same from targets frozen earlier: how a run is taken up again after a crash.
base::Result<Plan> remake_plan(const Runbook& runbook, const boost::json::object& params,
                               const boost::json::object& targets, const Policy& policy,
                               const ActionRegistry& actions);

}  // namespace agent::runbook
