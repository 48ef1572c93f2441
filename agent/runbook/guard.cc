#include "agent/runbook/guard.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace agent::runbook {
namespace {

using Kind = Value::Kind;

// Backends for a backend; proxies for all else: they are what customers connect to.
ParamType member_kind(const Plan& plan) {
  return plan.target_kind == ParamType::kBackend ? ParamType::kBackend : ParamType::kProxy;
}

struct Members {
  int all = 0;
  int healthy = 0;
  int healthy_after = 0;
};

// Thread: one. Owner: answer(); lives for one set of guards, so that all see the same facts.
class World {
 public:
  explicit World(const GuardContext& context)
      : context_(context),
        cluster_(context.facts.cluster(context.plan.cluster)),
        target_(context.facts.target(context.plan.target_kind, context.plan.target)) {}

  std::optional<Value> value(std::string_view name) const {
    if (!guard_kind(name).has_value()) return std::nullopt;
    if (name == "class") return Value::word(std::string(to_string(context_.plan.runbook.cls)));
    if (name == "confidence") return Value::of(context_.confidence);
    if (name == "budget") return budget();
    if (name.starts_with("target.")) return target_value(name.substr(7));
    if (!cluster_.ok()) return Value::unknown(cluster_.error().context);
    if (name == "correlated_failure") return correlated();
    if (name == "telemetry_age") return Value::seconds(base::to_seconds(cluster_->telemetry_age));
    if (name == "policy.min_healthy") {
      return Value::of(
          context_.policy.min_healthy(context_.plan.cluster, member_kind(context_.plan)));
    }
    if (name == "load") return load(members().healthy);
    if (name == "load_after") return load(members().healthy_after);
    const Members m = members();
    return Value::of(name == "healthy" ? m.healthy : m.healthy_after);
  }

  bool cluster_known() const { return cluster_.ok(); }

  Members members() const {
    const bool backends = member_kind(context_.plan) == ParamType::kBackend;
    Members m;
    m.all = backends ? cluster_->backends : cluster_->proxies;
    m.healthy = backends ? cluster_->backends_healthy : cluster_->proxies_healthy;
    const bool taken = target_.ok() && target_->serving &&
                       (target_->kind == ParamType::kBackend || target_->kind == ParamType::kProxy);
    m.healthy_after = m.healthy - (taken ? 1 : 0);
    return m;
  }

 private:
  Value target_value(std::string_view field) const {
    if (!target_.ok()) return Value::unknown(target_.error().context);
    if (field == "dead") return Value::boolean(target_->proven_dead);
    if (field == "serving") return Value::boolean(target_->serving);
    const auto* state = target_->fields.if_contains("state");
    if (state == nullptr || !state->is_string()) return Value::unknown("the target has no state");
    return Value::word(std::string(state->get_string()));
  }

  // The same demand on fewer members.
  Value load(int members_left) const {
    if (!cluster_->load.has_value()) return Value::unknown("the load is not known");
    if (members_left <= 0) return Value::of(HUGE_VAL, "nobody is left to carry it");
    return Value::of(*cluster_->load * members().healthy / members_left);
  }

  Value budget() const {
    const Policy::Budget& budget = context_.policy.budget;
    const auto said = [&](int used, int limit, const std::string& whose) {
      return std::to_string(used) + " of " + std::to_string(limit) + " disruptive runs " + whose +
             " within " + Value::seconds(base::to_seconds(budget.window)).to_string();
    };
    if (context_.used.cluster >= budget.cluster) {
      return Value::boolean(false, said(context_.used.cluster, budget.cluster, "of the cluster"));
    }
    const bool left = context_.used.fleet < budget.fleet;
    return Value::boolean(left, said(context_.used.fleet, budget.fleet, "of the fleet"));
  }

  Value correlated() const {
    const Correlation found = correlation(member_kind(context_.plan), context_.plan.cluster,
                                          context_.facts, context_.policy, context_.now);
    return Value::boolean(found.correlated, found.reason);
  }

  const GuardContext& context_;
  const base::Result<ClusterFacts> cluster_;
  const base::Result<Target> target_;
};

}  // namespace

