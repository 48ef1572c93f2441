#include "agent/publish/build.h"

#include <algorithm>
#include <map>

namespace agent::publish {

namespace {

using incident::Type;
using Status = ComponentStatus;

constexpr std::string_view kConnections = "connections";
constexpr std::string_view kResponseTimes = "response-times";
constexpr std::string_view kContents = "cache-contents";
constexpr size_t kMaxResolved = 50;

// What one incident does to a cluster's three components.
struct Effect {
  Status connections = Status::kOperational;
  Status response_times = Status::kOperational;
  Status contents = Status::kOperational;
};

Effect effect_of(Type type, bool mitigating) {
  Effect effect;
  switch (type) {
    case Type::kProxyDead:
    case Type::kProxyStuck:
      effect.connections = Status::kPartialOutage;
      break;
    case Type::kBackendDead:
    case Type::kBackendStuck:
      effect.contents = mitigating ? Status::kDegradedPerformance : Status::kPartialOutage;
      break;
    case Type::kConnectionSurge:
    case Type::kClientFlood:
      effect.connections = Status::kDegradedPerformance;
      break;
    case Type::kNetworkDegraded:
    case Type::kMemberSlow:
      effect.response_times = Status::kDegradedPerformance;
      break;
    case Type::kSeveralClusters:
      effect.connections = Status::kDegradedPerformance;
      effect.response_times = Status::kDegradedPerformance;
      break;
    case Type::kClusterLost:
      effect = {Status::kMajorOutage, Status::kMajorOutage, Status::kMajorOutage};
      break;
    case Type::kControlPlaneLost:
    case Type::kResourcesLow:
    case Type::kCertificateExpiring:
    case Type::kOther:
      break;
  }
  return effect;
}

std::string group_id(const std::string& cluster) {
  return "cluster-" + cluster;
}

std::string component_id(const std::string& cluster, std::string_view part) {
  return group_id(cluster) + "-" + std::string(part);
}

Status connections_by_count(const ClusterHealth& cluster) {
  if (cluster.proxies_serving >= cluster.proxies) return Status::kOperational;
  return cluster.proxies_serving <= 0 ? Status::kMajorOutage : Status::kPartialOutage;
}

Status contents_by_count(const ClusterHealth& cluster) {
  if (cluster.backends_serving >= cluster.backends) return Status::kOperational;
  if (cluster.backends_serving <= 0) return Status::kMajorOutage;
  const int waited_for = cluster.backends - cluster.backends_serving - cluster.backends_ejected;
  return waited_for > 0 ? Status::kPartialOutage : Status::kDegradedPerformance;
}

ComponentGroup group_by_count(const ClusterHealth& cluster) {
  ComponentGroup group;
  group.id = group_id(cluster.name);
  group.name = "Cluster " + cluster.name;
  const auto add = [&](std::string_view part, std::string name, std::string text, Status status) {
    Component component;
    component.id = component_id(cluster.name, part);
    component.name = std::move(name);
    component.description = std::move(text);
    component.status = status;
    group.components.push_back(std::move(component));
  };
  add(kConnections, "Connections", "Connecting, authenticating and sending requests.",
      connections_by_count(cluster));
  add(kResponseTimes, "Response times", "How fast requests are answered.", Status::kOperational);
  add(kContents, "Cache contents", "Reading what was stored, and storing more.",
      contents_by_count(cluster));
  return group;
}

std::vector<AffectedComponent> affected(const incident::Incident& incident, bool mitigating,
                                        const std::vector<ClusterHealth>& clusters) {
  const Effect effect = effect_of(incident.type, mitigating);
  std::vector<AffectedComponent> out;
  const auto add = [&](const std::string& cluster, std::string_view part, Status status) {
    if (status != Status::kOperational) out.push_back({component_id(cluster, part), status});
  };
  for (const ClusterHealth& cluster : clusters) {
    if (!incident.scope.cluster.empty() && incident.scope.cluster != cluster.name) continue;
    add(cluster.name, kConnections, effect.connections);
    add(cluster.name, kResponseTimes, effect.response_times);
    add(cluster.name, kContents, effect.contents);
  }
  return out;
}

struct Stage {
  IncidentStatus status;
  base::WallTime at;
};

// The stages that the timeline tells, each once per change: a recovery that did not hold shows as
// identified again.
std::vector<Stage> stages_of(const incident::Incident& incident) {
  static const std::map<std::string_view, IncidentStatus> kStages = {
      {"opened", IncidentStatus::kInvestigating},
      {"run", IncidentStatus::kIdentified},
      {"monitoring", IncidentStatus::kMonitoring},
      {"resolved", IncidentStatus::kResolved},
  };
  std::vector<Stage> stages;
  for (const incident::TimelineEntry& entry : incident.timeline) {
    const auto found = kStages.find(entry.kind);
    if (found == kStages.end()) continue;
    if (!stages.empty() && stages.back().status == found->second) continue;
    stages.push_back({found->second, entry.at});
  }
  return stages;
}

IncidentStatus status_of(incident::State state) {
  switch (state) {
    case incident::State::kSuspected:
    case incident::State::kOpen:
      return IncidentStatus::kInvestigating;
    case incident::State::kMitigating:
      return IncidentStatus::kIdentified;
    case incident::State::kMonitoring:
      return IncidentStatus::kMonitoring;
    case incident::State::kResolved:
      return IncidentStatus::kResolved;
  }
  return IncidentStatus::kInvestigating;
}

const std::string& sentence(const Wording& wording, IncidentStatus status) {
  switch (status) {
    case IncidentStatus::kInvestigating:
      return wording.investigating;
    case IncidentStatus::kIdentified:
      return wording.identified;
    case IncidentStatus::kMonitoring:
      return wording.monitoring;
    case IncidentStatus::kResolved:
      return wording.resolved;
  }
  return wording.investigating;
}

// The stages of an incident, ending with the one it is in. A timeline that was cut, or is written
// after the state, lacks that; the state is what counts.
std::vector<Stage> stages_to_now(const incident::Incident& incident) {
  std::vector<Stage> stages = stages_of(incident);
  if (stages.empty()) stages.push_back({IncidentStatus::kInvestigating, incident.detected});
  const IncidentStatus now = status_of(incident.state);
  // A repair that was given up leaves the incident open; what is wrong stays known.
  const bool still_known =
      now == IncidentStatus::kInvestigating && stages.back().status == IncidentStatus::kIdentified;
  if (stages.back().status != now && !still_known) stages.push_back({now, incident.updated});
  return stages;
}

std::vector<IncidentUpdate> updates_of(const ReportedIncident& reported,
                                       const std::vector<Stage>& stages) {
  std::vector<IncidentUpdate> updates;
  for (const Stage& stage : stages) {
    const std::string& text = sentence(reported.wording, stage.status);
    if (text.empty()) continue;
    IncidentUpdate update;
    update.id = reported.incident.id + "-u" + std::to_string(updates.size() + 1);
    update.status = stage.status;
    update.at = stage.at;
    update.body = text;
    updates.push_back(std::move(update));
  }
  std::reverse(updates.begin(), updates.end());
  return updates;
}

PageIncident told(const ReportedIncident& reported, const std::vector<ClusterHealth>& clusters) {
  const incident::Incident& incident = reported.incident;
  PageIncident page;
  page.id = incident.id;
  page.name = reported.wording.title;
  page.started = incident.started;
  page.created = incident.detected;
  const std::vector<Stage> stages = stages_to_now(incident);
  page.status = stages.back().status;
  page.updates = updates_of(reported, stages);
  page.updated = page.updates.empty() ? incident.updated : page.updates.front().at;
  // Newest first: of several recoveries the latest counts.
  for (const IncidentUpdate& update : page.updates) {
    if (update.status == IncidentStatus::kMonitoring && page.monitoring.ns == 0) {
      page.monitoring = update.at;
    }
  }
  if (page.status == IncidentStatus::kResolved) {
    page.resolved = incident.resolved.ns != 0 ? incident.resolved : page.updated;
  }
  page.components = affected(incident, incident.state == incident::State::kMitigating, clusters);
  Status worst = Status::kOperational;
  for (const AffectedComponent& component : affected(incident, false, clusters)) {
    worst = std::max(worst, component.status);
  }
  page.impact = impact_of(worst);
  return page;
}

// What may happen and has not is the operators' business, and so is what is only unusual.
bool is_told(const incident::Incident& incident) {
  const bool is_unusual = incident.type == Type::kOther && incident.alert.empty();
  return incident.state != incident::State::kSuspected && incident.type != Type::kResourcesLow &&
         incident.type != Type::kCertificateExpiring && !is_unusual;
}

bool colours_components(const PageIncident& incident) {
  return incident.status == IncidentStatus::kInvestigating ||
         incident.status == IncidentStatus::kIdentified;
}

void colour(const PageIncident& incident, std::vector<ComponentGroup>& groups) {
  for (const AffectedComponent& part : incident.components) {
    for (ComponentGroup& group : groups) {
      for (Component& component : group.components) {
        if (component.id == part.id) component.status = std::max(component.status, part.status);
      }
    }
  }
}

void date_components(PageModel& model, const PageModel* previous) {
  for (ComponentGroup& group : model.groups) {
    for (Component& component : group.components) {
      const Component* before = previous ? previous->find_component(component.id) : nullptr;
      component.updated =
          before && before->status == component.status ? before->updated : model.generated;
    }
  }
}

}  // namespace

PageModel build_page(const PageIdentity& identity, const std::vector<ClusterHealth>& clusters,
                     const std::vector<ReportedIncident>& incidents, base::WallTime now,
                     const PageModel* previous) {
  PageModel model;
  model.identity = identity;
  model.generated = now;
  for (const ClusterHealth& cluster : clusters) model.groups.push_back(group_by_count(cluster));

  for (const ReportedIncident& reported : incidents) {
    if (!is_told(reported.incident)) continue;
    PageIncident page = told(reported, clusters);
    if (colours_components(page)) colour(page, model.groups);
    model.incidents.push_back(std::move(page));
  }
  std::stable_sort(
      model.incidents.begin(), model.incidents.end(),
      [](const PageIncident& a, const PageIncident& b) { return a.started > b.started; });
  size_t resolved = 0;
  std::erase_if(model.incidents, [&](const PageIncident& incident) {
    return incident.status == IncidentStatus::kResolved && ++resolved > kMaxResolved;
  });
  date_components(model, previous);
  return model;
}

}  // namespace agent::publish
