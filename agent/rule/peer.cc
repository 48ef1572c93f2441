#include "agent/rule/peer.h"

#include <algorithm>
#include <cmath>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using incident::Scope;
using incident::Verdict;

constexpr base::Duration kOnceASecond = 3s;      // all come once a second
constexpr base::Duration kCompareEvery = 980ms;  // each second: beats come a little early or late
constexpr double kMeasuredOver = 10;             // seconds that a sample with a weight is about
constexpr double kFewConnections = 10;           // fewer are nobody's share of the clients
constexpr double kNormal = 1.4826;         // a median absolute deviation in standard deviations
constexpr double kKeepPart = 0.5;          // of what a difference must be at least keeps it
constexpr double kMostKnown = 20;          // a logarithm; more is as good as infinitely much
constexpr base::Duration kKnownFor = 26h;  // what a night's batch does is known the night after
constexpr double kWorse = 0.405;      // log 1.5: and told again from one and a half times it on
constexpr double kWorthAWord = 1.25;  // times the median: a usual ratio worth a word

// `least`: added before the logarithm, so that next to nothing and nothing are alike.
struct Measure {
  const char* name;
  const char* of_proxy;
  const char* of_backend;
  double least;
  const char* unit;
  bool is_ratio;  // value by weight
};
constexpr std::array<Measure, Peer::kQuantities> kMeasures = {
    Measure{"failures", "proxy_failures", "backend_failures", 0.001, "of requests", true},
    Measure{"latency", "proxy_p99_seconds", "backend_p99_seconds", 0.0005, "seconds", false},
    Measure{"processor", "proxy_processor_seconds", "", 5e-6, "seconds a request", true},
    Measure{"connections", "proxy_connections", "", 20, "connections", false},
};

double measured_value(const Measure& words, double value, double weight) {
  return words.is_ratio ? value / weight : value;
}

// Of sorted values; without the one at `but` when that is one of them.
double median(const std::vector<double>& sorted, size_t but) {
  const size_t left = but < sorted.size() ? sorted.size() - 1 : sorted.size();
  const auto at = [&](size_t i) { return sorted[i < but ? i : i + 1]; };
  return (at((left - 1) / 2) + at(left / 2)) / 2;
}
constexpr size_t kAll = SIZE_MAX;

// A value that is one of them counts as left out.
double median_of_others(const std::vector<double>& sorted, double value) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), value);
  return median(sorted, static_cast<size_t>(at - sorted.begin()));
}

std::string phrase_of(Peer::Quantity quantity, bool backend, double value, const std::string& peers,
                      double median) {
  switch (quantity) {
    case Peer::kFailures:
      return (backend ? "fails " : "answers ") + percent_text(value) +
             (backend ? " of requests" : " of requests with errors") + " while its " + peers +
             (backend ? " peers fail " : " peers answer ") + percent_text(median);
    case Peer::kLatency:
      return "has a 99th percentile of " + brief_text(value) + " while its " + peers +
             " peers have " + brief_text(median);
    case Peer::kProcessor:
      return "spends " + brief_text(value) + " of processor time on a request while its " + peers +
             " peers spend " + brief_text(median);
    default:
      return "holds " + count_text(value) + " connections while its " + peers + " peers hold " +
             count_text(median);
  }
}
std::string value_text(Peer::Quantity quantity, double value) {
  if (quantity == Peer::kFailures) return percent_text(value);
  return quantity == Peer::kConnections ? count_text(value) : brief_text(value);
}

}  // namespace

// A plain average while it is young; then what is far away teaches as if it were twice as much.
void Peer::Offset::learn(double ratio, base::Instant at, base::Duration forget) {
  constexpr double kYoung = 60;
  constexpr double kClip = 0.693;
  const double passed = last.ns == 0 ? 0 : std::clamp(base::to_seconds(at - last), 0.0, 10.0);
  last = at;
  if (seconds >= kYoung) ratio = std::clamp(ratio, value - kClip, value + kClip);
  const double constant = base::to_seconds(forget);
  if (passed > 0) value += passed / (passed + std::min(seconds, constant)) * (ratio - value);
  seconds = std::min(seconds + passed, constant);
}

Peer::Member& Peer::heard_of(const series::Sample& sample) {
  Cluster& cluster = clusters_[sample.key.cluster];
  Member& member = cluster.members[{sample.key.proxy, sample.key.backend}];
  // Nothing was heard of it before: it may just have started.
  if (member.last.ns == 0 || sample.at - member.last > rule_.hold) {
    member.unsettled_until = sample.at + rule_.hold;
  }
  member.last = sample.at;
  member.is_gone = false;
  return member;
}

