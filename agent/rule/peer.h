// Peer: one proxy or backend that is unlike the others of its cluster.
//
// Idea: members of a kind share load, keys and network, so what happens to all of them moves them
// together, and who is left behind has a reason of its own. Each is compared with the median of the
// others, in logarithms, after its own learned ratio to the cluster has been taken off: a proxy that
// always holds twice the connections is no news with twice as many, nor is one that held few and now
// holds what all hold. Two that differ among four are two halves; only one, or a minority of less than
// a third, is told. Who drains, has just started or is in trouble by another rule is neither judged
// nor a measure for others; after an end nobody is for a moment, because clients move. A cluster is
// learned first, but errors are no matter of balance or hardware and are judged from the start, as
// is the speed of who joins a cluster that is known. What was told and ended by itself, unless it
// was errors, is known for a day and told again only when it is worse.
//
// Left out: being less than the others (drop.h), differences that grow over hours, which are
// learned, and clusters of three, where nobody can say which one differs.
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/sample.h"

namespace agent::rule {

struct LearnedDifference {
  std::string cluster, proxy, backend;
  std::string of;    // "failures", "latency", "processor", "connections"
  double ratio = 1;  // to the median of all members
  double seconds = 0;
  double known = 1;      // so many times what is usual it was before, and came back by itself
  double known_for = 0;  // so many seconds more that is no news
};

// Thread: the detector's. Owner: the detector. Memory: four ratios per member.
class Peer {
 public:
  enum Quantity : size_t { kFailures, kLatency, kProcessor, kConnections, kQuantities };

  explicit Peer(const PeerRule& rule) : rule_(rule) {}
  void set_rule(const PeerRule& rule) { rule_ = rule; }

  void measured(Quantity quantity, const series::Sample& sample);
  void draining(const series::Sample& sample);
  void exited(const series::Sample& sample);
  // What is in trouble by another rule; of a cluster as a whole: all its members.
  void exclude(const incident::Scope& sick, base::Instant now);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  std::vector<LearnedDifference> learned() const;
  void restore(const LearnedDifference& difference, base::Instant now);
  size_t series_count() const;

 private:
  // The learned logarithm of a member's ratio to the median of all.
  struct Offset {
    double value = 0;
    double seconds = 0;  // how much time it has learned from
    base::Instant last;
    void learn(double ratio, base::Instant at, base::Duration forget);
  };
  struct Flow {
    double value = 0, weight = 0;
    base::Instant at;  // ns == 0: no value yet
    Offset usual;
    base::Instant differs_since;  // ns == 0: it does not
    double highest = 0;           // how far it was out since then, as a logarithm
    double known = 0;             // so far it was out before, and came back by itself
    base::Instant known_until;
    // When it was last compared.
    double expected = 0, median = 0;
    size_t peers = 0;
  };
  struct Member : Told {
    std::array<Flow, kQuantities> flows;
    base::Instant unsettled_until, last;
    bool draining = false, exited = false;
    bool is_gone = false;  // forget() was called
  };
  using MemberName = std::pair<std::string, std::string>;  // proxy, backend: one of them is empty
  struct Cluster {
    std::map<MemberName, Member> members;
    base::Instant compared;
  };
  struct Compared {
    Member* member = nullptr;
    Flow* flow = nullptr;
    double raw = 0;     // logarithm of what was measured
    double level = 0;   // the same without what is usual for it
    double middle = 0;  // the median of the others' levels
    double apart = 0;   // how far it is above what they and its past let expect
    bool out = false, back = false;
  };

  Member& heard_of(const series::Sample& sample);
  void unsettle(Cluster& cluster, base::Instant now) const;
  void compare(Cluster& cluster, bool backends, Quantity quantity, base::Instant now);
  std::vector<Compared> group_of(Cluster& cluster, bool backends, Quantity quantity,
                                 base::Instant now) const;
  bool may_compare(const Member& member, const Flow& flow, Quantity quantity,
                   base::Instant now) const;
  void look(std::vector<Compared>& group, Quantity quantity, base::Instant now) const;
  bool is_known(const Compared& one, size_t known, Quantity quantity) const;
  bool is_far(const std::vector<Compared>& group, const Compared& one) const;
  bool is_much(const Flow& flow, double excess, Quantity quantity, double part) const;
  void mark(Compared& one, Quantity quantity, base::Instant now) const;
  void judge(const MemberName& name, const std::string& cluster, Member& member,
             base::Instant now) const;
  base::Duration lasting(Quantity quantity) const;
  incident::Verdict describe(const incident::Scope& scope, const Member& member,
                             base::Instant now) const;

  PeerRule rule_;
  std::map<std::string, Cluster> clusters_;
};

}  // namespace agent::rule
