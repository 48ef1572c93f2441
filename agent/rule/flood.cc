#include "agent/rule/flood.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr base::Duration kFreshHarm = 3s;       // told once a second while there is any
constexpr base::Duration kSeldomTold = 12s;     // rates, each ten seconds, of who is hardly busy
constexpr base::Duration kBusyWithin = 2500ms;  // over which it is asked how busy a proxy was
constexpr double kBusyKnown = 1;                // seconds of it that must be known
// A proxy that waits for a core all the time but hardly runs suffers from its machine, not from clients.
constexpr double kOwnWork = 0.25;
constexpr double kStill = 0.8;  // of the bounds of harm and blame: it goes on, it is still they
constexpr double kFloor = 20;   // a level below counts as this in ratios
constexpr double kUsuallyMost = 0.5;  // of the usual load: whose it is has always been so

}  // namespace

ClientFlood::Gauge& ClientFlood::gauge(Clients& clients, const std::string& client, size_t most) {
  if (clients.size() >= most && !clients.contains(client)) {
    clients.erase(std::min_element(
        clients.begin(), clients.end(),
        [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  }
  return clients[client];
}

void ClientFlood::take(Gauge& gauge, double value, base::Instant at, bool calm) const {
  gauge.value = std::max(0.0, value);
  gauge.last = at;
  if (calm) gauge.level.learn(gauge.value, at, rule_.forget);
}

void ClientFlood::busy(const series::Sample& sample) {
  proxy(sample.key).busy.told(sample.at, sample.value, sample.weight);
}

void ClientFlood::waited(const series::Sample& sample) {
  proxy(sample.key).busy.told_waited(sample.at, sample.value);
}

void ClientFlood::commands(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  take(found.all, sample.value, sample.at, found.is_calm());
}

void ClientFlood::client(const series::Sample& sample) {
  const std::string& name = sample.key.client;
  Cluster& cluster = clusters_[sample.key.cluster];
  Proxy& found = cluster.proxies[sample.key.proxy];
  take(gauge(found.clients, name, kClients), sample.value, sample.at, found.is_calm());
  const bool calm = std::all_of(cluster.proxies.begin(), cluster.proxies.end(),
                                [](const auto& entry) { return entry.second.is_calm(); });
  take(gauge(cluster.clients, name, kClusterClients),
       sent_since(cluster, name, sample.at - kSeldomTold), sample.at, calm);
}

void ClientFlood::refused(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  found.refused = sample.value;
  found.refused_at = sample.at;
}

void ClientFlood::unqueued(const series::Sample& sample) {
  Proxy& found = proxy(sample.key);
  found.unqueued = sample.value;
  found.unqueued_at = sample.at;
}

void ClientFlood::slow(const incident::Scope& scope, base::Instant now) {
  if (scope.proxy.empty() || !scope.backend.empty()) return;
  const auto cluster = clusters_.find(scope.cluster);
  if (cluster == clusters_.end()) return;
  const auto found = cluster->second.proxies.find(scope.proxy);
  if (found != cluster->second.proxies.end()) found->second.slow_at = now;
}

// Of a client that has not been seen for long nothing is usual.
double ClientFlood::usual_of(const Gauge& gauge) const {
  const bool known = gauge.level.seconds() >= base::to_seconds(rule_.learn_first);
  return known ? gauge.level.value() : 0;
}

double ClientFlood::usual_here(const Gauge& client, const Proxy& proxy) const {
  const series::Level& all = proxy.all.level;
  if (all.seconds() <= 0) return 0;
  return std::min(usual_of(client), all.value()) *
         std::min(1.0, client.level.seconds() / all.seconds());
}

// At the proxies but one together, though not more than it ever sends at once.
double ClientFlood::usual_elsewhere(const Cluster& cluster, const std::string& client,
                                    const Proxy& here) const {
  const auto everywhere = cluster.clients.find(client);
  if (everywhere == cluster.clients.end()) return 0;
  double sum = 0;
  for (const auto& [name, proxy] : cluster.proxies) {
    const auto found = proxy.clients.find(client);
    if (&proxy != &here && found != proxy.clients.end()) sum += usual_of(found->second);
  }
  return std::min(sum, usual_of(everywhere->second));
}

// A second, by what the proxies `but` one have told since then; who was not told of then sends nothing.
double ClientFlood::sent_since(const Cluster& cluster, const std::string& client,
                               base::Instant since, const Proxy* but) {
  double sum = 0;
  for (const auto& [name, proxy] : cluster.proxies) {
    const auto found = proxy.clients.find(client);
    if (&proxy == but || found == proxy.clients.end()) continue;
    const Gauge& gauge = found->second;
    if (gauge.last >= since && gauge.last >= proxy.all.last) sum += gauge.value;
  }
  return sum;
}

bool ClientFlood::is_more(double value, double usual) const {
  return value >= rule_.factor * std::max(usual, kFloor) && value - usual >= rule_.least_excess;
}

ClientFlood::Load ClientFlood::load(const Cluster& cluster, const Proxy& proxy,
                                    base::Instant now) const {
  const base::Instant begin = proxy.over.since.ns != 0 ? proxy.over.since : now;
  const base::Instant since = std::max(begin, now - kSeldomTold);
  Load load{proxy.all.value, proxy.all.level.value(), 0, {}};
  for (const auto& [name, gauge] : proxy.clients) {
    if (gauge.last < proxy.all.last) continue;
    const double elsewhere = usual_elsewhere(cluster, name, proxy);
    Part part{&name, gauge.value, usual_here(gauge, proxy), 0};
    part.moved = std::max(0.0, elsewhere - sent_since(cluster, name, since, &proxy));
    part.usual += part.moved;
    load.usual += part.moved;
    load.moved += part.moved;
    load.parts.push_back(part);
  }
  std::sort(load.parts.begin(), load.parts.end(), [](const Part& a, const Part& b) {
    return a.value != b.value ? a.value > b.value : *a.client < *b.client;
  });
  return load;
}

// Requests turned away a second because clients send so many.
double ClientFlood::refused(const Proxy& proxy, base::Instant now) const {
  const double own = now - proxy.refused_at <= kFreshHarm ? proxy.refused : 0;
  const double unqueued = now - proxy.unqueued_at <= kFreshHarm ? proxy.unqueued : 0;
  const bool rose = is_more(proxy.all.value - unqueued, proxy.all.level.value());
  return rose ? own + unqueued : own;
}

std::string ClientFlood::harm(const Proxy& proxy, double busy, base::Instant now) const {
  const ProxyBusy::Shares shares = proxy.busy.since(now - kBusyWithin);
  if (shares.seconds >= kBusyKnown && shares.ran >= kOwnWork && shares.wanted >= busy) {
    return "whose busiest worker " + busy_text(shares);
  }
  if (now - proxy.slow_at <= kFreshHarm) return "whose requests to backends are slow";
  const double turned_away = refused(proxy, now);
  if (turned_away < rule_.least_refused) return "";
  return "which turns " + count_text(turned_away) + " a second away at its limits";
}

bool ClientFlood::is_far_more(const Part& part, double lower) const {
  return part.value >= lower * rule_.client_factor * std::max(part.usual, 1.0);
}

bool ClientFlood::is_most(const Blame& blame, const Load& load, double lower) const {
  const double share = lower * rule_.share;
  return blame.value >= share * load.value &&
         blame.value - blame.usual >= share * (load.value - load.usual);
}

ClientFlood::Blame ClientFlood::blame(const Load& load) const {
  Blame found;
  if (!is_more(load.value, load.usual)) return found;
  for (const Part& part : load.parts) {
    if (found.clients.size() >= static_cast<size_t>(rule_.clients)) return {};
    if (!is_far_more(part, 1)) return {};
    found.clients.push_back(*part.client);
    found.value += part.value;
    found.usual += part.usual;
    found.moved += part.moved;
    if (!is_most(found, load, 1)) continue;
    return found.usual < kUsuallyMost * std::max(load.usual, kFloor) ? found : Blame();
  }
  return {};
}

bool ClientFlood::is_still_to_blame(const std::vector<std::string>& named, const Load& load) const {
  Blame they;
  for (const Part& part : load.parts) {
    if (std::find(named.begin(), named.end(), *part.client) == named.end()) continue;
    if (!is_far_more(part, kStill)) return false;
    they.value += part.value;
    they.usual += part.usual;
  }
  return is_more(load.value, load.usual) && is_most(they, load, kStill);
}

bool ClientFlood::examine(const incident::Scope& where, Proxy& proxy, const Load& load,
                          const std::string& harm, base::Instant now) const {
  const bool active = proxy.latch.active();
  if (active && is_still_to_blame(proxy.named, load)) {
    proxy.doubted = {};
    return true;
  }
  if (active) proxy.doubted.go_on(now, proxy.all.last);
  const Spell& spell = active ? proxy.doubted : proxy.over;
  if (!spell.has_lasted(rule_.lasting, now, proxy.all.last)) return active;
  const Blame found = blame(load);
  proxy.is_blameless = found.clients.empty();
  if (proxy.is_blameless) return false;
  proxy.doubted = {};
  proxy.named = found.clients;
  proxy.verdict = describe(where, load, found, harm);
  return true;
}

incident::Verdict ClientFlood::describe(const incident::Scope& where, const Load& load,
                                        const Blame& blame, const std::string& harm) const {
  incident::Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.confidence = 0.95;
  verdict.scope = where;
  const size_t count = blame.clients.size();
  if (count == 1) verdict.scope.client = blame.clients[0];
  verdict.sentence =
      count == 1 ? "Client " + blame.clients[0] + " sends "
                 : std::to_string(count) + " clients, first of all " + blame.clients[0] + ", send ";
  verdict.sentence += count_text(blame.value) + " of the " + count_text(load.value) +
                      " requests a second at proxy " + where.proxy + " (usually " +
                      count_text(blame.usual - blame.moved) + " of " +
                      count_text(load.usual - load.moved) + "), " + harm + ".";
  verdict.evidence.push_back(
      {series::to_string({"proxy_commands", where.cluster, where.proxy, "", ""}),
       load.usual - load.moved, load.value, "a second"});
  for (size_t i = 0; i < count; ++i) {
    const Part& part = load.parts[i];
    verdict.evidence.push_back(
        {series::to_string({"client_commands", where.cluster, where.proxy, "", *part.client}),
         part.usual - part.moved, part.value, "a second"});
  }
  return verdict;
}

void ClientFlood::judge(const incident::Scope& where, const Cluster& cluster, Proxy& proxy,
                        base::Instant now) {
  const bool known = now - proxy.all.last <= kSeldomTold &&
                     proxy.all.level.seconds() >= base::to_seconds(rule_.learn_first);
  const bool more = rule_.enabled && known && is_more(proxy.all.value, proxy.all.level.value());
  const double busy = proxy.latch.active() ? kStill * rule_.busy : rule_.busy;
  const std::string harmed = more ? harm(proxy, busy, now) : std::string();
  const bool over = !harmed.empty();
  if (over) proxy.over.go_on(now, proxy.all.last);
  if (!over) {
    proxy.over = proxy.doubted = {};
    proxy.is_blameless = false;
  }
  const bool told = over && examine(where, proxy, load(cluster, proxy, now), harmed, now);
  proxy.latch.update(told, told, proxy.over.since, now, rule_.clear_after);
}

void ClientFlood::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  for (auto& [name, cluster] : clusters_) {
    for (auto& [id, proxy] : cluster.proxies) {
      const bool was = proxy.latch.active();
      const incident::Scope before = was ? proxy.verdict.scope : incident::Scope();
      judge({name, id, "", ""}, cluster, proxy, now);
      if (was && proxy.latch.active() && proxy.verdict.scope != before) {
        out.push_back(proxy.verdict);
        out.back().scope = before;
        out.back().active = false;
      }
      proxy.report(out);
    }
  }
}

void ClientFlood::forget(const incident::Scope& gone) {
  const auto cluster = clusters_.find(gone.cluster);
  if (gone.proxy.empty() || cluster == clusters_.end()) return;
  const auto found = cluster->second.proxies.find(gone.proxy);
  if (found == cluster->second.proxies.end()) return;
  // Its clients do elsewhere what they did there.
  Proxy left;
  static_cast<Told&>(left) = found->second;
  left.latch.open();
  left.clients = std::move(found->second.clients);
  left.all.last = found->second.all.last;
  found->second = std::move(left);
}

void ClientFlood::forget_silent(base::Instant before) {
  const auto sweep = [before](Clients& clients) {
    std::erase_if(clients, [&](const auto& entry) { return entry.second.last < before; });
  };
  for (auto& [name, cluster] : clusters_) {
    sweep(cluster.clients);
    for (auto& [id, proxy] : cluster.proxies) sweep(proxy.clients);
    std::erase_if(cluster.proxies, [&](const auto& entry) {
      return entry.second.all.last < before && !entry.second.latch.active();
    });
  }
  std::erase_if(clusters_, [](const auto& entry) {
    return entry.second.proxies.empty() && entry.second.clients.empty();
  });
}

std::vector<LearnedLevel> ClientFlood::learned() const {
  std::vector<LearnedLevel> list;
  const auto add = [&](const std::string& cluster, const std::string& proxy,
                       const std::string& client, const Gauge& gauge) {
    if (usual_of(gauge) <= 0) return;
    list.push_back({cluster, proxy, client, gauge.level.value(), gauge.level.seconds()});
  };
  for (const auto& [name, cluster] : clusters_) {
    for (const auto& [client, gauge] : cluster.clients) add(name, "", client, gauge);
    for (const auto& [id, proxy] : cluster.proxies) {
      if (usual_of(proxy.all) <= 0) continue;
      add(name, id, "", proxy.all);
      for (const auto& [client, gauge] : proxy.clients) add(name, id, client, gauge);
    }
  }
  return list;
}

// A client's level without a proxy is that over the cluster.
void ClientFlood::restore(const LearnedLevel& level, base::Instant now) {
  Cluster& cluster = clusters_[level.cluster];
  const bool everywhere = level.proxy.empty();
  if (everywhere && level.client.empty()) return;
  Clients& clients = everywhere ? cluster.clients : cluster.proxies[level.proxy].clients;
  if (!level.client.empty() && clients.size() >= (everywhere ? kClusterClients : kClients)) return;
  Gauge& gauge = level.client.empty() ? cluster.proxies[level.proxy].all : clients[level.client];
  gauge.level = series::Level(level.value, level.seconds);
  gauge.last = now - kSeldomTold - 1s;  // known, but no present value
}

size_t ClientFlood::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) {
    count += cluster.clients.size();
    for (const auto& [id, proxy] : cluster.proxies) count += 3 + proxy.clients.size();
  }
  return count;
}

}  // namespace agent::rule
