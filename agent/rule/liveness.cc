#include "agent/rule/liveness.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using incident::Evidence;
using incident::Scope;
using incident::Verdict;

constexpr base::Duration kStarting = 15s;  // before its first answer a process may take so long
constexpr base::Duration kFreshHeartbeat = 2s;
constexpr base::Duration kConfirm = 250ms;  // a stale heartbeat is read more than once
constexpr base::Duration kAgentStood = 1s;  // between two evaluations: the agent itself stood
constexpr base::Duration kBlind = 1500ms;

std::string series_name(const char* name, const std::string& cluster, const std::string& proxy,
                        const std::string& backend) {
  return series::to_string({name, cluster, proxy, backend, ""});
}

}  // namespace

void Liveness::Answers::note(bool ok, base::Instant at) {
  if (first.ns == 0) first = at;
  last = at;
  failures = ok ? 0 : failures + 1;
  if (ok) last_ok = at;
}

bool Liveness::Answers::is_silent(base::Instant now, base::Duration silence) const {
  return now - std::max(first, last_ok) >= silence;
}

bool Liveness::Answers::was_ok(base::Instant now, base::Duration within) const {
  return last_ok.ns != 0 && failures == 0 && now - last_ok <= within;
}

bool Liveness::Answers::is_starting(base::Instant now) const {
  return last_ok.ns == 0 && now - first < kStarting;
}

// When it has returned, what was known about it is about its predecessor.
Liveness::Exit Liveness::note_exit(Process& process, const series::Sample& sample) {
  const bool exited = sample.value >= 0.5;
  const bool returned = process.exited && !exited;
  const bool ended = exited && !process.exited;
  if (ended) process.exited_at = sample.at;
  process.exited = exited;
  process.last = sample.at;
  process.is_gone = false;
  if (returned) process.stuck.open();
  if (ended) return Exit::kEnded;
  return returned ? Exit::kReturned : Exit::kNoNews;
}

bool Liveness::proxy_exited(const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  const Exit exit = note_exit(proxy, sample);
  if (exit == Exit::kReturned) {
    proxy.links.clear();
    proxy.heartbeat_at = {};
    proxy.stale_since = {};
  }
  return exit == Exit::kEnded;
}

void Liveness::proxy_heartbeat(const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  proxy.heartbeat_age = sample.value;
  proxy.heartbeat_at = sample.at;
  proxy.last = sample.at;
  const bool stale = sample.value >= base::to_seconds(rules_.proxy_stuck.heartbeat_age);
  if (!stale) proxy.stale_since = {};
  if (stale && proxy.stale_since.ns == 0) proxy.stale_since = sample.at;
}

void Liveness::canary(const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  Link& link = proxy.links[sample.key.backend];
  link.canary.note(sample.value >= 0.5, sample.at);
  link.last = proxy.last = sample.at;
}

void Liveness::oldest_in_flight(const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  Link& link = proxy.links[sample.key.backend];
  link.last = proxy.last = sample.at;
  if (sample.value < base::to_seconds(rules_.backend_stuck.oldest_in_flight)) return;
  link.oldest = sample.value;
  link.oldest_at = sample.at;
}

void Liveness::connected(const series::Sample& sample) {
  Proxy& proxy = clusters_[sample.key.cluster].proxies[sample.key.proxy];
  Link& link = proxy.links[sample.key.backend];
  link.connected = sample.value > 0;
  link.last = link.connected_at = proxy.last = sample.at;
}

bool Liveness::backend_exited(const series::Sample& sample) {
  Backend& backend = clusters_[sample.key.cluster].backends[sample.key.backend];
  const Exit exit = note_exit(backend, sample);
  if (exit != Exit::kReturned) return exit == Exit::kEnded;
  backend.probe = {};
  for (auto& [id, proxy] : clusters_[sample.key.cluster].proxies) {
    proxy.links.erase(sample.key.backend);
  }
  return false;
}

void Liveness::backend_probe(const series::Sample& sample) {
  Backend& backend = clusters_[sample.key.cluster].backends[sample.key.backend];
  backend.probe.note(sample.value >= 0.5, sample.at);
  backend.last = sample.at;
}

