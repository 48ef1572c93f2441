// Traffic drop: requests or connections far below what was always there.
//
// Idea: the mirror of a surge, with a level that a quiet night lowers and a batch job does not raise
// (series/usual.h). A proxy whose traffic the others have taken over is given longer than one whose
// traffic is gone. Who drains, starts again or is in trouble already proves nothing, nor does its
// cluster for a moment after. A hole that closed by itself within a minute teaches patience; a level
// that stays for an hour is the usual one.
//
// Left out: why. Customers who have left look like a network that no longer brings them.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/sample.h"
#include "agent/series/usual.h"

namespace agent::rule {

struct LearnedTraffic {
  std::string cluster, proxy;  // proxy empty: the cluster as a whole
  std::string of;              // "requests", "connections"
  double value = 0;
  double seconds = 0;
};

// Thread: the detector's. Owner: the detector. Memory: two levels per proxy and per cluster.
class Drop {
 public:
  explicit Drop(const DropRule& rule) : rule_(rule) {}
  void set_rule(const DropRule& rule) { rule_ = rule; }

  void requests(const series::Sample& sample);
  void connections(const series::Sample& sample);
  void draining(const series::Sample& sample);
  void exited(const series::Sample& sample);
  // What is in trouble by another rule.
  void exclude(const incident::Scope& sick, base::Instant now);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  std::vector<LearnedTraffic> learned() const;
  void restore(const LearnedTraffic& level, base::Instant now);
  size_t series_count() const;

 private:
  enum Quantity : size_t { kRequests, kConnections, kQuantities };
  struct Flow {
    series::Usual usual;
    double value = 0;
    base::Instant at;           // ns == 0: no value yet
    base::Instant under_since;  // ns == 0: it is not
    base::Duration patience{0};
    base::Instant patient_until;
  };
  struct Meter : Told {
    std::array<Flow, kQuantities> flows;
    base::Instant unsettled_until;
  };
  struct Proxy : Meter {
    bool draining = false, exited = false;
    bool is_gone = false;  // forget() was called
    base::Instant last;
  };
  struct Cluster : Meter {
    std::map<std::string, Proxy> proxies;
    size_t counted = 0;  // proxies in the last sum
    base::Instant summed;
  };

  struct Finding {
    bool start = false, stay = false;
    base::Instant began;
  };

  void take(Quantity quantity, const series::Sample& sample);
  void unsettle(Cluster& cluster, base::Instant now) const;
  void sum(Cluster& cluster, base::Instant now);
  void learn(Meter& meter, Flow& flow, base::Instant now) const;
  bool is_known(const Flow& flow, Quantity quantity, base::Instant now) const;
  Finding look(Meter& meter, bool taken_over, base::Instant now) const;
  void judge(const incident::Scope& scope, Meter& meter, bool taken_over, bool may_start,
             base::Instant now) const;
  bool is_taken_over(const Cluster& cluster, base::Instant now) const;
  incident::Verdict describe(const incident::Scope& scope, const Meter& meter,
                             bool taken_over) const;

  DropRule rule_;
  std::map<std::string, Cluster> clusters_;
};

}  // namespace agent::rule
