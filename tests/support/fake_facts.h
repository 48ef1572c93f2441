// FakeFacts: the world as a runbook's guards see it, set by hand.
//
// Starts as one region: clusters amber and birch, two healthy proxies and two healthy backends each,
// and the cache 12 in amber.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/runbook/facts.h"

namespace test {

// Thread: one. Owner: the test.
class FakeFacts final : public agent::runbook::Facts {
 public:
  FakeFacts();
  base::Result<agent::runbook::Target> target(agent::runbook::ParamType kind,
                                              std::string_view id) const override;
  base::Result<agent::runbook::ClusterFacts> cluster(std::string_view name) const override;
  std::vector<agent::runbook::Symptom> symptoms(agent::runbook::ParamType kind,
                                                base::Instant since) const override;

  void kill(const std::string& id);    // proven dead
  void stop(const std::string& id);    // stuck
  void revive(const std::string& id);  // up again; its symptom stays in memory
  void set_load(const std::string& cluster, std::optional<double> load);
  void set_telemetry_age(base::Duration age) { age_ = age; }
  void forget_symptoms() { symptoms_.clear(); }

 private:
  struct Member {
    agent::runbook::Target target;
    bool is_up() const { return target.serving; }
  };
  void add(agent::runbook::ParamType kind, const std::string& cluster, const std::string& id);
  void set_state(const std::string& id, const char* state, bool serving, bool dead);

  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, std::optional<double>, std::less<>> load_;
  std::vector<std::pair<agent::runbook::ParamType, agent::runbook::Symptom>> symptoms_;
  base::Duration age_ = std::chrono::milliseconds(100);
};

}  // namespace test
