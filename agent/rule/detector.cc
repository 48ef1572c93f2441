#include "agent/rule/detector.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <unordered_map>

#include "agent/rule/liveness.h"
#include "agent/rule/shift.h"
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

bool read(const json::value& item, LearnedLink& link) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", link.cluster) &&
         read(*object, "proxy", link.proxy) && read(*object, "backend", link.backend) &&
         read(*object, "slow", link.slow) && read(*object, "all", link.all) &&
         link.slow <= link.all && link.all >= 1;
}
bool read(const json::value& item, LearnedLevel& level) {
  const json::object* object = item.if_object();
  return object != nullptr && read(*object, "cluster", level.cluster) &&
         read(*object, "proxy", level.proxy) && read(*object, "client", level.client) &&
         read(*object, "value", level.value) && read(*object, "seconds", level.seconds);
}

}  // namespace

struct Detector::Impl {
  using Observe = void (*)(Impl&, const series::Sample&);

  explicit Impl(RuleSet set)
      : rules(std::move(set)),
        liveness(rules),
        shift(rules.latency_shift),
        surge(rules.connection_surge) {}

  RuleSet rules;
  Liveness liveness;
  LatencyShift shift;
  Surge surge;
  base::Instant swept;

  static const std::unordered_map<std::string, Observe>& observers();
};

// Series by name; others are nobody's here.
const std::unordered_map<std::string, Detector::Impl::Observe>& Detector::Impl::observers() {
  static const std::unordered_map<std::string, Observe> kObservers = {
      {"link_pace", [](Impl& i, const series::Sample& s) { i.shift.observe(s); }},
      {"proxy_exited", [](Impl& i, const series::Sample& s) { i.liveness.proxy_exited(s); }},
      {"proxy_heartbeat_age_seconds",
       [](Impl& i, const series::Sample& s) { i.liveness.proxy_heartbeat(s); }},
      {"canary_ok", [](Impl& i, const series::Sample& s) { i.liveness.canary(s); }},
      {"backend_oldest_in_flight_seconds",
       [](Impl& i, const series::Sample& s) { i.liveness.oldest_in_flight(s); }},
      {"backend_connected", [](Impl& i, const series::Sample& s) { i.liveness.connected(s); }},
      {"backend_exited", [](Impl& i, const series::Sample& s) { i.liveness.backend_exited(s); }},
      {"backend_probe_ok", [](Impl& i, const series::Sample& s) { i.liveness.backend_probe(s); }},
      {"proxy_connections", [](Impl& i, const series::Sample& s) { i.surge.connections(s); }},
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
  for (const incident::Scope& sick : impl_->liveness.sick()) impl_->shift.exclude(sick, now);
  for (const LostLink& link : impl_->liveness.lost()) {
    impl_->shift.lost(link.cluster, link.proxy, link.backend, now);
  }
  impl_->shift.evaluate(now, verdicts);
  impl_->surge.evaluate(now, verdicts);
  if (now - impl_->swept >= kSweepEvery) {
    impl_->swept = now;
    impl_->liveness.forget_silent(now - kForgetAfter);
    impl_->shift.forget_silent(now - kForgetAfter);
    impl_->surge.forget_silent(now - kForgetAfter);
  }
  return verdicts;
}

void Detector::set_rules(RuleSet rules) {
  impl_->rules = std::move(rules);
  impl_->liveness.set_rules(impl_->rules);
  impl_->shift.set_rule(impl_->rules.latency_shift);
  impl_->surge.set_rule(impl_->rules.connection_surge);
}

void Detector::forget(const incident::Scope& gone) {
  impl_->liveness.forget(gone);
  impl_->shift.forget(gone);
  impl_->surge.forget(gone);
}

std::string Detector::save() const {
  json::array links;
  for (const LearnedLink& link : impl_->shift.learned()) {
    links.push_back(json::object{{"cluster", link.cluster},
                                 {"proxy", link.proxy},
                                 {"backend", link.backend},
                                 {"slow", link.slow},
                                 {"all", link.all}});
  }
  json::array levels;
  for (const LearnedLevel& level : impl_->surge.learned()) {
    levels.push_back(json::object{{"cluster", level.cluster},
                                  {"proxy", level.proxy},
                                  {"client", level.client},
                                  {"value", level.value},
                                  {"seconds", level.seconds}});
  }
  json::object memory;
  memory["version"] = kMemoryVersion;
  memory["links"] = std::move(links);
  memory["levels"] = std::move(levels);
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
  for (const LearnedLink& link : links) impl_->shift.restore(link);
  for (const LearnedLevel& level : levels) impl_->surge.restore(level, now);
  return {};
}

size_t Detector::series_count() const {
  return impl_->liveness.series_count() + impl_->shift.series_count() + impl_->surge.series_count();
}

}  // namespace agent::rule
