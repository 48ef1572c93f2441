// Rules: what the detector tests and from which value on it calls something trouble.
//
// One file of rules/ is one rule: its name, the incident type it reports, the kind of test, and the
// thresholds of that test with their units. The kinds of test are few and built in, because each is
// a piece of statistics with a memory (detector.h); the files tune them, they do not program them.
// Every key may be left out; the defaults are the member initialisers here, and the shipped files
// say the same (a test holds that). A rule whose file is missing or says `enabled: false` is not
// run.
#pragma once

#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::rule {

using namespace std::chrono_literals;

struct Common {
  std::string name;
  incident::Type type = incident::Type::kOther;
  bool enabled = true;
};

// test: exit. The process has ended, told by its parent or its lock: proof, at once.
struct ExitRule : Common {};

// test: proxy_stuck. The process is there but serves nobody.
struct ProxyStuckRule : Common {
  base::Duration heartbeat_age = 1500ms;  // a worker has not turned its loop for so long
  base::Duration heartbeat_alone = 5s;    // so long is enough, whatever canaries say
  int canary_failures = 2;                // in a row, on every backend through this proxy,
  base::Duration canary_silence = 2s;     // the last success of each at least so long ago,
  base::Duration contrast_within = 5s;    // while elsewhere those backends answered within so long
  base::Duration clear_after = 1s;        // healthy for so long: over
};

// test: backend_stuck. It accepts connections but does not answer, whoever asks.
struct BackendStuckRule : Common {
  int probe_failures = 1;                   // of the agent's own probe, in a row,
  base::Duration silence = 1s;              // its last success at least so long ago,
  base::Duration oldest_in_flight = 500ms;  // and this through every proxy, or a failing canary,
  base::Duration window = 2500ms;           // observed within so long
  base::Duration clear_after = 1s;
};

// test: surge. Established connections against a learned level; who is behind them.
struct SurgeRule : Common {
  double factor = 3;           // times the learned level
  double least_excess = 1000;  // connections above it; small numbers are nobody's trouble
  base::Duration lasting = 3s;
  double clear_factor = 1.5;
  base::Duration clear_after = 10s;
  base::Duration learn_first = 30s;  // a new series is only learned for so long
  base::Duration forget = 30min;     // time constant of the learned level
  // A handful explains it: the median client is below `median_ratio` times its own level, and the
  // ten largest excesses are at least `top_share` of the whole excess. Then the type is
  // client_flood.
  double median_ratio = 1.2;
  double top_share = 0.6;
};

// test: shift. The share of slow requests on the proxy-backend links against a learned share.
struct ShiftRule : Common {
  double least_share = 0.01;      // a learned share below counts as this: tiny traffic stays calm
  double fault_share = 0.10;      // the share of a fault worth telling
  double ratio = 4;               // or so many times the learned share, whichever is more
  double threshold_cluster = 40;  // log likelihood ratio summed over the proxies of a cluster
  double threshold_single = 80;   // the same for one proxy, backend or link alone
  double slot_cap = 3;            // what one 10 ms slot of one proxy may add
  // Quarter seconds with slow requests before anything is said; one fewer for every two proxies above
  // two that look, but 2 at least for a cluster and 3 for one place in it; these, too, where the proxies
  // had a core whenever they wanted one.
  int spread = 5;
  base::Duration hold = 5s;  // after a start, a restart or a step of the load
  double load_step = 2;      // times the usual request rate
  base::Duration forget = 30min;
  double clip = 3;  // an excursion teaches at most so many times the learned share
  // Slow requests are a proxy's own while its busiest worker
  double busy = 0.95;    // worked or waited for so much of the time,
  double no_core = 0.3;  // or waited for a core for so much of it.
  base::Duration clear_after = 5s;
};

