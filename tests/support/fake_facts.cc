#include "tests/support/fake_facts.h"

#include <boost/json/array.hpp>

namespace test {

using agent::runbook::ClusterFacts;
using agent::runbook::ParamType;
using agent::runbook::Symptom;
using agent::runbook::Target;
using base::Error;
using base::ErrorCode;
using base::Result;

FakeFacts::FakeFacts() {
  for (const std::string cluster : {"amber", "birch"}) {
    load_[cluster] = 0.2;
    for (const char* number : {"1", "2"}) {
      add(ParamType::kProxy, cluster, cluster + "-proxy-" + number);
      add(ParamType::kBackend, cluster, cluster + "-backend-" + number);
    }
  }
}

void FakeFacts::add(ParamType kind, const std::string& cluster, const std::string& id) {
  Member member;
  member.target.kind = kind;
  member.target.id = id;
  member.target.cluster = cluster;
  members_[id] = std::move(member);
  set_state(id, "up", true, false);
}

void FakeFacts::set_state(const std::string& id, const char* state, bool serving, bool dead) {
  Target& target = members_.at(id).target;
  target.fields["state"] = state;
  target.fields["address"] = "127.0.1.1";
  target.fields["port"] = 11211;
  target.serving = serving;
  target.proven_dead = dead;
  if (!serving) symptoms_.emplace_back(target.kind, Symptom{target.cluster, id});
}

void FakeFacts::kill(const std::string& id) {
  set_state(id, "dead", false, true);
}
void FakeFacts::stop(const std::string& id) {
  set_state(id, "stuck", false, false);
}
void FakeFacts::revive(const std::string& id) {
  set_state(id, "up", true, false);
}
void FakeFacts::set_load(const std::string& cluster, std::optional<double> load) {
  load_[cluster] = load;
}

Result<Target> FakeFacts::target(ParamType kind, std::string_view id) const {
  if (kind == ParamType::kCache && id == "12") {
    Target cache;
    cache.kind = kind;
    cache.id = "12";
    cache.cluster = "amber";
    cache.fields["label"] = "demo";
    return cache;
  }
  if (kind == ParamType::kCluster && load_.find(id) != load_.end()) {
    Target cluster;
    cluster.kind = kind;
    cluster.id = cluster.cluster = std::string(id);
    boost::json::array dead;
    for (const auto& [name, member] : members_) {
      if (member.target.cluster == id && member.target.kind == ParamType::kProxy &&
          member.target.proven_dead) {
        dead.push_back(boost::json::value(name));
      }
    }
    cluster.fields["dead_proxies"] = std::move(dead);
    return cluster;
  }
  const auto at = members_.find(id);
  if (at == members_.end() || at->second.target.kind != kind) {
    return Error(ErrorCode::kNotFound, "no such target: " + std::string(id));
  }
  return at->second.target;
}

Result<ClusterFacts> FakeFacts::cluster(std::string_view name) const {
  const auto load = load_.find(name);
  if (load == load_.end()) return Error(ErrorCode::kNotFound, "no cluster " + std::string(name));
  ClusterFacts facts;
  facts.load = load->second;
  facts.telemetry_age = age_;
  for (const auto& [id, member] : members_) {
    if (member.target.cluster != name) continue;
    const bool backend = member.target.kind == ParamType::kBackend;
    ++(backend ? facts.backends : facts.proxies);
    if (member.is_up()) ++(backend ? facts.backends_healthy : facts.proxies_healthy);
  }
  return facts;
}

std::vector<Symptom> FakeFacts::symptoms(ParamType kind, base::Instant) const {
  std::vector<Symptom> found;
  for (const auto& [of, symptom] : symptoms_) {
    if (of == kind) found.push_back(symptom);
  }
  return found;
}

}  // namespace test
