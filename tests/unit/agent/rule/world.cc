#include "tests/unit/agent/rule/world.h"

#include <algorithm>
#include <array>

namespace test {

using agent::series::Label;
using agent::series::Sample;
using agent::series::SeriesKey;

namespace {

constexpr double kBusyTimes = 10;  // times what the links of an idle region carry
constexpr double kWindow = 10;     // seconds

// Of what is told many times a second.
const Label kPace("link_pace"), kOldest("backend_oldest_in_flight_seconds"),
    kHeartbeatAge("proxy_heartbeat_age_seconds"), kBusy("proxy_busy"), kWaited("proxy_waited");

}  // namespace

World::World(WorldOptions options)
    : detector(agent::rule::RuleSet()),
      book(agent::incident::BookPolicy()),
      options_(options),
      random_(options.seed),
      window_random_(options.seed),
      command_random_(options.seed) {
  for (const char* name : {"amber", "birch"}) {
    Cluster cluster;
    cluster.name = name;
    cluster.rate = options.rate;
    for (int i = 1; i <= options.proxies; ++i) {
      Proxy& proxy = cluster.proxies.emplace_back();
      proxy.id = cluster.name.text() + "-proxy-" + std::to_string(i);
      for (int c = 1; c <= 10; ++c) {
        proxy.clients["10.0.0." + std::to_string(c)] = 30;
        proxy.commands["10.0.0." + std::to_string(c)] = 300;
      }
    }
    for (int i = 1; i <= options.backends; ++i) {
      cluster.backends.emplace_back().id = cluster.name.text() + "-backend-" + std::to_string(i);
    }
    clusters_.push_back(std::move(cluster));
    book.set_cluster(name, static_cast<size_t>(options.proxies),
                     static_cast<size_t>(options.backends));
  }
}

World::Cluster& World::cluster(const std::string& name) {
  return *std::find_if(clusters_.begin(), clusters_.end(),
                       [&](const Cluster& cluster) { return cluster.name == name; });
}

void World::pause(base::Duration length) {
  pause_begin_ = now_;
  pause_end_ = now_ + length;
}

World::Proxy& World::join(Cluster& cluster) {
  Proxy& proxy = cluster.proxies.emplace_back();
  proxy.id = cluster.name.text() + "-proxy-" + std::to_string(cluster.proxies.size());
  proxy.connections = 0;
  book.set_cluster(cluster.name, cluster.proxies.size(), cluster.backends.size());
  return proxy;
}

void World::kill(Proxy& proxy) {
  proxy.dead = true;
  const std::string& id = proxy.id;
  observe({"proxy_exited", id.substr(0, id.find('-')), proxy.id, "", ""}, now_, 1);
}
void World::stop(Proxy& proxy) {
  proxy.stopped = true;
  proxy.stopped_at = now_;
}
void World::stop(Backend& backend) {
  backend.stopped = true;
  backend.stopped_at = now_;
}

void World::observe(const Sample& sample) {
  ++samples;
  if (told) told(sample);
  detector.observe(sample);
}
void World::observe(const SeriesKey& key, base::Instant at, double value, double weight) {
  observe(Sample{key, at, value, weight});
}

// One link's last ten slots. What is sent during a pause is answered, slowly, at its end.
void World::tell_link(Cluster& cluster, size_t p, size_t b) {
  Proxy& proxy = cluster.proxies[p];
  const Backend& backend = cluster.backends[b];
  const bool silent =
      proxy.dead || proxy.stopped || backend.dead || backend.stopped || cluster.lost;
  const double fault = cluster.slow_on ? cluster.slow_on(p, b) : cluster.slow_share;
  const double share = std::max(options_.background, fault);
  proxy.held.resize(cluster.backends.size());
  double& held = proxy.held[b];
  constexpr int kSlots = 10;
  std::array<int, kSlots> all{}, slow{};
  // Arrivals of a Poisson process fall anywhere within the time, each by itself.
  const auto is_slow = static_cast<uint64_t>(std::min(share, 1.0) * 0x1p32);
  for (int left = std::poisson_distribution<int>(cluster.rate / 10)(random_); left > 0; --left) {
    const uint64_t draw = random_();
    const size_t slot = (draw >> 32) * kSlots >> 32;
    ++all[slot];
    slow[slot] += (draw & 0xffffffff) < is_slow ? 1 : 0;
  }
  Sample sample{{kPace, cluster.name, proxy.id, backend.id, ""}, {}};
  for (size_t i = 0; i < kSlots && !silent; ++i) {
    sample.at = now_ - (kSlots - static_cast<int64_t>(i)) * 10ms;
    if (sample.at >= pause_begin_ && sample.at < pause_end_) {
      // Nobody sends much while nobody is answered.
      held = std::min(held + all[i], 50.0);
      continue;
    }
    sample.value = slow[i] + held;
    sample.weight = all[i] + held;
    held = 0;
    if (sample.weight > 0) observe(sample);
  }
  const bool waits = !proxy.dead && !proxy.stopped && backend.stopped;
  // The proxy's own deadline is a second: the oldest request is never older.
  const double age = base::to_seconds(now_ - backend.stopped_at);
  sample.key.name = kOldest;
  sample.at = now_;
  sample.value = waits ? age - static_cast<int64_t>(age) : 0.001;
  sample.weight = 1;
  observe(sample);
}

void World::tell_pace(Cluster& cluster) {
  for (size_t p = 0; p < cluster.proxies.size(); ++p) {
    Proxy& proxy = cluster.proxies[p];
    for (size_t b = 0; b < cluster.backends.size(); ++b) tell_link(cluster, p, b);
    if (proxy.dead) continue;
    double age = 0.02;
    if (proxy.stopped) age = base::to_seconds(now_ - proxy.stopped_at);
    if (now_ >= pause_begin_ && now_ < pause_end_) age += base::to_seconds(now_ - pause_begin_);
    observe({kHeartbeatAge, cluster.name, proxy.id, "", ""}, now_, age);
    if (proxy.stopped) continue;
    observe({kBusy, cluster.name, proxy.id, "", ""}, now_, proxy.ran,
            proxy.ran + (proxy.tells_waiting ? proxy.waited : 0));
    if (!proxy.tells_waiting) continue;
    observe({kWaited, cluster.name, proxy.id, "", ""}, now_,
            std::max(proxy.waited, proxy.other_waited));
  }
}

// At their pace, and ten times a second where they are wanted, as the agent asks.
void World::tell_echoes(const Cluster& cluster) {
  std::uniform_real_distribution<double> chance(0, 1);
  for (size_t p = 0; p < cluster.proxies.size(); ++p) {
    for (size_t b = 0; b < cluster.backends.size(); ++b) {
      const std::string &proxy = cluster.proxies[p].id, &backend = cluster.backends[b].id;
      if (cluster.lost) {
        observe({"echo_lost", cluster.name, proxy, backend, ""}, now_, 1);
        continue;
      }
      const double fault = cluster.slow_on ? cluster.slow_on(p, b) : cluster.slow_share;
      const bool held = now_ >= pause_begin_ && now_ < pause_end_;
      const bool slow = held || (!cluster.of_members && chance(random_) < fault);
      observe({"echo_seconds", cluster.name, proxy, backend, ""}, now_,
              (slow ? 0.01 : 0.0001) * (0.5 + chance(random_)));
    }
  }
}

void World::tell_canaries(Cluster& cluster) {
  for (const Backend& backend : cluster.backends) {
    observe({"backend_exited", cluster.name, "", backend.id, ""}, now_, backend.dead ? 1 : 0);
    if (steps_ % 10 == 0 && !backend.dead) tell_window(cluster, backend);
    observe({"backend_probe_ok", cluster.name, "", backend.id, ""}, now_,
            backend.dead || backend.stopped ? 0 : 1);
    for (const Proxy& proxy : cluster.proxies) {
      const bool ok = !backend.dead && !backend.stopped && !proxy.dead && !proxy.stopped;
      observe({"canary_ok", cluster.name, proxy.id, backend.id, ""}, now_,
              ok && !cluster.lost ? 1 : 0);
    }
  }
}

void World::tell_connections(Cluster& cluster) {
  std::normal_distribution<double> noise(1, 0.03);
  for (const Proxy& proxy : cluster.proxies) {
    observe({"proxy_exited", cluster.name, proxy.id, "", ""}, now_, proxy.dead ? 1 : 0);
    if (proxy.dead) continue;
    double sum = proxy.connections;
    if (options_.clients) {
      sum = 0;
      std::vector<std::pair<double, std::string>> top;
      for (const auto& [client, count] : proxy.clients) {
        sum += count;
        top.emplace_back(count * noise(random_), client);
      }
      std::sort(top.rbegin(), top.rend());
      for (size_t i = 0; i < std::min<size_t>(10, top.size()); ++i) {
        observe({"client_connections", cluster.name, proxy.id, "", top[i].second}, now_,
                top[i].first);
      }
    }
    observe({"proxy_connections", cluster.name, proxy.id, "", ""}, now_, sum * noise(random_));
    observe({"proxy_descriptors", cluster.name, proxy.id, "", ""}, now_, 250 + sum,
            options_.descriptors);
    tell_requests(cluster, proxy);
    tell_window(cluster, proxy);
    tell_commands(cluster, proxy);
  }
}

// Each second of a proxy that is busy or refuses, else each ten, of each at another time.
void World::tell_commands(const Cluster& cluster, const Proxy& proxy) {
  const bool calm = proxy.ran + proxy.waited < 0.5 && proxy.refused + proxy.unqueued == 0;
  const auto index = static_cast<int64_t>(&proxy - cluster.proxies.data());
  if (proxy.stopped || (calm && (steps_ + 30 * index) % 100 != 0)) return;
  std::normal_distribution<double> noise(1, 0.1);
  std::vector<std::pair<double, std::string>> most;
  double sum = 0;
  for (const auto& [client, count] : proxy.commands) {
    most.emplace_back(std::max(0.0, count * noise(command_random_)), client);
    sum += most.back().first;
  }
  std::sort(most.rbegin(), most.rend());
  observe({"proxy_commands", cluster.name, proxy.id, "", ""}, now_, sum);
  observe({"proxy_refused", cluster.name, proxy.id, "", ""}, now_, proxy.refused);
  observe({"proxy_unqueued", cluster.name, proxy.id, "", ""}, now_, proxy.unqueued);
  for (size_t i = 0; i < std::min<size_t>(10, most.size()); ++i) {
    observe({"client_commands", cluster.name, proxy.id, "", most[i].second}, now_, most[i].first);
  }
}

double World::noisy(double value) {
  return value * std::lognormal_distribution<double>(0, 0.15)(window_random_);
}

// What is said of the last ten seconds. A pause of the whole machine shows in all.
void World::tell_window(const Cluster& cluster, const Proxy& proxy) {
  const double links = static_cast<double>(cluster.backends.size());
  const double mean = cluster.rate * links * kBusyTimes * kWindow * cluster.request_share;
  const int requests = std::poisson_distribution<int>(mean)(window_random_);
  if (proxy.stopped || requests == 0) return;
  const double pause = now_ - pause_end_ < 10s ? base::to_seconds(pause_end_ - pause_begin_) : 0;
  const SeriesKey key{"", cluster.name, proxy.id, "", ""};
  const auto tell = [&](const char* name, double value) {
    SeriesKey named = key;
    named.name = name;
    observe(named, now_, value, requests);
  };
  tell("proxy_failures", std::binomial_distribution<int>(requests, proxy.failures)(window_random_));
  tell("proxy_p99_seconds", std::max(noisy(proxy.p99), pause / 2));
  tell("proxy_processor_seconds", noisy(0.1 + proxy.cost * requests));
}
void World::tell_window(const Cluster& cluster, const Backend& backend) {
  const double proxies = static_cast<double>(cluster.proxies.size());
  const double mean = cluster.rate * proxies * kBusyTimes * kWindow * cluster.request_share;
  const int requests = std::poisson_distribution<int>(mean)(window_random_);
  if (backend.stopped || requests == 0) return;
  observe({"backend_failures", cluster.name, "", backend.id, ""}, now_,
          std::binomial_distribution<int>(requests, backend.failures)(window_random_), requests);
  observe({"backend_p99_seconds", cluster.name, "", backend.id, ""}, now_, noisy(backend.p99),
          requests);
}

// What clients ask for in a second: ten times what the links of an idle region carry. Nothing is
// asked while the machine stands still.
void World::tell_requests(const Cluster& cluster, const Proxy& proxy) {
  const double links = static_cast<double>(cluster.backends.size());
  std::poisson_distribution<int> arrivals(cluster.rate * links * kBusyTimes *
                                          cluster.request_share);
  int count = arrivals(random_);
  if (proxy.stopped || (now_ >= pause_begin_ && now_ < pause_end_)) count = 0;
  observe({"proxy_requests", cluster.name, proxy.id, "", ""}, now_, count);
  observe({"proxy_draining", cluster.name, proxy.id, "", ""}, now_, proxy.draining ? 1 : 0);
}

void World::step() {
  now_ = now_ + 100ms;
  ++steps_;
  std::uniform_real_distribution<double> chance(0, 1);
  if (now_ >= pause_end_ && chance(random_) < options_.pauses / 10) {
    const double length = chance(random_) * base::to_seconds(options_.longest_pause);
    pause_begin_ = now_ - 50ms;
    pause_end_ = pause_begin_ + base::from_seconds(length);
  }
  for (Cluster& cluster : clusters_) {
    tell_pace(cluster);
    if (options_.echoes &&
        (detector.wants_echoes() || steps_ % (options_.echo_every / 100ms) == 0)) {
      tell_echoes(cluster);
    }
    if (steps_ % 5 == 0) tell_canaries(cluster);
    if (steps_ % 10 == 0) tell_connections(cluster);
  }
  if (told) told(agent::series::Tick{now_});
  verdicts = detector.evaluate(now_);
  for (auto& change : book.apply(verdicts, moment())) changes.push_back(std::move(change));
}

void World::run_for(base::Duration length) {
  const base::Instant end = now_ + length;
  while (now_ < end) step();
}

std::optional<base::Duration> World::run_until(const std::function<bool()>& done,
                                               base::Duration limit) {
  const base::Instant begin = now_;
  while (now_ - begin < limit) {
    step();
    if (done()) return now_ - begin;
  }
  return std::nullopt;
}

const agent::incident::Incident* World::only_incident() const {
  const auto open = book.unresolved();
  const auto past = book.resolved(10);
  if (open.size() + past.size() != 1) return nullptr;
  return open.empty() ? past[0] : open[0];
}

size_t World::incident_count() const {
  return book.unresolved().size() + book.resolved(1000).size();
}

std::string World::story() const {
  std::string text;
  auto list = book.unresolved();
  for (const auto* incident : book.resolved(20)) list.push_back(incident);
  for (const auto* incident : list) {
    text += incident->id + " " + incident->title + " [" + std::string(to_string(incident->state)) +
            "]\n";
    for (const auto& entry : incident->timeline) {
      text += "  " + entry.at.to_rfc3339() + " " + entry.kind + ": " + entry.text + "\n";
    }
  }
  return text;
}

}  // namespace test
