#include "agent/rule/rules.h"

#include <algorithm>
#include <array>
#include <set>
#include <type_traits>

#include "agent/incident/wording.h"
#include "base/config/yaml.h"

namespace agent::rule {

namespace {

using base::config::Map;
using base::config::Node;
using incident::Type;

// What `test:` may say, in the order of kTests' use below.
enum Test : size_t {
  kExit,
  kProxyStuck,
  kBackendStuck,
  kSurge,
  kShift,
  kDrop,
  kAbsence,
  kSaturation,
  kExpiry,
  kPeer,
  kFlood
};
const std::vector<std::string> kTests = {"exit",   "proxy_stuck", "backend_stuck", "surge",
                                         "shift",  "drop",        "absence",       "saturation",
                                         "expiry", "peer",        "flood"};

// What a rule of each test may report.
const std::vector<std::vector<Type>> kTypes = {{Type::kProxyDead, Type::kBackendDead},
                                               {Type::kProxyStuck},
                                               {Type::kBackendStuck},
                                               {Type::kConnectionSurge},
                                               {Type::kNetworkDegraded},
                                               {Type::kOther},
                                               {Type::kOther},
                                               {Type::kResourcesLow},
                                               {Type::kCertificateExpiring},
                                               {Type::kOther},
                                               {Type::kClientFlood}};

// `Set`: a RuleSet, constant or not.
template <class Set>
auto all_rules(Set& rules) {
  using Rule = std::conditional_t<std::is_const_v<Set>, const Common, Common>;
  return std::to_array<Rule*>({&rules.proxy_dead, &rules.proxy_stuck, &rules.backend_dead,
                               &rules.backend_stuck, &rules.connection_surge, &rules.latency_shift,
                               &rules.traffic_drop, &rules.telemetry_silent, &rules.resources_low,
                               &rules.certificate_expiring, &rules.peer_differs,
                               &rules.client_flood});
}

constexpr base::Duration kLeast = 10ms;
constexpr base::Duration kMost = 24h;

// A key of the file and the member it sets; the member's own value is the default.
void read(Map& map, const char* key, base::Duration& member) {
  member = map.duration(key, member, kLeast, kMost);
}
void read(Map& map, const char* key, double& member, double min, double max) {
  member = map.number(key, member, min, max);
}
void read(Map& map, const char* key, int& member, int min, int max) {
  member = static_cast<int>(map.integer(key, member, min, max));
}

void read_thresholds(Map&, ExitRule&) {}

void read_thresholds(Map& map, ProxyStuckRule& rule) {
  read(map, "heartbeat_age", rule.heartbeat_age);
  read(map, "heartbeat_alone", rule.heartbeat_alone);
  read(map, "canary_failures", rule.canary_failures, 1, 1000);
  read(map, "canary_silence", rule.canary_silence);
  read(map, "contrast_within", rule.contrast_within);
  read(map, "clear_after", rule.clear_after);
}

void read_thresholds(Map& map, BackendStuckRule& rule) {
  read(map, "probe_failures", rule.probe_failures, 1, 1000);
  read(map, "silence", rule.silence);
  read(map, "oldest_in_flight", rule.oldest_in_flight);
  read(map, "window", rule.window);
  read(map, "clear_after", rule.clear_after);
}

void read_thresholds(Map& map, SurgeRule& rule) {
  read(map, "factor", rule.factor, 1.1, 1000);
  read(map, "least_excess", rule.least_excess, 1, 1e9);
  read(map, "lasting", rule.lasting);
  read(map, "clear_factor", rule.clear_factor, 1, 1000);
  read(map, "clear_after", rule.clear_after);
  read(map, "learn_first", rule.learn_first);
  read(map, "forget", rule.forget);
  read(map, "median_ratio", rule.median_ratio, 1, 1000);
  rule.top_share = map.share("top_share", rule.top_share);
}

void read_thresholds(Map& map, ShiftRule& rule) {
  rule.least_share = map.share("least_share", rule.least_share);
  rule.fault_share = map.share("fault_share", rule.fault_share);
  read(map, "ratio", rule.ratio, 1.5, 100);
  read(map, "threshold_cluster", rule.threshold_cluster, 1, 1e6);
  read(map, "threshold_single", rule.threshold_single, 1, 1e6);
  read(map, "slot_cap", rule.slot_cap, 0.1, 1000);
  read(map, "spread", rule.spread, 1, 100);
  read(map, "hold", rule.hold);
  read(map, "load_step", rule.load_step, 1.1, 1000);
  read(map, "forget", rule.forget);
  read(map, "clip", rule.clip, 1, 100);
  rule.busy = map.share("busy", rule.busy);
  rule.no_core = map.share("no_core", rule.no_core);
  read(map, "clear_after", rule.clear_after);
}

void read_thresholds(Map& map, FloodRule& rule) {
  read(map, "factor", rule.factor, 1.1, 1000);
  read(map, "least_excess", rule.least_excess, 1, 1e9);
  rule.busy = map.share("busy", rule.busy);
  read(map, "least_refused", rule.least_refused, 1, 1e9);
  read(map, "lasting", rule.lasting);
  read(map, "clients", rule.clients, 1, 10);
  rule.share = map.share("share", rule.share);
  read(map, "client_factor", rule.client_factor, 1.1, 1000);
  read(map, "clear_after", rule.clear_after);
  read(map, "learn_first", rule.learn_first);
  read(map, "forget", rule.forget);
}

void read_thresholds(Map& map, DropRule& rule) {
  rule.share = map.share("share", rule.share);
  read(map, "least_requests", rule.least_requests, 1, 1e9);
  read(map, "least_connections", rule.least_connections, 1, 1e9);
  read(map, "lasting", rule.lasting);
  read(map, "moved_lasting", rule.moved_lasting);
  rule.clear_share = map.share("clear_share", rule.clear_share);
  read(map, "clear_after", rule.clear_after);
  read(map, "learn_first", rule.learn_first);
  read(map, "hold", rule.hold);
  read(map, "accept_after", rule.accept_after);
  read(map, "forget", rule.forget);
}

void read_thresholds(Map& map, SilenceRule& rule) {
  read(map, "silence", rule.silence);
  read(map, "times", rule.times, 2, 1000);
  read(map, "hold", rule.hold);
  read(map, "clear_after", rule.clear_after);
}

void read_thresholds(Map& map, SaturationRule& rule) {
  read(map, "within", rule.within);
  rule.least = map.share("least", rule.least);
  rule.full = map.share("full", rule.full);
  read(map, "clear_after", rule.clear_after);
}

void read_thresholds(Map& map, ExpiryRule& rule) {
  read(map, "days", rule.days, 0.01, 3650);
}

void read_thresholds(Map& map, PeerRule& rule) {
  read(map, "members", rule.members, 4, 1000);
  read(map, "least_requests", rule.least_requests, 1, 1e9);
  read(map, "factor", rule.factor, 1.1, 1000);
  read(map, "spread", rule.spread, 1, 1000);
  rule.least_failures = map.share("least_failures", rule.least_failures);
  rule.least_latency = map.duration("least_latency", rule.least_latency, 100us, 1min);
  read(map, "least_cores", rule.least_cores, 0.01, 1000);
  read(map, "least_connections", rule.least_connections, 1, 1e9);
  read(map, "lasting_failures", rule.lasting_failures);
  read(map, "lasting", rule.lasting);
  read(map, "clear_factor", rule.clear_factor, 1, 1000);
  read(map, "clear_after", rule.clear_after);
  read(map, "learn_first", rule.learn_first);
  read(map, "hold", rule.hold);
  read(map, "accept_after", rule.accept_after);
  read(map, "forget", rule.forget);
}

// Shares that would make the likelihood ratio meaningless.
void check(Map& map, const ShiftRule& rule) {
  if (rule.least_share > 0 && rule.fault_share > rule.least_share && rule.fault_share < 0.9) return;
  const auto given = map.optional("fault_share");
  const Node node = given ? *given : map.optional("least_share").value_or(map.node());
  node.problem("fault_share above least_share and below 90%");
}
void check(Map& map, const DropRule& rule) {
  if (rule.clear_share >= rule.share) return;
  map.optional("clear_share").value_or(map.node()).problem("clear_share of at least share");
}
void check(Map& map, const PeerRule& rule) {
  if (rule.clear_factor <= rule.factor) return;
  map.optional("clear_factor").value_or(map.node()).problem("clear_factor of at most factor");
}
void check(Map&, const Common&) {}

// Where the rule of a file goes: told by its test, and for exits by its type.
class Loader {
 public:
  explicit Loader(base::config::Problems& problems) : problems_(problems) {
    for (Common* rule : all_rules(rules_)) rule->enabled = false;
  }

