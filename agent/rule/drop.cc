#include "agent/rule/drop.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using incident::Scope;
using incident::Verdict;

constexpr base::Duration kFresh = 3s;        // both quantities come once a second
constexpr base::Duration kSumEvery = 980ms;  // each second: beats come a little early or late
constexpr double kGone = 0.01;      // of the usual: nothing but what the agent itself may send
constexpr double kTakenOver = 0.7;  // of the cluster's usual: the others serve the clients
constexpr base::Duration kShortHole = 1min;
constexpr base::Duration kPatient = 24h;
constexpr std::array<const char*, 2> kSeries = {"proxy_requests", "proxy_connections"};
constexpr std::array<const char*, 2> kUnits = {"requests/s", "connections"};
constexpr std::array<const char*, 2> kNames = {"requests", "connections"};

}  // namespace

void Drop::requests(const series::Sample& sample) {
  take(kRequests, sample);
}
void Drop::connections(const series::Sample& sample) {
  take(kConnections, sample);
}

void Drop::take(Quantity quantity, const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  Flow& flow = proxy.flows[quantity];
  flow.value = std::max(0.0, sample.value);
  flow.at = proxy.last = sample.at;
  proxy.is_gone = false;
  if (!proxy.draining && !proxy.exited) learn(proxy, flow, sample.at);
}

void Drop::draining(const series::Sample& sample) {
  Cluster& cluster = clusters_[sample.key.cluster];
  Proxy& proxy = cluster.proxies[sample.key.proxy];
  const bool draining = sample.value >= 0.5;
  proxy.last = sample.at;
  if (draining == proxy.draining) return;
  proxy.draining = draining;
  unsettle(cluster, sample.at);
}

// Clients of a process that has ended are elsewhere; what comes back to the next one is learned.
void Drop::exited(const series::Sample& sample) {
  const auto known = clusters_.find(sample.key.cluster);
  if (known == clusters_.end()) return;
  const auto it = known->second.proxies.find(sample.key.proxy);
  if (it == known->second.proxies.end()) return;
  const bool exited = sample.value >= 0.5;
  if (exited == it->second.exited) return;
  it->second.exited = exited;
  it->second.flows = {};
  it->second.latch.open();
  unsettle(known->second, sample.at);
}

void Drop::exclude(const Scope& sick, base::Instant now) {
  const auto known = clusters_.find(sick.cluster);
  if (known == clusters_.end()) return;
  unsettle(known->second, now);
  const auto proxy = known->second.proxies.find(sick.proxy);
  if (proxy != known->second.proxies.end()) proxy->second.unsettled_until = now + rule_.hold;
}

void Drop::unsettle(Cluster& cluster, base::Instant now) const {
  cluster.unsettled_until = now + rule_.hold;
  for (auto& [id, proxy] : cluster.proxies) proxy.unsettled_until = now + rule_.hold;
}

void Drop::sum(Cluster& cluster, base::Instant now) {
  if (now - cluster.summed < kSumEvery) return;
  cluster.summed = now;
  size_t counted = 0;
  for (size_t quantity = 0; quantity < kQuantities; ++quantity) {
    double value = 0;
    size_t fresh = 0;
    for (const auto& [id, proxy] : cluster.proxies) {
      const Flow& flow = proxy.flows[quantity];
      if (flow.at.ns == 0 || now - flow.at > kFresh) continue;
      value += flow.value;
      ++fresh;
    }
    counted += fresh;
    if (fresh == 0) continue;
    cluster.flows[quantity].value = value;
    cluster.flows[quantity].at = now;
  }
  // A sum over others than before is no measure of what there was before.
  if (counted != cluster.counted && cluster.counted != 0) unsettle(cluster, now);
  cluster.counted = counted;
  for (Flow& flow : cluster.flows) {
    if (flow.at == now) learn(cluster, flow, now);
  }
}

// Trouble teaches nothing, until it has lasted so long that it is none.
void Drop::learn(Meter& meter, Flow& flow, base::Instant now) const {
  const bool young = flow.usual.seconds() < base::to_seconds(rule_.learn_first);
  const bool calm = !meter.latch.active() && flow.under_since.ns == 0 &&
                    flow.value >= rule_.share * flow.usual.value();
  if (young || (calm && now >= meter.unsettled_until)) {
    flow.usual.learn(flow.value, now, rule_.forget);
  }
}

bool Drop::is_known(const Flow& flow, Quantity quantity, base::Instant now) const {
  const double least = quantity == kRequests ? rule_.least_requests : rule_.least_connections;
  return flow.at.ns != 0 && now - flow.at <= kFresh &&
         flow.usual.seconds() >= base::to_seconds(rule_.learn_first) && flow.usual.value() >= least;
}

bool Drop::is_taken_over(const Cluster& cluster, base::Instant now) const {
  return std::any_of(cluster.flows.begin(), cluster.flows.end(), [&](const Flow& flow) {
    const auto quantity = static_cast<Quantity>(&flow - cluster.flows.data());
    return is_known(flow, quantity, now) && flow.value >= kTakenOver * flow.usual.value();
  });
}

