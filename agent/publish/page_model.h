// The status page as values: what customers are told, before it becomes files.
//
// A page has one group per cluster, and in each group the three things a customer notices:
// Connections (can I connect?), Response times (are answers fast?), Cache contents (is what I
// stored there?). Proxies, backends and client addresses never appear: customers cannot act on
// them, and a client's address is nobody else's business.
//
// build.h makes a PageModel from the region's state, render.h makes files from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"

namespace agent::publish {

// From best to worst: the order is used for "the worse of two".
enum class ComponentStatus { kOperational, kDegradedPerformance, kPartialOutage, kMajorOutage };
std::string_view to_string(ComponentStatus status);  // "degraded_performance", as the API says it
std::string_view words(ComponentStatus status);      // "Slower than usual", as the page says it

// The whole page, and the impact of one incident.
enum class Indicator { kNone, kMinor, kMajor, kCritical };
std::string_view to_string(Indicator indicator);    // "none", "minor", "major", "critical"
std::string_view description(Indicator indicator);  // "All Systems Operational", …

struct Component {
  std::string id;    // "cluster-amber-connections"; every id holds a letter
  std::string name;  // "Connections"
  std::string description;
  ComponentStatus status = ComponentStatus::kOperational;
  base::WallTime updated;  // when the status last changed
  friend bool operator==(const Component&, const Component&) = default;
};

struct ComponentGroup {
  std::string id;    // "cluster-amber"
  std::string name;  // "Cluster amber"
  std::vector<Component> components;

  ComponentStatus status() const;  // the worst of its components
  friend bool operator==(const ComponentGroup&, const ComponentGroup&) = default;
};

enum class IncidentStatus { kInvestigating, kIdentified, kMonitoring, kResolved };
std::string_view to_string(IncidentStatus status);  // "investigating"
std::string_view words(IncidentStatus status);      // "Investigating"

struct IncidentUpdate {
  std::string id;  // "<incident id>-u1": stable, numbered in order of time
  IncidentStatus status = IncidentStatus::kInvestigating;
  base::WallTime at;
  std::string body;
  friend bool operator==(const IncidentUpdate&, const IncidentUpdate&) = default;
};

// What an incident does to a component while it is not resolved.
struct AffectedComponent {
  std::string id;
  ComponentStatus status = ComponentStatus::kOperational;
  friend bool operator==(const AffectedComponent&, const AffectedComponent&) = default;
};

struct PageIncident {
  std::string id;
  std::string name;
  IncidentStatus status = IncidentStatus::kInvestigating;
  Indicator impact = Indicator::kNone;
  base::WallTime started, created, updated;
  base::WallTime monitoring, resolved;  // ns == 0: not yet
  std::vector<AffectedComponent> components;
  std::vector<IncidentUpdate> updates;  // newest first
  friend bool operator==(const PageIncident&, const PageIncident&) = default;
};

// What stays the same for the life of a page.
struct PageIdentity {
  std::string id = "mcguard";                           // holds a letter
  std::string name = "mcguard";                         // "Memcache at Example"
  std::string url = "http://127.0.0.1:7481";            // no slash at the end
  base::WallTime created;                               // of the page and its components
  base::Duration valid_for = std::chrono::seconds(30);  // then the page calls itself unknown
  friend bool operator==(const PageIdentity&, const PageIdentity&) = default;
};

struct PageModel {
  PageIdentity identity;
  base::WallTime generated;
  std::vector<ComponentGroup> groups;
  std::vector<PageIncident> incidents;  // unresolved and resolved; newest start first

  // Whether they differ by their time alone.
  bool says_the_same(const PageModel& other) const {
    return identity == other.identity && groups == other.groups && incidents == other.incidents;
  }
  base::WallTime valid_until() const { return generated + identity.valid_for; }
  const Component* find_component(std::string_view id) const;  // nullptr: none
};

// The roll-up. docs/api.md prints this table.
//   nothing worse than operational                      -> none
//   at worst degraded_performance                       -> minor
//   at worst partial_outage                             -> major
//   major_outage somewhere, some cluster without one    -> major
//   major_outage in every cluster                       -> critical
Indicator roll_up(const std::vector<ComponentGroup>& groups);

// The impact of an incident whose worst component is `status`: none, minor, major, critical.
Indicator impact_of(ComponentStatus status);

}  // namespace agent::publish
