// What the probes of epoch.eject and epoch.admit say, over a coordinator on fakes and virtual time.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "agent/action/actions.h"
#include "tests/unit/agent/coord/bench.h"

namespace agent::action {
namespace {

using runbook::Happened;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Changed = std::optional<base::Result<base::Epoch>>;

struct ChangeBench : coord::Bench {
  ChangeBench() {
    start_and_settle();
    provider = std::make_unique<ProcessProvider>(io.get_executor(), region, timers, *gate, nullptr);
    canary = std::make_unique<Canary>(io.get_executor(), region, coordinator->journal(),
                                      coordinator->tenants(), timers);
    add_actions(registry, Hands{io.get_executor(), *coordinator, *provider, proxies, backends,
                                *canary, timers, [] { return std::string(); }});
  }

  // Begins to give the slots of amber-backend-1 away, which takes as long as a proxy is silent.
  void begin_eject(Changed& changed) {
    proxies.at("amber-proxy-2").silent = true;
    begin(coordinator->tables().change(weigh(0)), changed);
    timers.run_for(milliseconds(100));
    ASSERT_TRUE(coordinator->tables().at("amber").prepared.has_value());
  }
  runbook::ProbeAnswer probe(const char* action, base::Duration patience) {
    boost::json::object with;
    with["cluster"] = "amber";
    with["backend"] = "amber-backend-1";
    runbook::ActionCall call("run-1/step", 1, clock.now() + patience, std::move(with));
    return run(registry.find(action)->probe(std::move(call)));
  }

  std::unique_ptr<ProcessProvider> provider;
  std::unique_ptr<Canary> canary;
  runbook::ActionRegistry registry;
};

TEST(ChangeEpoch, HasHappenedWhenTheCommittedTableSaysSo) {
  ChangeBench bench;
  EXPECT_EQ(bench.probe("epoch.eject", seconds(5)).happened, Happened::kNo);
  EXPECT_EQ(bench.probe("epoch.admit", seconds(5)).happened, Happened::kYes);
}

TEST(ChangeEpoch, IsUnknownWhileAChangeThatBringsItAboutIsPrepared) {
  Changed changed;  // outlives the bench, whose end lets the call end
  ChangeBench bench;
  bench.begin_eject(changed);
  EXPECT_EQ(bench.probe("epoch.eject", milliseconds(0)).happened, Happened::kUnknown);
  EXPECT_EQ(bench.probe("epoch.eject", milliseconds(100)).happened, Happened::kUnknown);
  EXPECT_EQ(bench.probe("epoch.admit", milliseconds(0)).happened, Happened::kYes)
      << "the committed table still gives it slots";
}

TEST(ChangeEpoch, HasHappenedWhenTheChangeIsCommittedWithinTheProbesTime) {
  Changed changed;
  ChangeBench bench;
  bench.begin_eject(changed);
  const runbook::ProbeAnswer answer = bench.probe("epoch.eject", seconds(5));
  EXPECT_EQ(answer.happened, Happened::kYes);
  EXPECT_EQ(answer.value.at("epoch").to_number<uint64_t>(), bench.committed());
}

TEST(ChangeEpoch, HasNotHappenedWhenTheChangeIsRolledBack) {
  Changed changed;
  ChangeBench bench;
  bench.backends.at("amber-backend-1").silent = true;
  bench.begin_eject(changed);
  EXPECT_EQ(bench.probe("epoch.eject", seconds(10)).happened, Happened::kNo);
  EXPECT_EQ(bench.coordinator->tables().at("amber").phase, coord::ChangePhase::kStable);
}

}  // namespace
}  // namespace agent::action
