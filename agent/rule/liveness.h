// Liveness: processes that have ended, and processes that are there but serve nobody.
//
// Idea: an end is proof and needs nothing else. "Stuck" is inferred, and needs contrast: a proxy is
// stuck when what it does not answer is answered elsewhere, a backend when neither the proxies nor
// the agent's own probe get an answer. What only starts is not stuck for its first seconds. After
// the agent itself stood still nothing is inferred until fresh samples have come.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/latch.h"
#include "agent/rule/rules.h"
#include "agent/series/sample.h"

namespace agent::rule {

// A link whose canary is not answered although its proxy and its backend are well.
struct LostLink {
  std::string cluster, proxy, backend;
};

// Thread: the detector's. Owner: the detector.
class Liveness {
 public:
  explicit Liveness(const RuleSet& rules) : rules_(rules) {}
  void set_rules(const RuleSet& rules) { rules_ = rules; }

  // Whether the process has ended just now.
  bool proxy_exited(const series::Sample& sample);
  void proxy_heartbeat(const series::Sample& sample);
  void canary(const series::Sample& sample);
  void oldest_in_flight(const series::Sample& sample);
  void connected(const series::Sample& sample);
  bool backend_exited(const series::Sample& sample);
  void backend_probe(const series::Sample& sample);

  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);
  // As of the last evaluate: what is dead, stuck or suspected of it, so that its links prove
  // nothing; and the links that are lost.
  const std::vector<incident::Scope>& sick() const { return sick_; }
  const std::vector<LostLink>& lost() const { return lost_; }

  // A member that left: its verdicts end at the next evaluate.
  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  size_t series_count() const;

 private:
  // What somebody answered: canaries over one link, or the agent's probes of one backend.
  struct Answers {
    base::Instant first, last, last_ok;
    int failures = 0;  // in a row
    void note(bool ok, base::Instant at);
    bool is_silent(base::Instant now, base::Duration silence) const;
    bool was_ok(base::Instant now, base::Duration within) const;
    bool is_starting(base::Instant now) const;
  };
  struct Link {
    Answers canary;
    double oldest = 0;  // the last value beyond the threshold
    base::Instant oldest_at;
    bool connected = true;
    base::Instant connected_at;
    base::Instant last;
  };
  struct Process {
    bool exited = false;
    base::Instant exited_at, last;
    Latch dead, stuck;
    std::string sentence;  // of the stuck verdict
    std::vector<incident::Evidence> evidence;
    double confidence = 1;
    bool is_gone = false;  // forget() was called
  };
  struct Proxy : Process {
    double heartbeat_age = 0;
    base::Instant heartbeat_at, stale_since;
    std::map<std::string, Link> links;
  };
  struct Backend : Process {
    Answers probe;
  };
  struct Cluster {
    std::map<std::string, Proxy> proxies;
    std::map<std::string, Backend> backends;
  };

  enum class Exit { kNoNews, kEnded, kReturned };
  static Exit note_exit(Process& process, const series::Sample& sample);
  bool is_heartbeat_stale(const Proxy& proxy, base::Instant now) const;
  bool is_well(const Backend& backend) const;
  bool has_contrast(const Cluster& cluster, const std::string& proxy, const std::string& backend,
                    base::Instant now) const;
  void judge_proxy(const std::string& name, const Cluster& cluster, const std::string& id,
                   Proxy& proxy, base::Instant now);
  void judge_backend(const std::string& name, const Cluster& cluster, const std::string& id,
                     Backend& backend, base::Instant now);
  void find_lost(const std::string& name, const Cluster& cluster, base::Instant now);
  static bool has_news(const Process& process);
  static void report(const Common& dead, const Common& stuck, const incident::Scope& scope,
                     Process& process, std::vector<incident::Verdict>& out);

  RuleSet rules_;
  std::map<std::string, Cluster> clusters_;
  std::vector<incident::Scope> sick_;
  std::vector<LostLink> lost_;
  base::Instant last_evaluate_;
  base::Instant blind_until_;
};

}  // namespace agent::rule