void Peer::measured(Quantity quantity, const series::Sample& sample) {
  if (!(sample.weight > 0)) return;
  Member& member = heard_of(sample);
  Flow& flow = member.flows[quantity];
  flow.value = std::max(0.0, sample.value);
  flow.weight = sample.weight;
  flow.at = sample.at;
}

void Peer::draining(const series::Sample& sample) {
  const bool draining = sample.value >= 0.5;
  Member& member = heard_of(sample);
  if (draining == member.draining) return;
  member.draining = draining;
  unsettle(clusters_[sample.key.cluster], sample.at);
}

// What comes to the next process, and what the others take over meanwhile, says nothing yet.
void Peer::exited(const series::Sample& sample) {
  const auto known = clusters_.find(sample.key.cluster);
  if (known == clusters_.end()) return;
  const auto it = known->second.members.find({sample.key.proxy, sample.key.backend});
  if (it == known->second.members.end()) return;
  const bool exited = sample.value >= 0.5;
  if (exited == it->second.exited) return;
  it->second.exited = exited;
  it->second.draining = false;
  it->second.latch.open();
  for (Flow& flow : it->second.flows) {
    flow.at = flow.differs_since = flow.known_until = base::Instant();
  }
  unsettle(known->second, sample.at);
}

void Peer::unsettle(Cluster& cluster, base::Instant now) const {
  for (auto& [name, member] : cluster.members) member.unsettled_until = now + rule_.hold;
}

void Peer::exclude(const Scope& sick, base::Instant now) {
  const auto known = clusters_.find(sick.cluster);
  if (known == clusters_.end()) return;
  if (sick.proxy.empty() && sick.backend.empty()) return unsettle(known->second, now);
  for (const MemberName& name : {MemberName(sick.proxy, ""), MemberName("", sick.backend)}) {
    const auto it = known->second.members.find(name);
    if (it != known->second.members.end()) it->second.unsettled_until = now + rule_.hold;
  }
}

bool Peer::may_compare(const Member& member, const Flow& flow, Quantity quantity,
                       base::Instant now) const {
  if (member.draining || member.exited || member.is_gone || now < member.unsettled_until) {
    return false;
  }
  if (flow.at.ns == 0 || now - flow.at > kOnceASecond) return false;
  if (quantity == kConnections) return flow.value >= kFewConnections;
  return flow.weight >= kMeasuredOver * rule_.least_requests;
}

std::vector<Peer::Compared> Peer::group_of(Cluster& cluster, bool backends, Quantity quantity,
                                           base::Instant now) const {
  std::vector<Compared> group;
  for (auto& [name, member] : cluster.members) {
    if (name.second.empty() == backends) continue;
    Flow& flow = member.flows[quantity];
    if (may_compare(member, flow, quantity, now)) {
      const double value = measured_value(kMeasures[quantity], flow.value, flow.weight);
      const double raw = std::log(value + kMeasures[quantity].least);
      group.push_back({&member, &flow, raw, raw - flow.usual.value});
    } else if (now >= member.unsettled_until || !member.latch.active()) {
      // A verdict outlasts a moment in which nobody can be compared.
      flow.differs_since = base::Instant();
    }
  }
  return group;
}

// Errors are no matter of balance or hardware. Who joins a known cluster has its peers' word for
// what is usual in speed.
bool Peer::is_known(const Compared& one, size_t known, Quantity quantity) const {
  if (quantity == kFailures) return true;
  if (one.flow->usual.seconds >= base::to_seconds(rule_.learn_first)) return true;
  return quantity == kLatency && known + 1 >= static_cast<size_t>(rule_.members);
}

// By more than its peers differ from each other. Asked of few.
bool Peer::is_far(const std::vector<Compared>& group, const Compared& one) const {
  std::vector<double> deviations;
  for (const Compared& other : group) {
    if (&other != &one) deviations.push_back(std::abs(other.level - one.middle));
  }
  std::sort(deviations.begin(), deviations.end());
  return one.apart >= rule_.spread * kNormal * median(deviations, kAll);
}

// `excess`: of the quantity, beyond what its peers and its own past let expect.
bool Peer::is_much(const Flow& flow, double excess, Quantity quantity, double part) const {
  switch (quantity) {
    case kFailures:
      return excess >= part * rule_.least_failures;
    case kLatency:
      return excess >= part * base::to_seconds(rule_.least_latency);
    case kProcessor:
      return excess * flow.weight / kMeasuredOver >= part * rule_.least_cores;
    default:
      return excess >= part * rule_.least_connections;
  }
}

