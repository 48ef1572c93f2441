// Decision: whether an address filter that somebody wants may be, only count, or not be at all.
// Pure.
//
// The one idea: a block has to be shown to hurt nobody who is served. Who authenticated in the last
// seven days is never blocked, whatever it does: its credential is limited instead. What is not
// known counts against the block: without a whole history, without a fresh look at the live
// connections, or without having counted first, a filter counts and blocks nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/filter/filter.h"
#include "agent/filter/history.h"
#include "agent/filter/subject.h"
#include "base/time/clock.h"

namespace agent::filter {

enum class Outcome { kRefuse, kCount, kBlock };
std::string_view to_string(Outcome outcome);

enum class Reason {
  // It blocks.
  kHarmless,
  // It is refused.
  kNoAddress,       // the text names none
  kTooWide,         // more than one IPv4 address or one IPv6 /64
  kNoRun,           // nobody answers for it
  kBadTtl,          // shorter than a second or longer than an hour
  kProtected,       // an address of the region, or one that it lives by
  kShared,          // an address that is no single host's
  kAllowed,         // on the operator's list
  kAuthenticated,   // it authenticated in the last seven days, or may have
  kConnected,       // an authenticated connection or a credential is behind it now
  kServed,          // what it is answered matters
  kTooMany,         // as many filters stand as may
  kTooMuchTraffic,  // all blocks together would refuse too much of what is answered
  // It counts only.
  kAsked,           // nobody wants more
  kHistory,         // who authenticated is not known for seven days
  kFlowsUnknown,    // live connections are not known, or not of now
  kCanary,          // it has not been counted long enough
  kNothingCounted,  // it was counted and nothing came
};
std::string_view to_string(Reason reason);

struct Wanted {
  std::string address;  // with or without prefix length
  std::string run;
  base::Duration ttl = kUsualTtl;
  bool is_count_only = false;
};

// What is behind the subject now, in all clusters that the filter would stand in.
struct LiveFlows {
  bool is_known = false;
  base::Duration age{0};
  uint64_t connections = 0;
  uint64_t authenticated_connections = 0;
  uint64_t credentials = 0;  // that these use
  uint64_t caches = 0;
  double ok_share = 0;  // of all operations that are answered well, its part
};

// An address of the region, or one that it lives by.
struct Protected {
  Subject subject;
  std::string what;  // "proxy amber-proxy-1"
};

struct Bounds {
  size_t most_filters = 1000;
  double ok_share = 0.001;     // of one block
  double all_ok_share = 0.01;  // of all blocks together
  base::Duration canary = std::chrono::seconds(10);
  base::Duration flows_age = std::chrono::seconds(5);
};

struct Knowledge {
  const AuthenticatedHistory& history;
  base::WallTime wall;
  LiveFlows flows;
  std::vector<Protected>
      protected_places;  // proxies, backends, agents, load balancers, own addresses
  std::vector<Subject> allowed;
  std::vector<Filter> standing;
  double blocked_ok_share = 0;  // of all blocks that stand, as their flows were when they were made
  Bounds bounds;
};

struct Verdict {
  Outcome outcome = Outcome::kRefuse;
  Reason reason = Reason::kNoAddress;
  std::string sentence;  // for a person
  Subject subject;       // unless the reason is kNoAddress or kTooWide
  base::Duration ttl{0};
};

Verdict decide(const Wanted& wanted, const Knowledge& knowledge);

// Why a filter that stands has to go.
enum class LiftReason {
  kNewcomer,    // it authenticated, here or elsewhere
  kConnected,   // packets are refused of one with an authenticated connection
  kProtected,   // the region has this address now
  kAllowed,     // the operator has put it on the list
  kReasonGone,  // its run has ended or its incident is over
  kQuiet,       // nothing has come for a while
};
std::string_view to_string(LiftReason reason);

struct Lift {
  Filter filter;
  LiftReason reason = LiftReason::kReasonGone;
  std::string sentence;
};

// Judges the filters that stand, again and again, at least once a second.
// Thread: one. Owner: whoever keeps the filters of a node.
class LiftJudge {
 public:
  struct Look {
    const AuthenticatedHistory& history;
    base::Instant now;
    std::vector<Subject> newcomers;  // authenticated since the last look, anywhere in the fleet
    std::vector<Subject> connected;  // with an authenticated connection now
    std::vector<Protected> protected_places;
    std::vector<Subject> allowed;
    std::function<bool(const std::string& run)> is_wanted;  // its reason still stands
  };
  explicit LiftJudge(base::Duration quiet = std::chrono::minutes(2)) : quiet_(quiet) {}
  std::vector<Lift> judge(const std::vector<Filter>& standing, const Look& look);

 private:
  struct Seen {
    uint64_t packets = 0;
    base::Instant at;  // of the last change
  };
  bool is_quiet(const Filter& filter, base::Instant now);
  const base::Duration quiet_;
  std::map<std::pair<Subject, Mode>, Seen> seen_;  // of those that stood at the last look
};

}  // namespace agent::filter
