// Silence: a source that the agent has always heard says nothing any more, though its process runs.
//
// Idea: what is not measured cannot be found wrong; without this rule it would look well. Each
// source has its own learned rhythm, and is missed when it has been away for many times its longest
// usual gap. One that is missed each time until it is heard has another rhythm now: a new one is known
// after as many gaps as the first was. What is silent at all members of a cluster is one thing. A process that ended, one in
// trouble already and the agent's own standing still explain silence and are not told again.
//
// Left out: sources that never spoke.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/sample.h"

namespace agent::rule {

struct LearnedRhythm {
  std::string cluster, proxy, backend;
  std::string of;  // the series: "canary_ok", …
  double gap = 0;  // the longest usual one, in seconds
};

// Thread: the detector's. Owner: the detector. Memory: five rhythms per member.
class Silence {
 public:
  enum Source : size_t { kTelemetry, kCanary, kConnections, kProbe, kStatistics, kSources };

  explicit Silence(const SilenceRule& rule) : rule_(rule) {}
  void set_rule(const SilenceRule& rule) { rule_ = rule; }

  void heard(Source source, const series::Sample& sample);
  void exited(const series::Sample& sample);
  // What is in trouble by another rule.
  void exclude(const incident::Scope& sick, base::Instant now);
  // The agent is awake: to be called more often than evaluate(), which alone does not know how long it stood
  // still.
  void ticked(base::Instant now);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  // Who is not heard any more after restore() is missed as if it had been heard just then.
  std::vector<LearnedRhythm> learned() const;
  void restore(const LearnedRhythm& rhythm, base::Instant now);
  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  size_t series_count() const;

 private:
  struct Rhythm {
    base::Instant last;  // ns == 0: never heard
    int times = 0;
    double gap = 0;  // the longest usual one, in seconds
    // So often in a row it was heard again only after it had been missed, at most after so long.
    int slow_times = 0;
    double slow_gap = 0;
  };
  struct Member : Told {
    std::array<Rhythm, kSources> rhythms;
    base::Instant running_since;  // ns == 0: it is not known to run
    base::Instant running_at, last;
    bool is_gone = false;  // forget() was called
  };
  struct Cluster : Told {
    std::map<std::pair<std::string, std::string>, Member> members;  // proxy, backend
    base::Instant unsettled_until;
  };

  double limit(const Rhythm& rhythm) const;
  void learn(Rhythm& rhythm, double gap) const;
  bool is_judged(const Member& member, base::Instant now) const;
  void judge(const std::string& name, Cluster& cluster, base::Instant now);
  void tell(const incident::Scope& scope, Told& told, const Member* of,
            const std::array<bool, kSources>& silent, bool may_start, base::Instant now) const;

  SilenceRule rule_;
  std::map<std::string, Cluster> clusters_;
  base::Instant last_tick_;
};

}  // namespace agent::rule