// Who is out of the common run, and who is back in it.
void Peer::look(std::vector<Compared>& group, Quantity quantity, base::Instant now) const {
  std::vector<double> levels, raws;
  for (const Compared& one : group) {
    levels.push_back(one.level);
    raws.push_back(one.raw);
  }
  std::sort(levels.begin(), levels.end());
  std::sort(raws.begin(), raws.end());
  const auto known =
      static_cast<size_t>(std::count_if(group.begin(), group.end(), [&](const Compared& one) {
        return one.flow->usual.seconds >= base::to_seconds(rule_.learn_first);
      }));
  const double least = kMeasures[quantity].least;
  for (Compared& one : group) {
    Flow& flow = *one.flow;
    const double others = median_of_others(raws, one.raw);
    one.middle = median_of_others(levels, one.level);
    // Who was less than its peers and is like them now is not unlike them.
    const double expected = std::max(one.middle + flow.usual.value, others);
    one.apart = one.raw - expected;
    flow.expected = std::max(0.0, std::exp(expected) - least);
    flow.median = std::max(0.0, std::exp(others) - least);
    flow.peers = group.size() - 1;
    const double excess = std::exp(one.raw) - least - flow.expected;
    one.back =
        one.apart < std::log(rule_.clear_factor) || !is_much(flow, excess, quantity, kKeepPart);
    one.out = one.apart >= std::log(rule_.factor) && is_much(flow, excess, quantity, 1) &&
              is_known(one, known, quantity) && is_far(group, one) &&
              (now >= flow.known_until || one.apart >= flow.known + kWorse);
  }
}

void Peer::mark(Compared& one, Quantity quantity, base::Instant now) const {
  Flow& flow = *one.flow;
  if (one.out && flow.differs_since.ns == 0) {
    flow.differs_since = now;
    flow.highest = 0;
  }
  if (flow.differs_since.ns == 0) return;
  flow.highest = std::max(flow.highest, one.apart);
  if (!one.back) return;
  if (quantity != kFailures && now - flow.differs_since >= lasting(quantity)) {
    flow.known = flow.highest;
    flow.known_until = now + kKnownFor;
  }
  flow.differs_since = base::Instant();
}

void Peer::compare(Cluster& cluster, bool backends, Quantity quantity, base::Instant now) {
  std::vector<Compared> group = group_of(cluster, backends, quantity, now);
  if (!rule_.enabled || group.size() < static_cast<size_t>(rule_.members)) {
    for (const Compared& one : group) one.flow->differs_since = base::Instant();
    return;
  }
  look(group, quantity, now);
  std::vector<double> raws;
  size_t differ = 0;
  for (Compared& one : group) {
    mark(one, quantity, now);
    if (one.flow->differs_since.ns != 0) ++differ;
    raws.push_back(one.raw);
  }
  std::sort(raws.begin(), raws.end());
  const double middle = median(raws, kAll);
  const bool is_common = differ > 1 && 3 * differ >= group.size();
  for (Compared& one : group) {
    Flow& flow = *one.flow;
    const bool differs = flow.differs_since.ns != 0;
    if (differs && now - flow.differs_since >= rule_.accept_after) {
      flow.usual.value = one.raw - middle;
      flow.differs_since = base::Instant();
    } else if (!differs) {
      flow.usual.learn(one.raw - middle, now, rule_.forget);
    }
    if (is_common) flow.differs_since = base::Instant();
  }
}

base::Duration Peer::lasting(Quantity quantity) const {
  return quantity == kFailures ? rule_.lasting_failures : rule_.lasting;
}

void Peer::judge(const MemberName& name, const std::string& cluster, Member& member,
                 base::Instant now) const {
  bool start = false, stay = false;
  base::Instant began = now;
  for (size_t i = 0; i < kQuantities; ++i) {
    const Flow& flow = member.flows[i];
    if (flow.differs_since.ns == 0) continue;
    stay = true;
    began = std::min(began, flow.differs_since);
    start = start || now - flow.differs_since >= lasting(static_cast<Quantity>(i));
  }
  start = start && now >= member.unsettled_until;
  if (start && !member.latch.active()) {
    member.verdict = describe({cluster, name.first, name.second, ""}, member, now);
  }
  member.latch.update(start, stay, began, now, rule_.clear_after);
}

