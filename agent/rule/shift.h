// The latency shift rule over all clusters: one ShiftCluster each, and what they learned for saving.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/rule/shift_cluster.h"
#include "agent/series/sample.h"

namespace agent::rule {

// A step of the load that was not over: what was learned before it, and the requests a second of the
// cluster then and since.
struct LearnedLoad {
  double slow = 0, all = 0;
  double rate_before = 0, rate = 0;
};
struct LearnedLink {
  std::string cluster, proxy, backend;
  double slow = 0;  // requests learned from, forgotten ones not counted
  double all = 0;
  std::optional<LinkEchoes::Learned> echoes;  // likewise
  std::optional<LearnedLoad> load;
};

// Thread: the detector's. Owner: the detector.
class LatencyShift {
 public:
  explicit LatencyShift(const ShiftRule& rule)
      : rule_(std::make_unique<ShiftRule>(rule)), moments_(std::make_unique<series::Moments>()) {}
  void set_rule(const ShiftRule& rule) { *rule_ = rule; }

  void observe(const series::Sample& pace);
  void lost(const std::string& cluster, const std::string& proxy, const std::string& backend,
            base::Instant now);
  // echo_seconds or echo_lost.
  void echo(const series::Sample& sample, bool lost);
  void busy(const series::Sample& sample);
  void waited(const series::Sample& sample);
  // A dead or stuck member: its links prove nothing now and for the hold time after.
  void exclude(const incident::Scope& sick, base::Instant now);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);
  bool wants_echoes(base::Instant now) const;

  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  std::vector<LearnedLink> learned() const;
  void restore(const LearnedLink& link, base::Instant now);
  size_t series_count() const;

 private:
  ShiftCluster& cluster(const std::string& name);
  // A fresh matrix with what the remaining links have learned.
  template <class Keep>
  void rebuild(const std::string& name, Keep keep);

  std::unique_ptr<ShiftCluster> fresh(const std::string& name);

  std::unique_ptr<ShiftRule> rule_;  // the clusters refer to both
  std::unique_ptr<series::Moments> moments_;
  uint32_t next_number_ = 0;
  std::map<std::string, std::unique_ptr<ShiftCluster>, std::less<>> clusters_;
};

}  // namespace agent::rule
