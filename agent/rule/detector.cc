#include "agent/rule/detector.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <unordered_map>

#include "agent/rule/drop.h"
#include "agent/rule/expiry.h"
#include "agent/rule/liveness.h"
#include "agent/rule/peer.h"
#include "agent/rule/saturation.h"
#include "agent/rule/shift.h"
#include "agent/rule/silence.h"
#include "agent/rule/surge.h"

namespace agent::rule {

namespace json = boost::json;

namespace {

constexpr base::Duration kForgetAfter = 1h;
constexpr base::Duration kSweepEvery = 1min;
constexpr int kMemoryVersion = 1;

base::Error bad_memory(const std::string& what) {
  return {base::ErrorCode::kInvalid,
          "the detector's memory: " + what + "; without it everything is learned afresh"};
}

// Null unless every wanted field is there with its type.
const json::array* list_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr ? value->if_array() : nullptr;
}
bool read(const json::object& object, std::string_view key, std::string& out) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return false;
  out = std::string(value->as_string());
  return true;
}
bool read(const json::object& object, std::string_view key, double& out) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return false;
  out = value->to_number<double>();
  return out >= 0 && out < 1e15;
}

// Missing where none were heard, and in what an earlier version has saved.
bool read_echoes(const json::object& link, LearnedLink& out) {
  const json::value* value = link.if_contains("echoes");
  if (value == nullptr) return true;
  const json::object* object = value->if_object();
  LinkEchoes::Learned echoes;
  if (object == nullptr || !read(*object, "median", echoes.median) ||
      !read(*object, "slow", echoes.slow) || !read(*object, "all", echoes.all) ||
      echoes.slow > echoes.all || echoes.all < 1) {
    return false;
  }
  out.echoes = echoes;
  return true;
}

bool read(const json::value& item, LearnedLink& link) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", link.cluster) &&
         read(*object, "proxy", link.proxy) && read(*object, "backend", link.backend) &&
         read(*object, "slow", link.slow) && read(*object, "all", link.all) &&
         link.slow <= link.all && link.all >= 1 && read_echoes(*object, link);
}
bool read(const json::value& item, LearnedLevel& level) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", level.cluster) &&
         read(*object, "proxy", level.proxy) && read(*object, "client", level.client) &&
         read(*object, "value", level.value) && read(*object, "seconds", level.seconds);
}
bool read(const json::value& item, LearnedTraffic& level) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", level.cluster) &&
         read(*object, "proxy", level.proxy) && read(*object, "of", level.of) &&
         read(*object, "value", level.value) && read(*object, "seconds", level.seconds);
}
bool read(const json::value& item, LearnedDifference& difference) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", difference.cluster) &&
         read(*object, "proxy", difference.proxy) && read(*object, "backend", difference.backend) &&
         read(*object, "of", difference.of) && read(*object, "ratio", difference.ratio) &&
         read(*object, "seconds", difference.seconds) && difference.ratio > 0;
}

}  // namespace

struct Detector::Impl {
  using Observe = void (*)(Impl&, const series::Sample&);

  explicit Impl(RuleSet set)
      : rules(std::move(set)),
        liveness(rules),
        shift(rules.latency_shift),
        surge(rules.connection_surge),
        drop(rules.traffic_drop),
        silence(rules.telemetry_silent),
        saturation(rules.resources_low),
        expiry(rules.certificate_expiring),
        peer(rules.peer_differs) {}

  RuleSet rules;
  Liveness liveness;
  LatencyShift shift;
  Surge surge;
  Drop drop;
  Silence silence;
  Saturation saturation;
  Expiry expiry;
  Peer peer;
  base::Instant swept;
  bool wants_echoes = false;

  static const std::unordered_map<std::string, Observe>& observers();

  template <class Use>
  void each_test(Use use) {
    use(liveness);
    use(shift);
    use(surge);
    use(drop);
    use(silence);
    use(saturation);
    use(expiry);
    use(peer);
  }
};

