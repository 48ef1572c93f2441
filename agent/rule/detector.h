// The detector: samples in, verdicts out. It decides what is wrong and where; what that means for
// people is the incident book's business (incident/book.h).
//
// Idea: one test per kind of trouble, each with a small memory per series, all pure functions of
// the samples and the times given to them. The same samples in the same order give the same
// verdicts, live, in replay and in the simulator. What is proven (a process has ended) is said at
// once; what is inferred needs contrast: another proxy, the agent's own probe, the learned level.
//
// Cost: O(1) per sample; bounded memory per series; a series silent for an hour is forgotten. Left
// out: what to do about it, and merging verdicts of one cause.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/series/sample.h"
#include "base/core/result.h"

namespace agent::rule {

// Thread: the control thread's. Owner: app. Invariant: time never goes back (an older sample of a
// series than its last is taken as of its last).
class Detector {
 public:
  explicit Detector(RuleSet rules);
  ~Detector();
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;

  void observe(const series::Sample& sample);
  // Every verdict that is active, and once those that have ended since the last call (active
  // false). Call at 10 Hz; more seldom only delays.
  std::vector<incident::Verdict> evaluate(base::Instant now);

  // As of the last call of evaluate(): there is a new trouble about which echoes may say more, the more
  // of them the sooner.
  bool wants_echoes() const;

  // New thresholds; what was learned stays.
  void set_rules(RuleSet rules);
  // A proxy or backend that left for good: its series are forgotten and its verdicts end.
  void forget(const incident::Scope& gone);

  // The learned levels and shares as JSON text, for the store; a few hundred bytes per series.
  // After restore() the learned values hold at once; on kInvalid nothing has changed.
  std::string save() const;
  base::Result<> restore(std::string_view text, base::Instant now);

  size_t series_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent::rule
