// Client flood: a proxy suffers, and one client, or a handful, is why.
//
// Idea: much of anything is nobody's trouble by itself. Three things have to come together. Harm: the
// proxy's busiest worker has no time left, or its requests are slow by the latency shift, or requests are
// turned away at a limit. Those that a backend's queue had no room for are the slow backend's, and make
// clients ask again, unless what the backends did take is news by itself. News: its clients send far more
// than they usually do, all together. And blame: at most a handful of addresses sends most of it and makes
// up most of what is more, each far more than it usually does, and they are not those who usually are most
// of the load. So a load that grows for everybody, a nightly batch that keeps nobody waiting and a
// deployment, which replaces all clients, are none; nor is what grows behind a balancer that shows one
// address for all.
//
// What a client usually sends is the mean over the time for which its proxy is known, at most half an hour by
// default, and no more than all usually send together: who is new sent nothing before, and who sends more and
// more from its first minute on does not become usual by that. What it usually sends elsewhere in the cluster
// and does not now it may well send here: a client that has moved, because its proxy ended or drains or by a
// balancer's choice, does what it always did. Of a proxy that has not told since the harm began nobody knows,
// and it counts as one that clients have left. While nobody is to blame, what is sent becomes usual, before
// what was usual elsewhere is forgotten.
//
// Who was named stays so while by somewhat lower bounds they are to blame. When others are, for as long as
// it takes to be named, the verdict is about those; when nobody in particular is, it ends.
//
// A proxy that is hardly busy tells the rates of ten seconds at once. One such telling may be about a moment,
// so it takes two for anything to have lasted.
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

// Thread: the detector's. Owner: the detector. Memory: per proxy 3 KiB and at most kClients clients; per
// cluster at most kClusterClients.
class ClientFlood {
 public:
  explicit ClientFlood(const FloodRule& rule) : rule_(rule) {}
  void set_rule(const FloodRule& rule) { rule_ = rule; }

  void busy(const series::Sample& sample);
  void waited(const series::Sample& sample);
  void commands(const series::Sample& sample);
  void client(const series::Sample& sample);
  void refused(const series::Sample& sample);
  void unqueued(const series::Sample& sample);
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
  static constexpr size_t kClusterClients = 512;
  struct Gauge {
    series::Level level;
    double value = 0;
    base::Instant last;
  };
  using Clients = std::map<std::string, Gauge>;
  // For how long something has been so; by what was told.
  struct Spell {
    base::Instant since;  // ns == 0: it is not
    base::Instant told;   // when the first of the rates was told that showed it
    void go_on(base::Instant now, base::Instant rates_told) {
      if (since.ns == 0) *this = {now, rates_told};
    }
    bool has_lasted(base::Duration lasting, base::Instant now, base::Instant rates_told) const {
      return now - since >= lasting && rates_told > told;
    }
  };
  struct Proxy : Told {
    Gauge all;
    Clients clients;
    double refused = 0, unqueued = 0;  // a second
    base::Instant refused_at, unqueued_at, slow_at;
    ProxyBusy busy;
    Spell over;     // harm, and more is sent than usual, be it what has moved there
    Spell doubted;  // who was named is not to blame any more
    std::vector<std::string> named;  // while it is told: who is to blame
    bool is_blameless = false;       // of the harm at hand nobody in particular is to blame
    // What is sent may become usual.
    bool is_calm() const { return !latch.active() && (over.since.ns == 0 || is_blameless); }
  };
  struct Cluster {
    std::map<std::string, Proxy> proxies;
    Clients clients;  // over all proxies
  };
  // What a client sends at a proxy, and what it usually does there.
  struct Part {
    const std::string* client = nullptr;
    double value = 0;
    double usual = 0;  // with
    double moved = 0;  // what it usually sends elsewhere, and does not now
  };
  // All that is sent at a proxy, and who sends it: most first.
  struct Load {
    double value = 0;
    double usual = 0;  // with
    double moved = 0;  // what has moved there
    std::vector<Part> parts;
  };
  // Who is to blame for it.
  struct Blame {
    std::vector<std::string> clients;        // most first; empty: nobody in particular
    double value = 0, usual = 0, moved = 0;  // of them together
  };

  Proxy& proxy(const series::SeriesKey& key) { return clusters_[key.cluster].proxies[key.proxy]; }
  static Gauge& gauge(Clients& clients, const std::string& client, size_t most);
  void take(Gauge& gauge, double value, base::Instant at, bool calm) const;
  double usual_of(const Gauge& gauge) const;
  double usual_here(const Gauge& client, const Proxy& proxy) const;
  double usual_elsewhere(const Cluster& cluster, const std::string& client,
                         const Proxy& here) const;
  static double sent_since(const Cluster& cluster, const std::string& client, base::Instant since,
                           const Proxy* but = nullptr);
  bool is_more(double value, double usual) const;
  Load load(const Cluster& cluster, const Proxy& proxy, base::Instant now) const;
  // What harm is done, as the end of a sentence about the proxy; empty: none. `busy`: from this share of
  // the time on.
  std::string harm(const Proxy& proxy, double busy, base::Instant now) const;
  double refused(const Proxy& proxy, base::Instant now) const;
  Blame blame(const Load& load) const;
  // By bounds that much lower.
  bool is_far_more(const Part& part, double lower) const;
  bool is_most(const Blame& blame, const Load& load, double lower) const;
  bool is_still_to_blame(const std::vector<std::string>& named, const Load& load) const;
  // What is told of a harm that goes on: whether somebody is to blame for it.
  bool examine(const incident::Scope& where, Proxy& proxy, const Load& load,
               const std::string& harm, base::Instant now) const;
  void judge(const incident::Scope& where, const Cluster& cluster, Proxy& proxy, base::Instant now);
  incident::Verdict describe(const incident::Scope& where, const Load& load, const Blame& blame,
                             const std::string& harm) const;

  FloodRule rule_;
  std::map<std::string, Cluster> clusters_;
};

}  // namespace agent::rule
