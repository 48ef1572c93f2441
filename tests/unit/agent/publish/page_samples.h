// Small builders of region states and incidents for the tests of the status page.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/publish/build.h"

namespace test {

inline base::WallTime at_second(int64_t second) {
  return base::WallTime{(1'767'225'600 + second) * 1'000'000'000};  // from 2026-01-01T00:00:00Z
}

inline agent::publish::PageIdentity sample_identity() {
  agent::publish::PageIdentity identity;
  identity.id = "page-local";
  identity.name = "Memcache at Example";
  identity.url = "https://status.example.com";
  identity.created = at_second(0);
  return identity;
}

inline agent::publish::ClusterHealth sound_cluster(std::string name) {
  agent::publish::ClusterHealth cluster;
  cluster.name = std::move(name);
  cluster.proxies = cluster.proxies_serving = 2;
  cluster.backends = cluster.backends_serving = 2;
  return cluster;
}

// An incident of cluster amber that went through the stages named, ten seconds each, beginning at
// 100.
inline agent::publish::ReportedIncident sample_incident(agent::incident::Type type,
                                                        agent::incident::State state,
                                                        const std::vector<std::string>& stages) {
  agent::publish::ReportedIncident reported;
  agent::incident::Incident& incident = reported.incident;
  incident.id = "inc-20260101-000140-1";
  incident.type = type;
  incident.scope.cluster = "amber";
  incident.scope.proxy = "amber-proxy-1";
  incident.state = state;
  incident.title = "Proxy amber-proxy-1 is dead";
  incident.started = at_second(99);
  incident.detected = at_second(100);
  int64_t second = 100;
  for (const std::string& stage : stages) {
    incident.timeline.push_back({at_second(second), stage, "for operators"});
    incident.updated = at_second(second);
    if (stage == "resolved") incident.resolved = at_second(second);
    second += 10;
  }
  reported.wording = agent::publish::default_wording(type, incident.scope);
  return reported;
}

inline agent::publish::PageModel sample_page(
    const std::vector<agent::publish::ReportedIncident>& incidents) {
  return agent::publish::build_page(sample_identity(),
                                    {sound_cluster("amber"), sound_cluster("birch")}, incidents,
                                    at_second(200), nullptr);
}

}  // namespace test
