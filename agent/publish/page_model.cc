#include "agent/publish/page_model.h"

#include <algorithm>

namespace agent::publish {

std::string_view to_string(ComponentStatus status) {
  switch (status) {
    case ComponentStatus::kOperational:
      return "operational";
    case ComponentStatus::kDegradedPerformance:
      return "degraded_performance";
    case ComponentStatus::kPartialOutage:
      return "partial_outage";
    case ComponentStatus::kMajorOutage:
      return "major_outage";
  }
  return "operational";
}

std::string_view words(ComponentStatus status) {
  switch (status) {
    case ComponentStatus::kOperational:
      return "Operational";
    case ComponentStatus::kDegradedPerformance:
      return "Degraded performance";
    case ComponentStatus::kPartialOutage:
      return "Partial outage";
    case ComponentStatus::kMajorOutage:
      return "Major outage";
  }
  return "Operational";
}

std::string_view to_string(Indicator indicator) {
  switch (indicator) {
    case Indicator::kNone:
      return "none";
    case Indicator::kMinor:
      return "minor";
    case Indicator::kMajor:
      return "major";
    case Indicator::kCritical:
      return "critical";
  }
  return "none";
}

std::string_view description(Indicator indicator) {
  switch (indicator) {
    case Indicator::kNone:
      return "All Systems Operational";
    case Indicator::kMinor:
      return "Partially Degraded Service";
    case Indicator::kMajor:
      return "Partial System Outage";
    case Indicator::kCritical:
      return "Major Service Outage";
  }
  return "All Systems Operational";
}

std::string_view to_string(IncidentStatus status) {
  switch (status) {
    case IncidentStatus::kInvestigating:
      return "investigating";
    case IncidentStatus::kIdentified:
      return "identified";
    case IncidentStatus::kMonitoring:
      return "monitoring";
    case IncidentStatus::kResolved:
      return "resolved";
  }
  return "investigating";
}

std::string_view words(IncidentStatus status) {
  switch (status) {
    case IncidentStatus::kInvestigating:
      return "Investigating";
    case IncidentStatus::kIdentified:
      return "Identified";
    case IncidentStatus::kMonitoring:
      return "Monitoring";
    case IncidentStatus::kResolved:
      return "Resolved";
  }
  return "Investigating";
}

ComponentStatus ComponentGroup::status() const {
  ComponentStatus worst = ComponentStatus::kOperational;
  for (const Component& component : components) worst = std::max(worst, component.status);
  return worst;
}

const Component* PageModel::find_component(std::string_view id) const {
  for (const ComponentGroup& group : groups) {
    for (const Component& component : group.components) {
      if (component.id == id) return &component;
    }
  }
  return nullptr;
}

Indicator impact_of(ComponentStatus status) {
  switch (status) {
    case ComponentStatus::kOperational:
      return Indicator::kNone;
    case ComponentStatus::kDegradedPerformance:
      return Indicator::kMinor;
    case ComponentStatus::kPartialOutage:
      return Indicator::kMajor;
    case ComponentStatus::kMajorOutage:
      return Indicator::kCritical;
  }
  return Indicator::kNone;
}

Indicator roll_up(const std::vector<ComponentGroup>& groups) {
  ComponentStatus worst = ComponentStatus::kOperational;
  bool everywhere = !groups.empty();
  for (const ComponentGroup& group : groups) {
    worst = std::max(worst, group.status());
    everywhere = everywhere && group.status() == ComponentStatus::kMajorOutage;
  }
  if (worst == ComponentStatus::kMajorOutage && !everywhere) return Indicator::kMajor;
  return impact_of(worst);
}

}  // namespace agent::publish