// What each flow is under, how long, and what its holes have taught.
Drop::Finding Drop::look(Meter& meter, bool taken_over, base::Instant now) const {
  const base::Duration lasting = taken_over ? rule_.moved_lasting : rule_.lasting;
  Finding found{false, false, now};
  for (size_t i = 0; i < kQuantities; ++i) {
    Flow& flow = meter.flows[i];
    const bool known = rule_.enabled && is_known(flow, static_cast<Quantity>(i), now);
    const double usual = flow.usual.value();
    const bool under = known && flow.value < rule_.share * usual;
    const bool low = known && flow.value < rule_.clear_share * usual;
    if (now < meter.unsettled_until && !meter.latch.active()) {
      flow.under_since = {};
      continue;
    }
    if (under && flow.under_since.ns == 0) flow.under_since = now;
    if (flow.under_since.ns != 0 && !low) {
      const base::Duration hole = now - flow.under_since;
      if (known && hole >= rule_.lasting && hole <= kShortHole) {
        flow.patience = std::max(flow.patience, 2 * hole);
        flow.patient_until = now + kPatient;
      }
      flow.under_since = {};
    }
    if (flow.under_since.ns == 0) continue;
    if (now - flow.under_since >= rule_.accept_after) {
      flow = {};  // this is what there is now
      continue;
    }
    found.stay = true;
    found.began = std::min(found.began, flow.under_since);
    const base::Duration patience = now < flow.patient_until ? flow.patience : base::Duration(0);
    if (now - flow.under_since >= std::max(lasting, patience)) found.start = true;
  }
  return found;
}

void Drop::judge(const Scope& scope, Meter& meter, bool taken_over, bool may_start,
                 base::Instant now) const {
  const Finding found = look(meter, taken_over, now);
  if (!may_start) return meter.latch.open();
  if (found.start && !meter.latch.active()) {
    meter.verdict = describe(scope, meter, taken_over);
  }
  meter.latch.update(found.start, found.stay, found.began, now, rule_.clear_after);
}

Verdict Drop::describe(const Scope& scope, const Meter& meter, bool taken_over) const {
  Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.scope = scope;
  verdict.title = "Traffic of " + scope.to_string() + " has dropped";
  verdict.confidence = 0.75;
  std::string what, also;
  for (size_t i = 0; i < kQuantities; ++i) {
    const Flow& flow = meter.flows[i];
    if (flow.usual.seconds() == 0) continue;
    const double usual = flow.usual.value();
    const bool under = flow.under_since.ns != 0;
    verdict.evidence.push_back({series::to_string({kSeries[i], scope.cluster, scope.proxy, "", ""}),
                                usual, flow.value, kUnits[i]});
    std::string& text = under ? what : also;
    if (!text.empty()) text += "; ";
    text += count_text(flow.value) + " " + kUnits[i];
    if (under) text += " on " + scope.to_string();
    text += ", usually at least " + count_text(usual);
    if (under && !taken_over && flow.value <= kGone * usual) verdict.confidence = 0.9;
  }
  verdict.sentence = what;
  if (!also.empty()) verdict.sentence += "; " + also;
  if (taken_over) verdict.sentence += "; the cluster's other proxies have taken over";
  verdict.sentence += ".";
  return verdict;
}

void Drop::evaluate(base::Instant now, std::vector<Verdict>& out) {
  for (auto& [name, cluster] : clusters_) {
    sum(cluster, now);
    judge({name, "", "", ""}, cluster, false, true, now);
    cluster.report(out);
    const bool may_start = cluster.proxies.size() > 1 && !cluster.latch.active();
    const bool taken_over = is_taken_over(cluster, now);
    for (auto& [id, proxy] : cluster.proxies) {
      const bool is_there = !proxy.draining && !proxy.exited && !proxy.is_gone;
      judge({name, id, "", ""}, proxy, taken_over, may_start && is_there, now);
      proxy.report(out);
    }
    std::erase_if(cluster.proxies, [](const auto& entry) { return entry.second.is_gone; });
  }
}

void Drop::forget(const Scope& gone) {
  const auto known = clusters_.find(gone.cluster);
  if (known == clusters_.end()) return;
  const auto proxy = known->second.proxies.find(gone.proxy);
  if (proxy == known->second.proxies.end()) return;
  proxy->second.is_gone = true;
  proxy->second.latch.open();
}

void Drop::forget_silent(base::Instant before) {
  for (auto& [name, cluster] : clusters_) {
    std::erase_if(cluster.proxies, [&](const auto& entry) {
      return entry.second.last < before && !entry.second.latch.active();
    });
  }
  std::erase_if(clusters_, [](const auto& entry) {
    return entry.second.proxies.empty() && !entry.second.latch.active();
  });
}

std::vector<LearnedTraffic> Drop::learned() const {
  std::vector<LearnedTraffic> list;
  const auto add = [&](const std::string& cluster, const std::string& proxy, const Meter& meter) {
    for (size_t i = 0; i < kQuantities; ++i) {
      const series::Usual& usual = meter.flows[i].usual;
      if (usual.seconds() < base::to_seconds(rule_.learn_first)) continue;
      list.push_back({cluster, proxy, kNames[i], usual.value(), usual.seconds()});
    }
  };
  for (const auto& [name, cluster] : clusters_) {
    add(name, "", cluster);
    for (const auto& [id, proxy] : cluster.proxies) add(name, id, proxy);
  }
  return list;
}

void Drop::restore(const LearnedTraffic& level, base::Instant now) {
  Cluster& cluster = clusters_[level.cluster];
  if (!level.proxy.empty()) cluster.proxies[level.proxy].last = now;
  Meter& meter = level.proxy.empty() ? static_cast<Meter&>(cluster) : cluster.proxies[level.proxy];
  const size_t quantity = level.of == kNames[kConnections] ? kConnections : kRequests;
  meter.flows[quantity].usual = series::Usual(level.value, level.seconds);
}

size_t Drop::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) count += cluster.proxies.size();
  return count;
}

}  // namespace agent::rule
