// Facts: what the engine may ask about the world before it touches anything.
//
// Raw facts only; what follows from them (may this proxy be taken away? are these failures
// correlated?) is decided in guard.h with the policy's numbers, so that it is tested in one place.
// A fact that cannot be read is said to be unknown, and an unknown fact never makes a guard hold.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/runbook.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::runbook {

// One thing of the region. `fields` is what ${param.field} may name:
//   proxy, backend: address, port, state (up|starting|stuck|dead|draining|ejected)
//   cluster: proxies, backends, dead_proxies (lists of ids)          cache: label
// id, kind and cluster are added by the engine.
struct Target {
  ParamType kind = ParamType::kProxy;
  std::string id;
  std::string cluster;
  boost::json::object fields;
  bool serving = false;      // counted in ClusterFacts::*_healthy
  bool proven_dead = false;  // its process is known to have ended: taking it away takes nothing
};

struct ClusterFacts {
  int proxies = 0;
  int proxies_healthy = 0;
  int backends = 0;
  int backends_healthy = 0;
  std::optional<double> load;  // of the healthy proxies, 0..1: mean share of their capacity in use
  base::Duration telemetry_age{0};  // of the newest collection about this cluster
};

// A proxy or backend that was in trouble at some time since `since`, over or not.
struct Symptom {
  std::string cluster;
  std::string target;
};

// Thread: the control thread's. Owner: app. Answers from memory; never waits.
class Facts {
 public:
  virtual ~Facts() = default;
  // kNotFound: there is none with this id.
  virtual base::Result<Target> target(ParamType kind, std::string_view id) const = 0;
  virtual base::Result<ClusterFacts> cluster(std::string_view name) const = 0;
  // Each target once. `kind` is kProxy or kBackend.
  virtual std::vector<Symptom> symptoms(ParamType kind, base::Instant since) const = 0;
};

}  // namespace agent::runbook
