// RegionFacts: what guards ask, answered from memory: processes, figures, incidents.
#pragma once

#include <string_view>
#include <vector>

#include "agent/admin/status.h"
#include "agent/coord/region.h"
#include "agent/coord/tenants.h"
#include "agent/incident/book.h"
#include "agent/runbook/facts.h"
#include "base/time/clock.h"

namespace agent::app {

// Thread: the control thread's. Owner: App.
class RegionFacts final : public runbook::Facts {
 public:
  RegionFacts(const coord::Region& region, const coord::TableJournal& journal,
              const coord::Tenants& tenants, const collect::Snapshot& snapshot,
              const incident::IncidentBook& book, const base::Clock& clock)
      : region_(region),
        journal_(journal),
        tenants_(tenants),
        snapshot_(snapshot),
        book_(book),
        clock_(clock) {}

  base::Result<runbook::Target> target(runbook::ParamType kind, std::string_view id) const override;
  base::Result<runbook::ClusterFacts> cluster(std::string_view name) const override;
  std::vector<runbook::Symptom> symptoms(runbook::ParamType kind,
                                         base::Instant since) const override;

 private:
  coord::ProcessState state(const coord::Process& process) const;
  runbook::Target member(runbook::ParamType kind, const coord::Process& process,
                         const std::string& address, uint16_t port) const;

  const coord::Region& region_;
  const coord::TableJournal& journal_;
  const coord::Tenants& tenants_;
  const collect::Snapshot& snapshot_;
  const incident::IncidentBook& book_;
  const base::Clock& clock_;
};

}  // namespace agent::app
