// Guards: what has to be true before something is touched, and the answer with its reason.
//
// Here the raw Facts become judgements: how many stay healthy when the target is taken away,
// whether failures are correlated, whether the budget of disruptive runs is spent. The names a
// guard may use:
//
//   healthy, healthy_after     proxies (backends, for a backend) that serve: now, without the
//   target load, load_after           share of capacity in use: now, without the target
//   telemetry_age              of what is known about the cluster
//   correlated_failure         too many targets of the cluster, or clusters, in trouble at once
//   budget                     disruptive runs are left for the cluster and the fleet
//   target.dead, target.serving, target.state       policy.min_healthy
//   class, confidence          of the runbook, of the evidence
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/runbook/facts.h"
#include "agent/runbook/plan.h"
#include "agent/runbook/policy.h"

namespace agent::runbook {

// Disruptive runs started within the policy's window, without the one in question.
struct BudgetUse {
  int cluster = 0;
  int fleet = 0;
};

struct GuardContext {
  const Plan& plan;
  const Facts& facts;
  const Policy& policy;
  base::Instant now;
  BudgetUse used;
  double confidence = 1;
};

// nullopt: no guard may use this name.
std::optional<Value::Kind> guard_kind(std::string_view name);

std::vector<GuardAnswer> answer(const std::vector<Guard>& guards, const GuardContext& context);
// The first that does not hold (no or unknown); nullptr: all hold.
const GuardAnswer* first_refusal(const std::vector<GuardAnswer>& answers);
Truth needs_approval(const Approval& approval, const GuardContext& context);

struct Correlation {
  bool correlated = false;
  std::string reason;  // "2 of 2 proxies of amber in trouble within 300s, the limit is 2"
};
Correlation correlation(ParamType kind, std::string_view cluster, const Facts& facts,
                        const Policy& policy, base::Instant now);

// What the plan shows as "predicted".
boost::json::object predict(const GuardContext& context);

}  // namespace agent::runbook
