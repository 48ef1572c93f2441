#include "agent/rule/surge.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr base::Duration kFresh = 3s;  // gauges come once a second
constexpr double kOneProxy = 0.8;      // of the excess: the surge is that proxy's
constexpr double kMostOfExcess = 0.9;  // made up by the handful
constexpr size_t kTop = 10;
constexpr size_t kMedianClients = 3;  // with fewer known clients a median says nothing
constexpr double kFloor = 20;         // a level below counts as this in ratios

}  // namespace

void Surge::take(Gauge& gauge, const series::Sample& sample, bool learn) {
  gauge.value = std::max(0.0, sample.value);
  gauge.last = sample.at;
  if (learn) gauge.level.learn(gauge.value, sample.at, rule_.forget);
}

void Surge::connections(const series::Sample& sample) {
  Cluster& cluster = clusters_[sample.key.cluster];
  const bool calm = !cluster.latch.active() && cluster.over_since.ns == 0;
  take(cluster.proxies[sample.key.proxy], sample, calm);
}

void Surge::client(const series::Sample& sample) {
  Cluster& cluster = clusters_[sample.key.cluster];
  const auto key = std::pair(sample.key.proxy, sample.key.client);
  if (cluster.clients.size() >= kClients && !cluster.clients.contains(key)) {
    const auto oldest = std::min_element(
        cluster.clients.begin(), cluster.clients.end(),
        [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
    cluster.clients.erase(oldest);
  }
  const bool calm = !cluster.latch.active() && cluster.over_since.ns == 0;
  take(cluster.clients[key], sample, calm);
}

// The client's part is seen over all proxies of the surge; a client never seen before has no level.
Surge::Blame Surge::blame(const Cluster& cluster, const std::string& proxy, double excess,
                          base::Instant now) const {
  struct Client {
    double value = 0, usual = 0;
    bool known = false;
  };
  std::map<std::string, Client> clients;
  for (const auto& [key, gauge] : cluster.clients) {
    if (!proxy.empty() && key.first != proxy) continue;
    if (now - gauge.last > kFresh) continue;
    Client& client = clients[key.second];
    client.value += gauge.value;
    if (!gauge.is_known(rule_)) continue;
    client.usual += gauge.level.value();
    client.known = true;
  }
  Blame found;
  std::vector<double> ratios;
  std::vector<std::pair<double, std::string>> excesses;
  for (const auto& [name, client] : clients) {
    if (client.known) ratios.push_back(client.value / std::max(client.usual, 1.0));
    excesses.emplace_back(std::max(0.0, client.value - client.usual), name);
  }
  if (ratios.size() >= kMedianClients) {
    const auto middle = ratios.begin() + static_cast<ptrdiff_t>(ratios.size() / 2);
    std::nth_element(ratios.begin(), middle, ratios.end());
    found.median_ratio = *middle;
  }
  std::sort(excesses.rbegin(), excesses.rend());
  double sum = 0;
  for (size_t i = 0; i < std::min(kTop, excesses.size()); ++i) {
    if (sum < kMostOfExcess * excess && excesses[i].first > 0) found.handful = i + 1;
    sum += excesses[i].first;
  }
  if (excess <= 0 || excesses.empty()) return found;
  found.top_share = std::min(1.0, sum / excess);
  found.first_client = excesses[0].second;
  found.first_share = std::min(1.0, excesses[0].first / excess);
  return found;
}

incident::Verdict Surge::describe(const std::string& name, const Cluster& cluster, double value,
                                  double usual, base::Instant now) const {
  incident::Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.scope.cluster = name;
  const double excess = value - usual;
  for (const auto& [id, gauge] : cluster.proxies) {
    if (now - gauge.last > kFresh) continue;
    verdict.evidence.push_back({series::to_string({"proxy_connections", name, id, "", ""}),
                                gauge.level.value(), gauge.value, "connections"});
    const bool alone = cluster.proxies.size() > 1;
    if (alone && gauge.value - gauge.level.value() >= kOneProxy * excess) verdict.scope.proxy = id;
  }
  const Blame who = blame(cluster, verdict.scope.proxy, excess, now);
  verdict.sentence = count_text(value) + " connections on " + verdict.scope.to_string() +
                     ", usually " + count_text(usual) + "; ";
  if (who.median_ratio < rule_.median_ratio && who.top_share >= rule_.top_share) {
    verdict.type = incident::Type::kClientFlood;
    if (who.first_share >= rule_.top_share) verdict.scope.client = who.first_client;
    verdict.sentence += count_text(static_cast<double>(who.handful)) + " client(s), first of all " +
                        who.first_client + ", hold " + percent_text(who.top_share) +
                        " of the excess, the others are as usual.";
    verdict.confidence = 0.95;
  } else {
    verdict.sentence += "the median client has " + count_text(who.median_ratio * 100) +
                        " % of its usual number, the ten largest hold " +
                        percent_text(who.top_share) + " of the excess.";
    verdict.confidence = 0.9;
  }
  verdict.evidence.push_back(
      {"clients{cluster=" + name + "} median ratio", 1, who.median_ratio, "times usual"});
  verdict.evidence.push_back(
      {"clients{cluster=" + name + "} ten largest", 0, who.top_share, "share of the excess"});
  return verdict;
}

void Surge::judge(const std::string& name, Cluster& cluster, base::Instant now) {
  double value = 0, usual = 0, worst_value = 0, worst_usual = 0;
  bool known = true, one_over = false;
  const auto is_over = [&](double present, double level, double factor) {
    return present >= factor * std::max(level, kFloor) && present - level >= rule_.least_excess;
  };
  for (const auto& [id, gauge] : cluster.proxies) {
    if (now - gauge.last > kFresh) continue;
    value += gauge.value;
    usual += gauge.level.value();
    if (!gauge.is_known(rule_)) {
      known = false;
    } else if (is_over(gauge.value, gauge.level.value(), rule_.factor)) {
      one_over = true;
      if (gauge.value - gauge.level.value() > worst_value - worst_usual) {
        worst_value = gauge.value;
        worst_usual = gauge.level.value();
      }
    }
  }
  const bool cluster_over = known && is_over(value, usual, rule_.factor);
  const bool over = rule_.enabled && (cluster_over || one_over);
  if (!over) cluster.over_since = {};
  if (over && cluster.over_since.ns == 0) cluster.over_since = now;
  const bool start = over && now - cluster.over_since >= rule_.lasting;
  if (start && !cluster.latch.active()) {
    // One proxy over while the cluster's sum is not: the others lost what it gained.
    cluster.verdict = cluster_over ? describe(name, cluster, value, usual, now)
                                   : describe(name, cluster, worst_value, worst_usual, now);
  }
  const bool stay = over || (rule_.enabled && value > rule_.clear_factor * usual &&
                             value - usual >= rule_.least_excess / 2);
  cluster.latch.update(start, stay, cluster.over_since, now, rule_.clear_after);
}

void Surge::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  for (auto& [name, cluster] : clusters_) {
    judge(name, cluster, now);
    cluster.report(out);
  }
}

void Surge::forget(const incident::Scope& gone) {
  const auto it = clusters_.find(gone.cluster);
  if (it == clusters_.end() || gone.proxy.empty()) return;
  it->second.proxies.erase(gone.proxy);
  std::erase_if(it->second.clients,
                [&](const auto& entry) { return entry.first.first == gone.proxy; });
}

void Surge::forget_silent(base::Instant before) {
  const auto silent = [&](const auto& entry) { return entry.second.last < before; };
  for (auto& [name, cluster] : clusters_) {
    std::erase_if(cluster.proxies, silent);
    std::erase_if(cluster.clients, silent);
  }
  std::erase_if(clusters_, [](const auto& entry) {
    return entry.second.proxies.empty() && entry.second.clients.empty() &&
           !entry.second.latch.active();
  });
}

std::vector<LearnedLevel> Surge::learned() const {
  std::vector<LearnedLevel> list;
  for (const auto& [name, cluster] : clusters_) {
    for (const auto& [id, gauge] : cluster.proxies) {
      list.push_back({name, id, "", gauge.level.value(), gauge.level.seconds()});
    }
    for (const auto& [key, gauge] : cluster.clients) {
      if (!gauge.is_known(rule_)) continue;
      list.push_back({name, key.first, key.second, gauge.level.value(), gauge.level.seconds()});
    }
  }
  return list;
}

void Surge::restore(const LearnedLevel& level, base::Instant now) {
  Cluster& cluster = clusters_[level.cluster];
  const bool proxy = level.client.empty();
  if (!proxy && cluster.clients.size() >= kClients) return;
  Gauge& gauge =
      proxy ? cluster.proxies[level.proxy] : cluster.clients[{level.proxy, level.client}];
  gauge.level = series::Level(level.value, level.seconds);
  gauge.last = now - kFresh - 1s;  // known, but no present value
}

size_t Surge::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) {
    count += cluster.proxies.size() + cluster.clients.size();
  }
  return count;
}

}  // namespace agent::rule