  void load(const RuleFile& file) {
    const size_t before = problems_.size();
    const Node root = base::config::Document::parse(file.text, file.name, problems_);
    if (problems_.size() > before) return;
    Map map(root);
    const std::string name = map.required("rule").text();
    const Node type_node = map.required("type");
    const auto type = incident::parse_type(type_node.text());
    map.required("test");
    const auto test = map.choice("test", kExit, kTests);
    if (problems_.size() == before) {
      if (!type || !fits(test, *type)) {
        type_node.problem(expected_type(test));
      } else {
        read_rule(map, name, test, *type);
      }
      map.finish();
    }
  }

  RuleSet take() { return std::move(rules_); }

 private:
  static bool fits(size_t test, Type type) {
    return std::find(kTypes[test].begin(), kTypes[test].end(), type) != kTypes[test].end();
  }
  static std::string expected_type(size_t test) {
    std::string text;
    for (const Type type : kTypes[test]) {
      text += (text.empty() ? "" : " or ") + std::string(incident::to_string(type));
    }
    return text + " for test: " + kTests[test];
  }

  void read_rule(Map& map, const std::string& name, size_t test, Type type) {
    switch (test) {
      case kExit:
        return fill(map, name, type == Type::kProxyDead ? rules_.proxy_dead : rules_.backend_dead);
      case kProxyStuck:
        return fill(map, name, rules_.proxy_stuck);
      case kBackendStuck:
        return fill(map, name, rules_.backend_stuck);
      case kSurge:
        return fill(map, name, rules_.connection_surge);
      case kDrop:
        return fill(map, name, rules_.traffic_drop);
      case kAbsence:
        return fill(map, name, rules_.telemetry_silent);
      case kSaturation:
        return fill(map, name, rules_.resources_low);
      case kExpiry:
        return fill(map, name, rules_.certificate_expiring);
      case kPeer:
        return fill(map, name, rules_.peer_differs);
      case kFlood:
        return fill(map, name, rules_.client_flood);
      default:
        return fill(map, name, rules_.latency_shift);
    }
  }