// Series by name; others are nobody's here.
const std::unordered_map<std::string, Detector::Impl::Observe>& Detector::Impl::observers() {
  static const std::unordered_map<std::string, Observe> kObservers = {
      {"link_pace", [](Impl& i, const series::Sample& s) { i.shift.observe(s); }},
      {"echo_seconds", [](Impl& i, const series::Sample& s) { i.shift.echo(s, false); }},
      {"echo_lost", [](Impl& i, const series::Sample& s) { i.shift.echo(s, true); }},
      {"proxy_exited",
       [](Impl& i, const series::Sample& s) {
         i.liveness.proxy_exited(s);
         i.drop.exited(s);
         i.silence.exited(s);
         i.saturation.exited(s);
         i.peer.exited(s);
       }},
      {"proxy_heartbeat_age_seconds",
       [](Impl& i, const series::Sample& s) {
         i.liveness.proxy_heartbeat(s);
         i.silence.heard(Silence::kTelemetry, s);
       }},
      {"canary_ok",
       [](Impl& i, const series::Sample& s) {
         i.liveness.canary(s);
         i.silence.heard(Silence::kCanary, s);
       }},
      {"backend_oldest_in_flight_seconds",
       [](Impl& i, const series::Sample& s) { i.liveness.oldest_in_flight(s); }},
      {"backend_connected", [](Impl& i, const series::Sample& s) { i.liveness.connected(s); }},
      {"backend_exited",
       [](Impl& i, const series::Sample& s) {
         i.liveness.backend_exited(s);
         i.silence.exited(s);
         i.saturation.exited(s);
         i.peer.exited(s);
       }},
      {"backend_probe_ok",
       [](Impl& i, const series::Sample& s) {
         i.liveness.backend_probe(s);
         i.silence.heard(Silence::kProbe, s);
       }},
      {"proxy_connections",
       [](Impl& i, const series::Sample& s) {
         i.surge.connections(s);
         i.drop.connections(s);
         i.silence.heard(Silence::kConnections, s);
         i.peer.measured(Peer::kConnections, s);
       }},
      {"backend_connection_slots",
       [](Impl& i, const series::Sample& s) {
         i.silence.heard(Silence::kStatistics, s);
         i.saturation.used(Saturation::kBackendSlots, s);
       }},
      {"proxy_descriptors",
       [](Impl& i, const series::Sample& s) { i.saturation.used(Saturation::kDescriptors, s); }},
      {"proxy_connection_slots",
       [](Impl& i, const series::Sample& s) { i.saturation.used(Saturation::kProxySlots, s); }},
      {"host_memory_bytes",
       [](Impl& i, const series::Sample& s) { i.saturation.used(Saturation::kMemory, s); }},
      {"certificate_seconds", [](Impl& i, const series::Sample& s) { i.expiry.left(s); }},
      {"proxy_requests", [](Impl& i, const series::Sample& s) { i.drop.requests(s); }},
      {"proxy_draining",
       [](Impl& i, const series::Sample& s) {
         i.drop.draining(s);
         i.peer.draining(s);
       }},
      {"proxy_failures",
       [](Impl& i, const series::Sample& s) { i.peer.measured(Peer::kFailures, s); }},
      {"proxy_p99_seconds",
       [](Impl& i, const series::Sample& s) { i.peer.measured(Peer::kLatency, s); }},
      {"proxy_processor_seconds",
       [](Impl& i, const series::Sample& s) { i.peer.measured(Peer::kProcessor, s); }},
      {"backend_failures",
       [](Impl& i, const series::Sample& s) { i.peer.measured(Peer::kFailures, s); }},
      {"backend_p99_seconds",
       [](Impl& i, const series::Sample& s) { i.peer.measured(Peer::kLatency, s); }},
      {"client_connections", [](Impl& i, const series::Sample& s) { i.surge.client(s); }},
  };
  return kObservers;
}

Detector::Detector(RuleSet rules) : impl_(std::make_unique<Impl>(std::move(rules))) {}
Detector::~Detector() = default;

void Detector::observe(const series::Sample& sample) {
  const auto it = Impl::observers().find(sample.key.name);
  if (it != Impl::observers().end()) it->second(*impl_, sample);
}

std::vector<incident::Verdict> Detector::evaluate(base::Instant now) {
  std::vector<incident::Verdict> verdicts;
  impl_->liveness.evaluate(now, verdicts);
  for (const incident::Scope& sick : impl_->liveness.sick()) {
    impl_->shift.exclude(sick, now);
    impl_->drop.exclude(sick, now);
    impl_->silence.exclude(sick, now);
  }
  for (const LostLink& link : impl_->liveness.lost()) {
    impl_->shift.lost(link.cluster, link.proxy, link.backend, now);
  }
  impl_->shift.evaluate(now, verdicts);
  impl_->wants_echoes = impl_->shift.wants_echoes(now);
  impl_->surge.evaluate(now, verdicts);
  impl_->drop.evaluate(now, verdicts);
  impl_->silence.evaluate(now, verdicts);
  // What another rule has said about somebody is no difference of its own.
  for (const incident::Verdict& verdict : verdicts) impl_->peer.exclude(verdict.scope, now);
  impl_->peer.evaluate(now, verdicts);
  impl_->saturation.evaluate(now, verdicts);
  impl_->expiry.evaluate(now, verdicts);
  if (now - impl_->swept >= kSweepEvery) {
    impl_->swept = now;
    impl_->each_test([&](auto& test) { test.forget_silent(now - kForgetAfter); });
  }
  return verdicts;
}

bool Detector::wants_echoes() const {
  return impl_->wants_echoes;
}

