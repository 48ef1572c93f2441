// Connection surge: far more connections than usual, and who is behind them.
//
// Idea: compare with each series' own learned level and look at the excess, not at the level. When
// the median client has what it always has and ten clients hold most of the excess, a handful of
// clients did it (client_flood, and a filter may be thought of); when the median client has grown
// too, everybody reconnects, and the cause is elsewhere (connection_surge).
//
// Left out: connections that only moved from a dead proxy to its neighbours; the incident book knows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/learned.h"
#include "agent/series/sample.h"

namespace agent::rule {

struct LearnedLevel {
  std::string cluster, proxy, client;  // one empty: of all clients, or at all proxies
  double value = 0;
  double seconds = 0;
};

// Thread: the detector's. Owner: the detector. Memory: at most kClients clients per cluster.
class Surge {
 public:
  explicit Surge(const SurgeRule& rule) : rule_(rule) {}
  void set_rule(const SurgeRule& rule) { rule_ = rule; }

  void connections(const series::Sample& sample);
  void client(const series::Sample& sample);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  std::vector<LearnedLevel> learned() const;
  void restore(const LearnedLevel& level, base::Instant now);
  size_t series_count() const;

 private:
  static constexpr size_t kClients = 512;
  struct Gauge {
    series::Level level;
    double value = 0;
    base::Instant last;
    bool is_known(const SurgeRule& rule) const {
      return level.seconds() >= base::to_seconds(rule.learn_first);
    }
  };
  struct Cluster : Told {
    std::map<std::string, Gauge> proxies;
    std::map<std::pair<std::string, std::string>, Gauge> clients;  // proxy, client
    base::Instant over_since;                                      // 0: not over
  };
  // Who holds the excess.
  struct Blame {
    double median_ratio = 1;
    double top_share = 0;      // of the ten largest excesses in the whole excess
    std::string first_client;  // the largest, and its part
    double first_share = 0;
    size_t handful = 0;  // clients that make up most of it
  };

  void take(Gauge& gauge, const series::Sample& sample, bool learn);
  Blame blame(const Cluster& cluster, const std::string& proxy, double excess,
              base::Instant now) const;
  void judge(const std::string& name, Cluster& cluster, base::Instant now);
  incident::Verdict describe(const std::string& name, const Cluster& cluster, double value,
                             double usual, base::Instant now) const;

  SurgeRule rule_;
  std::map<std::string, Cluster> clusters_;
};

}  // namespace agent::rule
