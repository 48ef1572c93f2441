#include "agent/rule/flood.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr base::Duration kFreshRates = 3s;      // told once a second while there is any trouble
constexpr base::Duration kBusyWithin = 2500ms;  // over which it is asked how busy a proxy was
constexpr double kBusyKnown = 1;                // seconds of it that must be known
// A proxy that waits for a core all the time but hardly runs suffers from its machine, not from clients.
constexpr double kOwnWork = 0.25;
constexpr double kStillBusy = 0.8;    // of the share that is harm: it goes on
constexpr double kFloor = 20;         // a level below counts as this in ratios
constexpr double kUsuallyMost = 0.5;  // of the usual load: whose it is has always been so

}  // namespace

void ClientFlood::take(Gauge& gauge, const series::Sample& sample, const Proxy& proxy) const {
  gauge.value = std::max(0.0, sample.value);
  gauge.last = sample.at;
  const bool calm = !proxy.latch.active() && proxy.over_since.ns == 0;
  if (calm) gauge.level.learn(gauge.value, sample.at, rule_.forget);
}

void ClientFlood::busy(const series::Sample& sample) {
  proxy(sample.key).busy.told(sample.at, sample.value, sample.weight);
}

void ClientFlood::commands(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  take(found.all, sample, found);
}

void ClientFlood::client(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  if (found.clients.size() >= kClients && !found.clients.contains(sample.key.client)) {
    found.clients.erase(std::min_element(
        found.clients.begin(), found.clients.end(),
        [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  }
  take(found.clients[sample.key.client], sample, found);
}

void ClientFlood::refused(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  found.refused = sample.value;
  found.refused_at = sample.at;
}

void ClientFlood::slow(const incident::Scope& scope, base::Instant now) {
  if (scope.proxy.empty() || !scope.backend.empty()) return;
  const auto found = proxies_.find({scope.cluster, scope.proxy});
  if (found != proxies_.end()) found->second.slow_at = now;
}

// Of a client that has not been seen for long nothing is usual.
double ClientFlood::usual_of(const Gauge& gauge) const {
  const bool known = gauge.level.seconds() >= base::to_seconds(rule_.learn_first);
  return known ? gauge.level.value() : 0;
}

bool ClientFlood::is_more(const Proxy& proxy, base::Instant now) const {
  if (now - proxy.all.last > kFreshRates) return false;
  if (proxy.all.level.seconds() < base::to_seconds(rule_.learn_first)) return false;
  const double usual = proxy.all.level.value();
  return proxy.all.value >= rule_.factor * std::max(usual, kFloor) &&
         proxy.all.value - usual >= rule_.least_excess;
}

std::string ClientFlood::harm(const Proxy& proxy, double busy, base::Instant now) const {
  const ProxyBusy::Shares shares = proxy.busy.since(now - kBusyWithin);
  const Exhaustion exhaustion{busy, 1};
  if (shares.seconds >= kBusyKnown && shares.ran >= kOwnWork && exhaustion.is_met(shares)) {
    return "whose busiest worker " + busy_text(shares);
  }
  if (now - proxy.slow_at <= kFreshRates) return "whose requests to backends are slow";
  const bool refuses =
      proxy.refused >= rule_.least_refused && now - proxy.refused_at <= kFreshRates;
  if (!refuses) return "";
  return "which turns " + count_text(proxy.refused) + " a second away at its limits";
}

ClientFlood::Blame ClientFlood::blame(const Proxy& proxy, base::Instant now) const {
  std::vector<std::pair<double, const std::string*>> most;
  for (const auto& [name, gauge] : proxy.clients) {
    if (now - gauge.last <= kFreshRates) most.emplace_back(gauge.value, &name);
  }
  std::sort(most.begin(), most.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : *a.second < *b.second;
  });
  const double all = proxy.all.value, usual = proxy.all.level.value();
  Blame found;
  for (const auto& [value, name] : most) {
    if (found.clients.size() >= static_cast<size_t>(rule_.clients)) return {};
    const double before = usual_of(proxy.clients.at(*name));
    if (value < rule_.client_factor * std::max(before, 1.0)) return {};
    found.clients.push_back(*name);
    found.value += value;
    found.usual += before;
    const bool is_most = found.value >= rule_.share * all &&
                         found.value - found.usual >= rule_.share * (all - usual);
    if (!is_most) continue;
    return found.usual < kUsuallyMost * std::max(usual, kFloor) ? found : Blame();
  }
  return {};
}

incident::Verdict ClientFlood::describe(const Name& name, const Proxy& proxy, const Blame& blame,
                                        const std::string& harm) const {
  incident::Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.confidence = 0.95;
  verdict.scope.cluster = name.first;
  verdict.scope.proxy = name.second;
  const size_t count = blame.clients.size();
  if (count == 1) verdict.scope.client = blame.clients[0];
  verdict.sentence =
      count == 1 ? "Client " + blame.clients[0] + " sends "
                 : std::to_string(count) + " clients, first of all " + blame.clients[0] + ", send ";
  verdict.sentence += count_text(blame.value) + " of the " + count_text(proxy.all.value) +
                      " requests a second at proxy " + name.second + " (usually " +
                      count_text(blame.usual) + " of " + count_text(proxy.all.level.value()) +
                      "), " + harm + ".";
  verdict.evidence.push_back(
      {series::to_string({"proxy_commands", name.first, name.second, "", ""}),
       proxy.all.level.value(), proxy.all.value, "a second"});
  for (const std::string& client : blame.clients) {
    const Gauge& gauge = proxy.clients.at(client);
    verdict.evidence.push_back(
        {series::to_string({"client_commands", name.first, name.second, "", client}),
         usual_of(gauge), gauge.value, "a second"});
  }
  return verdict;
}

void ClientFlood::judge(const Name& name, Proxy& proxy, base::Instant now) {
  const bool more = rule_.enabled && is_more(proxy, now);
  const bool active = proxy.latch.active();
  const double busy = active ? kStillBusy * rule_.busy : rule_.busy;
  const std::string harmed = more ? harm(proxy, busy, now) : std::string();
  const bool over = !harmed.empty();
  if (!over) proxy.over_since = {};
  if (over && proxy.over_since.ns == 0) proxy.over_since = now;
  bool start = false;
  if (over && !active && now - proxy.over_since >= rule_.lasting) {
    const Blame found = blame(proxy, now);
    start = !found.clients.empty();
    if (start) proxy.verdict = describe(name, proxy, found, harmed);
  }
  proxy.latch.update(start, over, proxy.over_since, now, rule_.clear_after);
}

void ClientFlood::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  for (auto& [name, proxy] : proxies_) {
    judge(name, proxy, now);
    proxy.report(out);
  }
}

void ClientFlood::forget(const incident::Scope& gone) {
  if (gone.proxy.empty()) return;
  const auto found = proxies_.find({gone.cluster, gone.proxy});
  if (found == proxies_.end()) return;
  Told told = found->second;
  found->second = Proxy();
  static_cast<Told&>(found->second) = told;
  found->second.latch.open();
}

void ClientFlood::forget_silent(base::Instant before) {
  for (auto& [name, proxy] : proxies_) {
    std::erase_if(proxy.clients, [&](const auto& entry) { return entry.second.last < before; });
  }
  std::erase_if(proxies_, [&](const auto& entry) {
    return entry.second.all.last < before && !entry.second.latch.active();
  });
}

std::vector<LearnedLevel> ClientFlood::learned() const {
  std::vector<LearnedLevel> list;
  for (const auto& [name, proxy] : proxies_) {
    if (usual_of(proxy.all) <= 0) continue;
    list.push_back(
        {name.first, name.second, "", proxy.all.level.value(), proxy.all.level.seconds()});
    for (const auto& [client, gauge] : proxy.clients) {
      if (usual_of(gauge) <= 0) continue;
      list.push_back({name.first, name.second, client, gauge.level.value(), gauge.level.seconds()});
    }
  }
  return list;
}

void ClientFlood::restore(const LearnedLevel& level, base::Instant now) {
  Proxy& proxy = proxies_[{level.cluster, level.proxy}];
  if (!level.client.empty() && proxy.clients.size() >= kClients) return;
  Gauge& gauge = level.client.empty() ? proxy.all : proxy.clients[level.client];
  gauge.level = series::Level(level.value, level.seconds);
  gauge.last = now - kFreshRates - 1s;  // known, but no present value
}

size_t ClientFlood::series_count() const {
  size_t count = 0;
  for (const auto& [name, proxy] : proxies_) count += 3 + proxy.clients.size();
  return count;
}

}  // namespace agent::rule