bool Liveness::is_heartbeat_stale(const Proxy& proxy, base::Instant now) const {
  return proxy.heartbeat_at.ns != 0 && now - proxy.heartbeat_at < kFreshHeartbeat &&
         proxy.stale_since.ns != 0;
}

bool Liveness::is_well(const Backend& backend) const {
  return !backend.exited && !backend.stuck.active() && backend.probe.failures == 0;
}

// Did somebody else get an answer from that backend?
bool Liveness::has_contrast(const Cluster& cluster, const std::string& proxy,
                            const std::string& backend, base::Instant now) const {
  const base::Duration within = rules_.proxy_stuck.contrast_within;
  bool others = false;
  for (const auto& [id, other] : cluster.proxies) {
    if (id == proxy || other.exited || is_heartbeat_stale(other, now)) continue;
    const auto link = other.links.find(backend);
    if (link == other.links.end() || link->second.canary.first.ns == 0) continue;
    others = true;
    if (link->second.canary.was_ok(now, within)) return true;
  }
  if (others) return false;
  const auto it = cluster.backends.find(backend);
  return it != cluster.backends.end() && it->second.probe.was_ok(now, within);
}

void Liveness::judge_proxy(const std::string& name, const Cluster& cluster, const std::string& id,
                           Proxy& proxy, base::Instant now) {
  const ProxyStuckRule& rule = rules_.proxy_stuck;
  const bool dead = proxy.exited && rules_.proxy_dead.enabled;
  proxy.dead.update(dead, dead, proxy.exited_at, now, base::Duration(0));
  if (proxy.exited) return proxy.stuck.open();

  const bool stale = is_heartbeat_stale(proxy, now) && now - proxy.stale_since >= kConfirm;
  const auto fails = [&](const Link& link) {
    return link.canary.failures >= rule.canary_failures &&
           link.canary.is_silent(now, rule.canary_silence);
  };
  const bool is_calm =
      !stale && std::none_of(proxy.links.begin(), proxy.links.end(),
                             [&](const auto& entry) { return fails(entry.second); });
  if (is_calm) return proxy.stuck.update(false, false, now, now, rule.clear_after);
  size_t asked = 0, unanswered = 0, failing = 0, contrasted = 0;
  base::Instant last_ok;
  for (const auto& [backend_id, link] : proxy.links) {
    const auto backend = cluster.backends.find(backend_id);
    if (backend != cluster.backends.end() && !is_well(backend->second)) continue;
    if (link.canary.first.ns == 0 || link.canary.is_starting(now)) continue;
    ++asked;
    last_ok = std::max({last_ok, link.canary.last_ok, link.canary.first});
    if (link.canary.failures > 0 || link.canary.is_silent(now, rule.heartbeat_age)) ++unanswered;
    if (fails(link)) ++failing;
    if (has_contrast(cluster, id, backend_id, now)) ++contrasted;
  }
  const bool wedged = stale && (asked == 0 || (unanswered == asked && contrasted > 0));
  const bool alone = stale && proxy.heartbeat_age >= base::to_seconds(rule.heartbeat_alone);
  const bool mute = asked > 0 && failing == asked && contrasted == asked;
  const bool start = rule.enabled && now >= blind_until_ && (wedged || alone || mute);
  const bool stay = stale || (asked > 0 && failing == asked);
  base::Instant began = last_ok;
  if (stale) began = now - base::from_seconds(proxy.heartbeat_age);
  if (start && !proxy.stuck.active()) {
    proxy.confidence = wedged ? 0.97 : alone ? 0.92 : 0.85;
    proxy.evidence = {{series_name("proxy_heartbeat_age_seconds", name, id, ""), 0.05,
                       proxy.heartbeat_age, "seconds"},
                      {series_name("canary_ok", name, id, ""), static_cast<double>(asked),
                       static_cast<double>(asked - unanswered), "backends answering"}};
    proxy.sentence = "Proxy " + id + " answers " + std::to_string(asked - unanswered) + " of " +
                     std::to_string(asked) + " canaries";
    if (stale) {
      proxy.sentence += " and has not turned its loop for " + seconds_text(proxy.heartbeat_age);
    }
    proxy.sentence += "; others get answers from the same backends.";
  }
  proxy.stuck.update(start, stay, began, now, rule.clear_after);
}