void Detector::set_rules(RuleSet rules) {
  impl_->rules = std::move(rules);
  impl_->liveness.set_rules(impl_->rules);
  impl_->shift.set_rule(impl_->rules.latency_shift);
  impl_->surge.set_rule(impl_->rules.connection_surge);
  impl_->drop.set_rule(impl_->rules.traffic_drop);
  impl_->silence.set_rule(impl_->rules.telemetry_silent);
  impl_->saturation.set_rule(impl_->rules.resources_low);
  impl_->expiry.set_rule(impl_->rules.certificate_expiring);
  impl_->peer.set_rule(impl_->rules.peer_differs);
}

void Detector::forget(const incident::Scope& gone) {
  impl_->liveness.forget(gone);
  impl_->shift.forget(gone);
  impl_->surge.forget(gone);
  impl_->drop.forget(gone);
  impl_->silence.forget(gone);
  impl_->saturation.forget(gone);
  impl_->peer.forget(gone);
}

std::string Detector::save() const {
  json::array links;
  for (const LearnedLink& link : impl_->shift.learned()) {
    links.push_back(json::object{{"cluster", link.cluster},
                                 {"proxy", link.proxy},
                                 {"backend", link.backend},
                                 {"slow", link.slow},
                                 {"all", link.all}});
    if (!link.echoes) continue;
    links.back().as_object()["echoes"] = json::object{
        {"median", link.echoes->median}, {"slow", link.echoes->slow}, {"all", link.echoes->all}};
  }
  json::array levels;
  for (const LearnedLevel& level : impl_->surge.learned()) {
    levels.push_back(json::object{{"cluster", level.cluster},
                                  {"proxy", level.proxy},
                                  {"client", level.client},
                                  {"value", level.value},
                                  {"seconds", level.seconds}});
  }
  json::array traffic;
  for (const LearnedTraffic& level : impl_->drop.learned()) {
    traffic.push_back(json::object{{"cluster", level.cluster},
                                   {"proxy", level.proxy},
                                   {"of", level.of},
                                   {"value", level.value},
                                   {"seconds", level.seconds}});
  }
  json::array differences;
  for (const LearnedDifference& difference : impl_->peer.learned()) {
    differences.push_back(json::object{{"cluster", difference.cluster},
                                       {"proxy", difference.proxy},
                                       {"backend", difference.backend},
                                       {"of", difference.of},
                                       {"ratio", difference.ratio},
                                       {"seconds", difference.seconds}});
  }
  json::object memory;
  memory["version"] = kMemoryVersion;
  memory["links"] = std::move(links);
  memory["levels"] = std::move(levels);
  memory["traffic"] = std::move(traffic);
  memory["differences"] = std::move(differences);
  return json::serialize(memory);
}

base::Result<> Detector::restore(std::string_view text, base::Instant now) {
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  const json::object* object = error ? nullptr : document.if_object();
  if (object == nullptr) return bad_memory("expected a JSON object");
  const json::value* version = object->if_contains("version");
  if (version == nullptr || *version != kMemoryVersion) return bad_memory("expected version 1");
  const json::array* link_items = list_of(*object, "links");
  const json::array* level_items = list_of(*object, "levels");
  if (link_items == nullptr || level_items == nullptr) {
    return bad_memory("expected the lists links and levels");
  }
  std::vector<LearnedLink> links;
  for (const json::value& item : *link_items) {
    if (!read(item, links.emplace_back())) return bad_memory("a malformed entry in links");
  }
  std::vector<LearnedLevel> levels;
  for (const json::value& item : *level_items) {
    if (!read(item, levels.emplace_back())) return bad_memory("a malformed entry in levels");
  }
  // Missing in what an earlier version has saved.
  std::vector<LearnedTraffic> traffic;
  if (const json::array* items = list_of(*object, "traffic")) {
    for (const json::value& item : *items) {
      if (!read(item, traffic.emplace_back())) return bad_memory("a malformed entry in traffic");
    }
  }
  std::vector<LearnedDifference> differences;
  if (const json::array* items = list_of(*object, "differences")) {
    for (const json::value& item : *items) {
      if (!read(item, differences.emplace_back())) {
        return bad_memory("a malformed entry in differences");
      }
    }
  }
  for (const LearnedDifference& difference : differences) impl_->peer.restore(difference, now);
  for (const LearnedTraffic& level : traffic) impl_->drop.restore(level, now);
  for (const LearnedLink& link : links) impl_->shift.restore(link);
  for (const LearnedLevel& level : levels) impl_->surge.restore(level, now);
  return {};
}

size_t Detector::series_count() const {
  size_t count = 0;
  impl_->each_test([&](const auto& test) { count += test.series_count(); });
  return count;
}

}  // namespace agent::rule
