// Rerun: a recording judged again, by the rules of then or by tomorrow's.
//
// Idea: the detector is a pure function of what it is told, so telling it the same in the same
// order gives the verdicts that were given live. A recording that begins in the middle begins with
// what had been learned by then; what was wrong at that very moment is found again within seconds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/detector.h"
#include "agent/series/recording.h"

namespace agent::rule {

// A verdict that began, or the last of one that has ended.
struct VerdictChange {
  bool began = true;
  base::Instant at;
  incident::Verdict verdict;
};

// Turns the answers of a detector into changes. Thread: its owner's.
class Changes {
 public:
  // The answer of one evaluation; in the order given.
  std::vector<VerdictChange> take(const std::vector<incident::Verdict>& verdicts, base::Instant at);

 private:
  using Key = std::tuple<std::string, incident::Type, incident::Scope>;
  std::map<Key, incident::Verdict> active_;
};

// Thread: its owner's.
class Rerun {
 public:
  explicit Rerun(RuleSet rules);

  // What changed by this event; empty for all but ticks.
  std::vector<VerdictChange> apply(const series::Event& event);

  uint64_t samples() const { return samples_; }
  uint64_t dropped() const { return dropped_; }  // events that were never written
  // Why what was learned could not be taken up; empty: it could, or there was nothing.
  const std::string& problem() const { return problem_; }
  // The answer of the last tick; for comparing with what was said live.
  const std::vector<incident::Verdict>& verdicts() const { return verdicts_; }

 private:
  void begin(const std::string& learned);

  RuleSet rules_;
  std::unique_ptr<Detector> detector_;
  bool has_begun_ = false;
  base::Instant last_;
  Changes changes_;
  std::vector<incident::Verdict> verdicts_;
  uint64_t samples_ = 0, dropped_ = 0;
  std::string problem_;
};

}  // namespace agent::rule
