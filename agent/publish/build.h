// From the region's state to the page: pure, so that the same state gives the same page.
//
// Two sources are joined, and the worse one wins: the counts of what serves right now
// (ClusterHealth), and the incidents that are open or being mitigated. An incident in `monitoring`
// no longer colours a component (what serves does), and one that is only `suspected` is not told to
// anybody. Nor are resources_low and certificate_expiring: what may happen and has not; nor `other`
// that a rule of ours has found unusual (one that an alert from outside has opened is told).
//
//   incident type                    component        at least
//   proxy_dead, proxy_stuck          Connections      partial_outage
//   backend_dead, backend_stuck      Cache contents   partial_outage; degraded once mitigating
//   connection_surge, client_flood   Connections      degraded_performance
//   network_degraded, member_slow    Response times   degraded_performance
//   several_clusters                 as network_degraded and connection_surge, in every cluster
//   cluster_lost                     all three        major_outage
//   control_plane_lost, other        none
#pragma once

#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/publish/page_model.h"

namespace agent::publish {

// How one cluster stands, counted by whoever knows.
struct ClusterHealth {
  std::string name;
  int proxies = 0;
  int proxies_serving = 0;  // up, or draining while another takes over
  int backends = 0;
  int backends_serving = 0;  // up and answering
  int backends_ejected = 0;  // of the rest: they own no slot, so nobody waits for them
};

// What customers read about one incident, a sentence per stage. An empty sentence: that stage is
// not told. No names of proxies, backends or clients.
struct Wording {
  std::string title;
  std::string investigating;
  std::string identified;
  std::string monitoring;
  std::string resolved;
};

// The words used when nothing better is configured.
Wording default_wording(incident::Type type, const incident::Scope& scope);

struct ReportedIncident {
  incident::Incident incident;
  Wording wording;
};

// `previous` (or nullptr) carries over when each component's status last changed. Stages and their
// times come from the incident's timeline: `opened` -> investigating, `run` -> identified,
// `monitoring`, `resolved`. Keeps every unresolved incident and the 50 newest of the others.
PageModel build_page(const PageIdentity& identity, const std::vector<ClusterHealth>& clusters,
                     const std::vector<ReportedIncident>& incidents, base::WallTime now,
                     const PageModel* previous);

}  // namespace agent::publish