Verdict Peer::describe(const Scope& scope, const Member& member, base::Instant now) const {
  Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.scope = scope;
  verdict.confidence = 0.85;
  const bool backend = !scope.backend.empty();
  const std::string subject = (backend ? "Backend " : "Proxy ") + scope.proxy + scope.backend;
  verdict.title = subject + " is unlike its peers";
  for (size_t i = 0; i < kQuantities; ++i) {
    const Flow& flow = member.flows[i];
    const auto quantity = static_cast<Quantity>(i);
    if (flow.differs_since.ns == 0 || now - flow.differs_since < lasting(quantity)) continue;
    const Measure& words = kMeasures[i];
    const double value = measured_value(words, flow.value, flow.weight);
    verdict.sentence += verdict.sentence.empty() ? subject + " " : "; it ";
    verdict.sentence +=
        phrase_of(quantity, backend, value, std::to_string(flow.peers), flow.median);
    verdict.sentence += " (median";
    if (std::exp(flow.usual.value) >= kWorthAWord) {
      verdict.sentence += "; usual for it would be " + value_text(quantity, flow.expected);
    }
    verdict.sentence += ")";
    verdict.evidence.push_back({series::to_string({backend ? words.of_backend : words.of_proxy,
                                                   scope.cluster, scope.proxy, scope.backend, ""}),
                                flow.expected, value, words.unit});
  }
  verdict.sentence += ".";
  return verdict;
}

void Peer::evaluate(base::Instant now, std::vector<Verdict>& out) {
  for (auto& [name, cluster] : clusters_) {
    if (now - cluster.compared >= kCompareEvery) {
      cluster.compared = now;
      for (size_t i = 0; i < kQuantities; ++i) {
        for (const bool backends : {false, true}) {
          compare(cluster, backends, static_cast<Quantity>(i), now);
        }
      }
      for (auto& [id, member] : cluster.members) judge(id, name, member, now);
    }
    for (auto& [id, member] : cluster.members) {
      if (member.is_gone) member.latch.open();
      member.report(out);
    }
    std::erase_if(cluster.members, [](const auto& entry) { return entry.second.is_gone; });
  }
}

void Peer::forget(const Scope& gone) {
  const auto known = clusters_.find(gone.cluster);
  if (known == clusters_.end()) return;
  const auto it = known->second.members.find({gone.proxy, gone.backend});
  if (it != known->second.members.end()) it->second.is_gone = true;
}

void Peer::forget_silent(base::Instant before) {
  for (auto& [name, cluster] : clusters_) {
    std::erase_if(cluster.members, [&](const auto& entry) {
      return entry.second.last < before && !entry.second.latch.active();
    });
  }
  std::erase_if(clusters_, [](const auto& entry) { return entry.second.members.empty(); });
}

std::vector<LearnedDifference> Peer::learned() const {
  std::vector<LearnedDifference> list;
  for (const auto& [name, cluster] : clusters_) {
    for (const auto& [id, member] : cluster.members) {
      for (size_t i = 0; i < kQuantities; ++i) {
        const Flow& flow = member.flows[i];
        if (flow.usual.seconds < base::to_seconds(rule_.learn_first)) continue;
        LearnedDifference& learned =
            list.emplace_back(LearnedDifference{name, id.first, id.second, kMeasures[i].name,
                                                std::exp(flow.usual.value), flow.usual.seconds});
        if (flow.known_until <= member.last) continue;
        learned.known = std::exp(std::min(flow.known, kMostKnown));
        learned.known_for = base::to_seconds(flow.known_until - member.last);
      }
    }
  }
  return list;
}

void Peer::restore(const LearnedDifference& difference, base::Instant now) {
  const auto words = std::find_if(kMeasures.begin(), kMeasures.end(),
                                  [&](const Measure& each) { return difference.of == each.name; });
  if (words == kMeasures.end()) return;
  Member& member = clusters_[difference.cluster].members[{difference.proxy, difference.backend}];
  member.last = now;
  member.unsettled_until = now + rule_.hold;
  Flow& flow = member.flows[static_cast<size_t>(words - kMeasures.begin())];
  flow.usual.value = std::log(difference.ratio);
  flow.usual.seconds = difference.seconds;
  if (difference.known_for <= 0) return;
  flow.known = std::log(difference.known);
  flow.known_until = now + base::from_seconds(difference.known_for);
}

size_t Peer::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) count += cluster.members.size();
  return count;
}

}  // namespace agent::rule