std::optional<Kind> guard_kind(std::string_view name) {
  static constexpr std::pair<std::string_view, Kind> kNames[] = {
      {"healthy", Kind::kNumber},
      {"healthy_after", Kind::kNumber},
      {"load", Kind::kNumber},
      {"load_after", Kind::kNumber},
      {"telemetry_age", Kind::kDuration},
      {"correlated_failure", Kind::kBoolean},
      {"budget", Kind::kBoolean},
      {"target.dead", Kind::kBoolean},
      {"target.serving", Kind::kBoolean},
      {"target.state", Kind::kText},
      {"policy.min_healthy", Kind::kNumber},
      {"class", Kind::kText},
      {"confidence", Kind::kNumber},
  };
  for (const auto& [known, kind] : kNames) {
    if (name == known) return kind;
  }
  return std::nullopt;
}

std::vector<GuardAnswer> answer(const std::vector<Guard>& guards, const GuardContext& context) {
  const World world(context);
  const Lookup lookup = [&world](std::string_view name, bool) { return world.value(name); };
  std::vector<GuardAnswer> answers;
  for (const Guard& guard : guards) {
    Expression::Answer given = guard.expression.evaluate(lookup);
    answers.push_back({guard.expression.text(), given.truth, std::move(given.reason)});
  }
  return answers;
}

const GuardAnswer* first_refusal(const std::vector<GuardAnswer>& answers) {
  const auto refuses = [](const GuardAnswer& given) { return given.answer != Truth::kYes; };
  const auto at = std::find_if(answers.begin(), answers.end(), refuses);
  return at == answers.end() ? nullptr : &*at;
}

Truth needs_approval(const Approval& approval, const GuardContext& context) {
  if (!approval.present) return Truth::kNo;
  const World world(context);
  const Lookup lookup = [&world](std::string_view name, bool) { return world.value(name); };
  return approval.when.evaluate(lookup).truth;
}

Correlation correlation(ParamType kind, std::string_view cluster, const Facts& facts,
                        const Policy& policy, base::Instant now) {
  const Policy::Correlation& rule = policy.correlation;
  std::set<std::string> clusters;
  std::set<std::string> targets;
  for (const Symptom& symptom : facts.symptoms(kind, now - rule.window)) {
    clusters.insert(symptom.cluster);
    if (symptom.cluster == cluster) targets.insert(symptom.target);
  }
  const base::Result<ClusterFacts> known = facts.cluster(cluster);
  const bool backends = kind == ParamType::kBackend;
  const int members = !known.ok() ? 0 : backends ? known->backends : known->proxies;
  const int limit = std::max(rule.at_least, static_cast<int>(std::ceil(members * rule.share)));
  const std::string window = Value::seconds(base::to_seconds(rule.window)).to_string();

  Correlation result;
  const auto count = static_cast<int>(targets.size());
  result.reason = std::to_string(count) + " of " + std::to_string(members) +
                  (backends ? " backends of " : " proxies of ") + std::string(cluster) +
                  " in trouble within " + window + ", the limit is " + std::to_string(limit);
  result.correlated = count >= limit;
  if (!result.correlated && static_cast<int>(clusters.size()) >= rule.clusters) {
    result.correlated = true;
    result.reason = std::to_string(clusters.size()) + " clusters in trouble within " + window +
                    ", the limit is " + std::to_string(rule.clusters);
  }
  return result;
}

boost::json::object predict(const GuardContext& context) {
  boost::json::object predicted;
  if (context.plan.cluster.empty()) return predicted;
  const World world(context);
  predicted["cluster"] = context.plan.cluster;
  predicted["of"] = to_string(member_kind(context.plan)) == "backend" ? "backends" : "proxies";
  if (!world.cluster_known()) return predicted;
  const Members members = world.members();
  predicted["members"] = members.all;
  predicted["healthy_now"] = members.healthy;
  predicted["healthy_during"] = members.healthy_after;
  predicted["healthy_after"] =
      std::min(members.all, std::max(members.healthy, members.healthy_after + 1));
  const std::optional<Value> load = world.value("load_after");
  if (load.has_value() && load->kind == Kind::kNumber && std::isfinite(load->number)) {
    predicted["load_during"] = load->number;
  }
  return predicted;
}

}  // namespace agent::runbook