// test: flood. Requests by client against a learned level, at a proxy that suffers.
struct FloodRule : Common {
  double factor = 1.5;         // times the learned level of all its clients together,
  double least_excess = 1000;  // requests a second above it,
  double busy = 0.95;          // while its busiest worker ran or waited for so much of the time,
  double least_refused = 50;   // or so many are refused a second at a limit, or it is slow,
  base::Duration lasting = 2s;
  int clients = 3;           // at most so many addresses
  double share = 0.6;        // send so much of it all, and of what is above the usual,
  double client_factor = 3;  // each so many times what it usually does
  base::Duration clear_after = 10s;
  base::Duration learn_first = 1min;  // a new proxy or client is only learned for so long
  base::Duration forget = 30min;
};

// test: drop. Requests and connections against the level that was always there; per proxy, and per
// cluster as a whole.
struct DropRule : Common {
  double share = 0.25;         // of the usual level: below is a drop
  double least_requests = 50;  // a second; a usual level below matters to nobody
  double least_connections = 50;
  base::Duration lasting = 5s;
  base::Duration moved_lasting = 60s;  // when the cluster's other proxies have taken over
  double clear_share = 0.5;            // of the usual level, and more
  base::Duration clear_after = 10s;
  base::Duration learn_first = 15min;
  base::Duration hold = 30s;         // after a drain, a restart or trouble of a member
  base::Duration accept_after = 1h;  // then this is what is usual
  base::Duration forget = 30min;
};

// test: absence. A source that was always heard is silent though its process runs.
struct SilenceRule : Common {
  base::Duration silence = 10s;
  double times = 8;  // its longest usual gap; a host that is full makes gaps six times as long
  base::Duration hold = 30s;  // after a start, or trouble of a member of the cluster
  base::Duration clear_after = 5s;
};

// test: saturation. What is running out: value in use against what there is.
struct SaturationRule : Common {
  base::Duration within = 1h;  // full by then, by the median slope of the last minutes,
  double least = 0.6;          // with at least so much in use; or
  double full = 0.95;          // so much, whatever the slope
  base::Duration clear_after = 1min;
};

// test: expiry. A certificate's end.
struct ExpiryRule : Common {
  double days = 14;  // left: fewer than so many
};

// test: peer. One member of a cluster against the others of its kind, each by what is usual for it.
struct PeerRule : Common {
  int members = 4;             // that can be compared; among fewer nobody can say which one differs
  double least_requests = 50;  // a second, of a member that is compared
  double factor = 3;           // times the median of its peers, corrected by what is usual for it;
  double spread = 6;           // so many deviations of its peers (median absolute ones) beyond it;
  double least_failures = 0.005;          // and at least so much more: of its requests,
  base::Duration least_latency = 2ms;     // in the 99th percentile,
  double least_cores = 0.2;               // of what its requests take,
  double least_connections = 300;         // or open connections;
  base::Duration lasting_failures = 30s;  // for so long, what clients get errors of,
  base::Duration lasting = 3min;          // or so long, all else
  double clear_factor = 2;
  base::Duration clear_after = 1min;
  base::Duration learn_first = 15min;
  base::Duration hold = 30s;         // after a start, a drain, an end of a peer or other trouble
  base::Duration accept_after = 2h;  // then this is what is usual
  base::Duration forget = 6h;
};

struct RuleSet {
  ExitRule proxy_dead;
  ProxyStuckRule proxy_stuck;
  ExitRule backend_dead;
  BackendStuckRule backend_stuck;
  SurgeRule connection_surge;
  ShiftRule latency_shift;
  DropRule traffic_drop;
  SilenceRule telemetry_silent;
  SaturationRule resources_low;
  ExpiryRule certificate_expiring;
  PeerRule peer_differs;
  FloodRule client_flood;

  // All rules on, with the defaults above.
  RuleSet();
};

// Of those that are enabled.
std::vector<std::string> rule_names(const RuleSet& rules);

struct RuleFile {
  std::string name;  // for messages: "rules/latency_shift.yaml"
  std::string text;
};

// All files or none: kInvalid lists every problem of every file as file:line:column. Only the rules
// named by a file are enabled. The policy*.yaml beside them are no rules; leave them out.
base::Result<RuleSet> parse_rules(const std::vector<RuleFile>& files);

}  // namespace agent::rule