void Liveness::judge_backend(const std::string& name, const Cluster& cluster, const std::string& id,
                             Backend& backend, base::Instant now) {
  const BackendStuckRule& rule = rules_.backend_stuck;
  const bool dead = backend.exited && rules_.backend_dead.enabled;
  backend.dead.update(dead, dead, backend.exited_at, now, base::Duration(0));
  if (backend.exited) return backend.stuck.open();

  const Answers& probe = backend.probe;
  const bool failing = probe.failures >= rule.probe_failures && !probe.is_starting(now);
  if (!failing) return backend.stuck.update(false, false, now, now, rule.clear_after);
  const bool silent = probe.is_silent(now, rule.silence);
  size_t asked = 0, waiting = 0;
  double oldest = 0;
  for (const auto& [proxy_id, proxy] : cluster.proxies) {
    const auto it = proxy.links.find(id);
    if (it == proxy.links.end() || proxy.exited || proxy.stuck.active()) continue;
    if (is_heartbeat_stale(proxy, now)) continue;
    const Link& link = it->second;
    if (now - link.last > rule.window) continue;
    ++asked;
    const bool held = link.oldest_at.ns != 0 && now - link.oldest_at <= rule.window;
    const bool cut = !link.connected && now - link.connected_at <= rule.window;
    if (held) oldest = std::max(oldest, link.oldest);
    if (held || cut || link.canary.failures > 0) ++waiting;
  }
  // A backend that no proxy uses (it owns no slots) has the probe as its only witness.
  const bool agreed = asked > 0 ? waiting == asked : probe.is_silent(now, 3 * rule.silence);
  const bool start = rule.enabled && now >= blind_until_ && silent && agreed;
  const base::Instant began = std::max(probe.first, probe.last_ok);
  if (start && !backend.stuck.active()) {
    const double quiet = base::to_seconds(now - began);
    backend.confidence = asked > 0 ? 0.97 : 0.9;
    backend.evidence = {
        {series_name("backend_probe_ok", name, "", id), 1, 0, "answers"},
        {series_name("backend_oldest_in_flight_seconds", name, "", id), 0, oldest, "seconds"}};
    backend.sentence = "Backend " + id + " has not answered the agent for " + seconds_text(quiet) +
                       ", and " + std::to_string(waiting) + " of " + std::to_string(asked) +
                       " proxies wait for it.";
  }
  backend.stuck.update(start, failing, began, now, rule.clear_after);
}

void Liveness::find_lost(const std::string& name, const Cluster& cluster, base::Instant now) {
  const ProxyStuckRule& rule = rules_.proxy_stuck;
  for (const auto& [proxy_id, proxy] : cluster.proxies) {
    if (proxy.exited || is_heartbeat_stale(proxy, now)) continue;
    for (const auto& [backend_id, link] : proxy.links) {
      const bool lost = link.canary.failures >= rule.canary_failures &&
                        !link.canary.is_starting(now) &&
                        link.canary.is_silent(now, rule.canary_silence);
      if (!lost) continue;
      const auto backend = cluster.backends.find(backend_id);
      if (backend == cluster.backends.end() || !is_well(backend->second)) continue;
      if (!backend->second.probe.was_ok(now, rule.contrast_within)) continue;
      lost_.push_back({name, proxy_id, backend_id});
    }
  }
}

bool Liveness::has_news(const Process& process) {
  return process.dead.has_news() || process.stuck.has_news();
}

