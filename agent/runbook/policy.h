// Policy: rules/policy.yaml. Which incident calls which runbook, in which mode, and the numbers
// that guards and cooldowns use. Values only; the engine asks, app hands in the text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/runbook/runbook.h"
#include "base/config/yaml.h"
#include "base/time/clock.h"

namespace agent::runbook {

// shadow: decided and recorded, told to nobody. suggest: recorded and told, a person runs it.
// approve: the run waits for a person. auto: it runs.
enum class Mode { kShadow, kSuggest, kApprove, kAuto };
std::string_view to_string(Mode mode);

struct Response {
  std::string runbook;
  std::map<std::string, std::string>
      params;  // param -> text with ${scope.proxy}, ${incident.id}, …
  Mode mode = Mode::kSuggest;
  base::Duration hold_down{0};  // the incident must have lasted this long
  std::string when_correlated;  // the cluster's runbook that takes over; it gets {cluster}
};

// Hours of the day (UTC) in which the mode is at most `mode`.
struct QuietPeriod {
  base::Duration from{0};  // since midnight
  base::Duration to{0};    // may be less than from: past midnight
  Mode mode = Mode::kApprove;
  std::vector<std::string> clusters;  // empty: all
};

struct ClusterPolicy {
  std::optional<int> min_healthy_proxies;
  std::optional<int> min_healthy_backends;
  std::map<std::string, Mode, std::less<>> modes;  // by runbook
};

// A runbook that a person has approved beforehand for a cluster: `approve:` does not ask again.
struct PreApproval {
  std::string runbook;
  std::string cluster;
  std::string by;
  std::string at;
};

struct CooldownOverride {
  base::Duration base{0};
  double factor = 1;
  base::Duration max{0};
};

struct Policy {
  std::string name;
  int min_healthy_proxies = 1;
  int min_healthy_backends = 1;

  // Failures are correlated when at least max(at_least, share of the cluster's) distinct targets,
  // or targets in `clusters` clusters, showed trouble within `window`.
  struct Correlation {
    base::Duration window = std::chrono::minutes(5);
    double share = 1.0 / 3;
    int at_least = 2;
    int clusters = 2;
  } correlation;

  // Disruptive runs started within `window`.
  struct Budget {
    base::Duration window = std::chrono::hours(1);
    int cluster = 6;
    int fleet = 12;
  } budget;

  // After so many starts of the agent within `window` that no orderly end came between, or after its clock
  // jumped, nothing is started for `length`.
  struct ObserveOnly {
    int starts = 5;
    base::Duration window = std::chrono::minutes(5);
    base::Duration length = std::chrono::minutes(10);
  } observe_only;

  int retries_per_run = 10;
  base::Duration backend_grace = std::chrono::seconds(3);  // ${policy.backend_grace}
  base::Duration symptom_return =
      std::chrono::seconds(60);  // a symptom within this makes cooldowns grow
  std::map<incident::Type, Response> responses;
  std::map<std::string, CooldownOverride, std::less<>> cooldowns;  // by runbook
  std::map<std::string, ClusterPolicy, std::less<>> clusters;
  std::vector<QuietPeriod> quiet;
  std::vector<PreApproval> preapproved;

  int min_healthy(std::string_view cluster, ParamType kind) const;
  // The response's mode, overridden by the cluster's, and lowered in quiet periods.
  Mode mode(const Response& response, std::string_view cluster, base::WallTime now) const;
  Cooldown cooldown(const Runbook& runbook) const;
  const PreApproval* preapproval(std::string_view runbook, std::string_view cluster) const;
};

// `library`: runbooks and params named by responses must exist. kInvalid lists every problem.
base::Result<Policy> parse_policy(const SourceText& source, const Library& library);

}  // namespace agent::runbook