  template <class Rule>
  void fill(Map& map, const std::string& name, Rule& rule) {
    if (!seen_.insert(&rule).second) {
      map.required("test").problem("one rule of this kind; another file has it already");
    }
    rule.name = name;
    rule.enabled = map.boolean("enabled", true);
    map.text("about", "");  // for people
    read_thresholds(map, rule);
    check(map, rule);
  }

  base::config::Problems& problems_;
  RuleSet rules_;
  std::set<const Common*> seen_;
};

}  // namespace

RuleSet::RuleSet() {
  const auto name = [](Common& rule, const char* text, Type type) {
    rule.name = text;
    rule.type = type;
  };
  name(proxy_dead, "proxy_dead", Type::kProxyDead);
  name(proxy_stuck, "proxy_stuck", Type::kProxyStuck);
  name(backend_dead, "backend_dead", Type::kBackendDead);
  name(backend_stuck, "backend_stuck", Type::kBackendStuck);
  name(connection_surge, "connection_surge", Type::kConnectionSurge);
  name(latency_shift, "latency_shift", Type::kNetworkDegraded);
  name(traffic_drop, "traffic_drop", Type::kOther);
  name(telemetry_silent, "telemetry_silent", Type::kOther);
  name(resources_low, "resources_low", Type::kResourcesLow);
  name(certificate_expiring, "certificate_expiring", Type::kCertificateExpiring);
  name(peer_differs, "peer_differs", Type::kOther);
  name(client_flood, "client_flood", Type::kClientFlood);
}

std::vector<std::string> rule_names(const RuleSet& rules) {
  std::vector<std::string> names;
  for (const Common* rule : all_rules(rules)) {
    if (rule->enabled) names.push_back(rule->name);
  }
  return names;
}

base::Result<RuleSet> parse_rules(const std::vector<RuleFile>& files) {
  base::config::Problems problems;
  Loader loader(problems);
  for (const RuleFile& file : files) loader.load(file);
  if (auto result = problems.result(); !result.ok()) return result.error();
  return loader.take();
}

}  // namespace agent::rule
