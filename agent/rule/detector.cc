#include "agent/rule/detector.h"

#include <unordered_map>

#include "agent/rule/drop.h"
#include "agent/rule/expiry.h"
#include "agent/rule/flood.h"
#include "agent/rule/liveness.h"
#include "agent/rule/memory.h"
#include "agent/rule/peer.h"
#include "agent/rule/saturation.h"
#include "agent/rule/shift.h"
#include "agent/rule/silence.h"
#include "agent/rule/surge.h"

namespace agent::rule {

namespace {

constexpr base::Duration kForgetAfter = 1h;
constexpr base::Duration kSweepEvery = 1min;
// Rules that are told something once a second, or judge what lasts for seconds, are asked so often: at the
// same moments of the clock whenever one begins, so that a recording is judged as it was; and once more
// when a process has ended, since what they said about it must not stand until then.
constexpr base::Duration kSlowEvery = 500ms;
constexpr int64_t kNoTurn = -1;
constexpr base::Duration kSlack = 20ms;  // evaluations come at beats, a little early or late

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
        peer(rules.peer_differs),
        flood(rules.client_flood) {}

  RuleSet rules;
  Liveness liveness;
  LatencyShift shift;
  Surge surge;
  Drop drop;
  Silence silence;
  Saturation saturation;
  Expiry expiry;
  Peer peer;
  ClientFlood flood;
  base::Instant swept;
  bool wants_echoes = false;
  int64_t slow_turn = kNoTurn;          // the last; kNoTurn: the next evaluation is one
  std::vector<incident::Verdict> kept;  // that stand until then
  // Of the last sample: the next one has mostly the same name.
  series::Label name;
  Observe observer = nullptr;  // null: nobody observes it

  static const std::unordered_map<std::string, Observe>& observers();

  void evaluate_slow(base::Instant now, std::vector<incident::Verdict>& verdicts);

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
    use(flood);
  }
};

// Series by name; others are nobody's here.
const std::unordered_map<std::string, Detector::Impl::Observe>& Detector::Impl::observers() {
  static const std::unordered_map<std::string, Observe> kObservers = {
      {"link_pace", [](Impl& i, const series::Sample& s) { i.shift.observe(s); }},
      {"echo_seconds", [](Impl& i, const series::Sample& s) { i.shift.echo(s, false); }},
      {"echo_lost", [](Impl& i, const series::Sample& s) { i.shift.echo(s, true); }},
      {"proxy_busy",
       [](Impl& i, const series::Sample& s) {
         i.shift.busy(s);
         i.flood.busy(s);
       }},
      {"proxy_waited",
       [](Impl& i, const series::Sample& s) {
         i.shift.waited(s);
         i.flood.waited(s);
       }},
      {"proxy_commands", [](Impl& i, const series::Sample& s) { i.flood.commands(s); }},
      {"proxy_refused", [](Impl& i, const series::Sample& s) { i.flood.refused(s); }},
      {"proxy_unqueued", [](Impl& i, const series::Sample& s) { i.flood.unqueued(s); }},
      {"client_commands", [](Impl& i, const series::Sample& s) { i.flood.client(s); }},
      {"proxy_exited",
       [](Impl& i, const series::Sample& s) {
         if (i.liveness.proxy_exited(s)) i.slow_turn = kNoTurn;
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
         if (i.liveness.backend_exited(s)) i.slow_turn = kNoTurn;
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
  if (sample.key.name != impl_->name) {
    const auto it = Impl::observers().find(sample.key.name);
    impl_->observer = it == Impl::observers().end() ? nullptr : it->second;
    impl_->name = sample.key.name;
  }
  if (impl_->observer != nullptr) impl_->observer(*impl_, sample);
}

// `verdicts`: of the others, to which theirs are added.
void Detector::Impl::evaluate_slow(base::Instant now, std::vector<incident::Verdict>& verdicts) {
  const int64_t turn = (now.ns + kSlack.count()) / kSlowEvery.count();
  if (turn != slow_turn) {
    slow_turn = turn;
    const auto others = static_cast<std::ptrdiff_t>(verdicts.size());
    surge.evaluate(now, verdicts);
    drop.evaluate(now, verdicts);
    silence.evaluate(now, verdicts);
    // What another rule has said about somebody is no difference of its own.
    for (const incident::Verdict& verdict : verdicts) peer.exclude(verdict.scope, now);
    peer.evaluate(now, verdicts);
    saturation.evaluate(now, verdicts);
    expiry.evaluate(now, verdicts);
    kept.assign(verdicts.begin() + others, verdicts.end());
    std::erase_if(kept, [](const incident::Verdict& verdict) { return !verdict.active; });
  } else {
    verdicts.insert(verdicts.end(), kept.begin(), kept.end());
  }
}

std::vector<incident::Verdict> Detector::evaluate(base::Instant now) {
  std::vector<incident::Verdict> verdicts;
  impl_->silence.ticked(now);
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
  for (const incident::Verdict& verdict : verdicts) {
    const bool is_slow = verdict.type == incident::Type::kMemberSlow ||
                         verdict.type == incident::Type::kNetworkDegraded;
    if (is_slow && verdict.active) impl_->flood.slow(verdict.scope, now);
  }
  impl_->flood.evaluate(now, verdicts);
  impl_->evaluate_slow(now, verdicts);
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
  impl_->flood.set_rule(impl_->rules.client_flood);
  impl_->slow_turn = kNoTurn;
}

void Detector::forget(const incident::Scope& gone) {
  impl_->liveness.forget(gone);
  impl_->shift.forget(gone);
  impl_->surge.forget(gone);
  impl_->drop.forget(gone);
  impl_->silence.forget(gone);
  impl_->saturation.forget(gone);
  impl_->peer.forget(gone);
  impl_->flood.forget(gone);
  impl_->slow_turn = kNoTurn;
}

std::string Detector::save() const {
  Memory memory;
  memory.links = impl_->shift.learned();
  memory.levels = impl_->surge.learned();
  memory.commands = impl_->flood.learned();
  memory.traffic = impl_->drop.learned();
  memory.differences = impl_->peer.learned();
  memory.rhythms = impl_->silence.learned();
  memory.heights = impl_->saturation.learned();
  return to_json(memory);
}

base::Result<> Detector::restore(std::string_view text, base::Instant now) {
  const base::Result<Memory> memory = parse_memory(text);
  if (!memory.ok()) return memory.error();
  for (const LearnedLink& link : memory->links) impl_->shift.restore(link, now);
  const auto restore_all = [now](auto& test, const auto& items) {
    for (const auto& item : items) test.restore(item, now);
  };
  restore_all(impl_->surge, memory->levels);
  restore_all(impl_->flood, memory->commands);
  restore_all(impl_->drop, memory->traffic);
  restore_all(impl_->peer, memory->differences);
  restore_all(impl_->silence, memory->rhythms);
  restore_all(impl_->saturation, memory->heights);
  return {};
}

size_t Detector::series_count() const {
  size_t count = 0;
  impl_->each_test([&](const auto& test) { count += test.series_count(); });
  return count;
}

}  // namespace agent::rule