void Liveness::report(const Common& dead, const Common& stuck, const Scope& scope, Process& process,
                      std::vector<Verdict>& out) {
  const auto add = [&](const Common& rule, Latch& latch) -> Verdict* {
    const bool ended = latch.take_ended();
    if (!latch.active() && !ended) return nullptr;
    Verdict verdict;
    verdict.rule = rule.name;
    verdict.type = rule.type;
    verdict.scope = scope;
    verdict.active = latch.active();
    verdict.since = latch.since();
    out.push_back(std::move(verdict));
    return &out.back();
  };
  if (Verdict* verdict = add(dead, process.dead)) {
    verdict->sentence = "The process of " + scope.to_string() + " has ended.";
    const char* name = scope.proxy.empty() ? "backend_exited" : "proxy_exited";
    verdict->evidence = {{series_name(name, scope.cluster, scope.proxy, scope.backend), 0,
                          process.exited ? 1.0 : 0.0, "ended"}};
  }
  if (Verdict* verdict = add(stuck, process.stuck)) {
    verdict->sentence = process.sentence;
    verdict->evidence = process.evidence;
    verdict->confidence = process.confidence;
  }
}

void Liveness::evaluate(base::Instant now, std::vector<Verdict>& out) {
  if (last_evaluate_.ns != 0 && now - last_evaluate_ > kAgentStood) blind_until_ = now + kBlind;
  last_evaluate_ = now;
  sick_.clear();
  lost_.clear();
  for (auto& [name, cluster] : clusters_) {
    for (auto& [id, backend] : cluster.backends) {
      judge_backend(name, cluster, id, backend, now);
      if (has_news(backend)) {
        report(rules_.backend_dead, rules_.backend_stuck, {name, "", id, ""}, backend, out);
      }
      const bool stuck = backend.stuck.active() || backend.probe.failures > 0;
      if (backend.exited || stuck) sick_.push_back({name, "", id, ""});
    }
    for (auto& [id, proxy] : cluster.proxies) {
      judge_proxy(name, cluster, id, proxy, now);
      if (has_news(proxy)) {
        report(rules_.proxy_dead, rules_.proxy_stuck, {name, id, "", ""}, proxy, out);
      }
      const bool stale = is_heartbeat_stale(proxy, now);
      const bool stuck = stale || (proxy.stuck.active() && proxy.confidence > 0.9);
      if (proxy.exited || stuck) sick_.push_back({name, id, "", ""});
    }
    find_lost(name, cluster, now);
    std::erase_if(cluster.proxies, [](const auto& entry) { return entry.second.is_gone; });
    std::erase_if(cluster.backends, [](const auto& entry) { return entry.second.is_gone; });
  }
}

void Liveness::forget(const Scope& gone) {
  const auto it = clusters_.find(gone.cluster);
  if (it == clusters_.end()) return;
  const auto end = [](Process& process) {
    process.exited = false;
    process.stuck.open();
    process.is_gone = true;
  };
  if (auto proxy = it->second.proxies.find(gone.proxy); proxy != it->second.proxies.end()) {
    end(proxy->second);
    proxy->second.links.clear();
    proxy->second.stale_since = {};
  }
  if (gone.backend.empty()) return;
  for (auto& [id, proxy] : it->second.proxies) proxy.links.erase(gone.backend);
  if (auto backend = it->second.backends.find(gone.backend); backend != it->second.backends.end()) {
    end(backend->second);
    backend->second.probe = {};
  }
}

void Liveness::forget_silent(base::Instant before) {
  for (auto& [name, cluster] : clusters_) {
    for (auto& [id, proxy] : cluster.proxies) {
      std::erase_if(proxy.links, [&](const auto& entry) { return entry.second.last < before; });
      if (proxy.last < before) forget({name, id, "", ""});
    }
    for (auto& [id, backend] : cluster.backends) {
      if (backend.last < before) forget({name, "", id, ""});
    }
  }
  std::erase_if(clusters_, [](const auto& entry) {
    return entry.second.proxies.empty() && entry.second.backends.empty();
  });
}

size_t Liveness::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) {
    count += cluster.backends.size() + cluster.proxies.size();
    for (const auto& [id, proxy] : cluster.proxies) count += proxy.links.size();
  }
  return count;
}

}  // namespace agent::rule
