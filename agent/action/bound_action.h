// BoundAction: what the actions of this folder share: their description, the hands they act through,
// and reading their arguments.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/action/actions.h"
#include "agent/runbook/action.h"
#include "base/core/check.h"
#include "base/core/result.h"

namespace agent::action {

// Thread: the control thread's. Owner: the registry. Without hands it only has a name.
class BoundAction : public runbook::Action {
 public:
  BoundAction(runbook::ActionInfo info, const Hands* hands)
      : info_(std::move(info)), hands_(hands == nullptr ? nullptr : new Hands(*hands)) {}
  const runbook::ActionInfo& info() const override { return info_; }
  // For acts that may simply be done again.
  boost::asio::awaitable<runbook::ProbeAnswer> probe(runbook::ActionCall call) override;

 protected:
  const Hands& hands() const { return CHECK(hands_ != nullptr), *hands_; }
  coord::Region& region() const { return hands().coordinator.region(); }
  base::Instant now() const { return hands().timers.clock().now(); }
  // Passes the fence gate of the cluster's lock.
  boost::asio::awaitable<base::Result<>> admit(const runbook::ActionCall& call,
                                               std::string cluster) const;

 private:
  const runbook::ActionInfo info_;
  const std::unique_ptr<const Hands> hands_;
};

// What an action takes and gives. An argument must be there (needs) or may be (takes); one that names a
// target has the name of its kind.
struct Shape {
  std::vector<runbook::ActionInput> inputs;
  std::vector<std::string> one_of, outputs;

  Shape& needs(const char* name, runbook::ParamType type) { return add(name, type, true); }
  Shape& needs(runbook::ParamType target) { return add(to_string(target), target, true); }
  Shape& takes(const char* name, runbook::ParamType type) { return add(name, type, false); }
  // At least one of them.
  Shape& takes_one_of(std::initializer_list<runbook::ParamType> targets);
  Shape& gives(std::initializer_list<const char*> fields);

 private:
  Shape& add(std::string_view name, runbook::ParamType type, bool required);
};
runbook::ActionInfo describe(const char* name, runbook::Class cls, Shape shape, const char* summary,
                             bool reversible = false);

// Arguments. A member may be named "amber-proxy-1" or "proxy/amber-proxy-1".
std::string argument(const runbook::ActionCall& call, std::string_view key);  // empty: not given
base::Result<std::string> proxy_argument(const runbook::ActionCall& call,
                                         const coord::Region& region);
base::Result<std::string> backend_argument(const runbook::ActionCall& call,
                                           const coord::Region& region);
base::Result<std::string> cluster_argument(const runbook::ActionCall& call,
                                           const coord::Region& region);
// "3s", "250ms", "2m", or a number of seconds.
base::Result<base::Duration> duration_argument(const runbook::ActionCall& call,
                                               std::string_view key);
uint64_t number_argument(const runbook::ActionCall& call, std::string_view key, uint64_t fallback);

runbook::ProbeAnswer happened(runbook::Happened answer, boost::json::object value = {});

// Each file registers its own.
void add_proxy_actions(runbook::ActionRegistry& registry, const Hands* hands);
void add_backend_actions(runbook::ActionRegistry& registry, const Hands* hands);
void add_flush_actions(runbook::ActionRegistry& registry, const Hands* hands);
void add_telling_actions(runbook::ActionRegistry& registry, const Hands* hands);

}  // namespace agent::action
