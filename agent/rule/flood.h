// Client flood: a proxy suffers, and one client, or a handful, is why.
//
// Idea: much of anything is nobody's trouble by itself. Three things have to come together. Harm: the
// proxy's busiest worker has no time left, or its requests are slow by the latency shift, or requests are
// turned away at a limit. News: its clients send far more than they usually do, all together. And blame:
// at most a handful of addresses sends most of it and makes up most of what is more, each far more than it
// usually does, and they are not those who usually are most of the load. So a load that grows for
// everybody, a nightly batch that keeps nobody waiting and a deployment, which replaces all clients, are
// none; nor is what grows behind a balancer that shows one address for all.
//
// Counted are commands, malformed ones included: each costs the proxy work. Left out: floods of a few
// commands that cost much each, and of connections (surge.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/busy.h"
#include "agent/rule/rules.h"
#include "agent/rule/surge.h"
#include "agent/rule/told.h"
#include "agent/series/learned.h"
#include "agent/series/sample.h"

namespace agent::rule {

// Thread: the detector's. Owner: the detector. Memory: per proxy 3 KiB and at most kClients clients.
class ClientFlood {
 public:
  explicit ClientFlood(const FloodRule& rule) : rule_(rule) {}
  void set_rule(const FloodRule& rule) { rule_ = rule; }

  void busy(const series::Sample& sample);
  void commands(const series::Sample& sample);
  void client(const series::Sample& sample);
  void refused(const series::Sample& sample);
  // The latency shift says that requests are slow there; of other scopes than a proxy nothing follows.
  void slow(const incident::Scope& scope, base::Instant now);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  std::vector<LearnedLevel> learned() const;
  void restore(const LearnedLevel& level, base::Instant now);
  size_t series_count() const;

 private:
  static constexpr size_t kClients = 128;
  struct Gauge {
    series::Level level;
    double value = 0;
    base::Instant last;
  };
  struct Proxy : Told {
    Gauge all;
    std::map<std::string, Gauge> clients;
    double refused = 0;  // a second
    base::Instant refused_at, slow_at;
    ProxyBusy busy;
    base::Instant over_since;  // ns == 0: no harm, or no news
  };
  // Who sends it.
  struct Blame {
    std::vector<std::string> clients;  // most first; empty: nobody in particular
    double value = 0, usual = 0;       // of them together
  };
  using Name = std::pair<std::string, std::string>;  // cluster, proxy

  Proxy& proxy(const series::SeriesKey& key) { return proxies_[{key.cluster, key.proxy}]; }
  void take(Gauge& gauge, const series::Sample& sample, const Proxy& proxy) const;
  double usual_of(const Gauge& gauge) const;
  bool is_more(const Proxy& proxy, base::Instant now) const;
  // What harm is done, as the end of a sentence about the proxy; empty: none. `busy`: from this share of
  // the time on.
  std::string harm(const Proxy& proxy, double busy, base::Instant now) const;
  Blame blame(const Proxy& proxy, base::Instant now) const;
  void judge(const Name& name, Proxy& proxy, base::Instant now);
  incident::Verdict describe(const Name& name, const Proxy& proxy, const Blame& blame,
                             const std::string& harm) const;

  FloodRule rule_;
  std::map<Name, Proxy> proxies_;
};

}  // namespace agent::rule
