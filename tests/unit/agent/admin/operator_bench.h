// The operator's verbs over fakes: a region that nobody started, a store in memory, virtual time.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>

#include "agent/admin/operator.h"
#include "base/core/file.h"
#include "tests/support/fake_actions.h"
#include "tests/support/fake_connections.h"
#include "tests/support/fake_facts.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::admin {

struct NoListener final : runbook::RunListener {
  void on_run(const runbook::RunEvent&) override {}
};

struct OperatorBench {
  test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  base::Gate gate;
  test::FakeStore store;
  test::FakeProxies proxies{timers};
  test::FakeBackends backends{timers};
  test::FakeProcesses processes;
  test::FakeFacts facts;
  test::FakeWorld world;
  NoListener listener;
  runbook::ActionRegistry registry;
  coord::Region region;
  coord::SecretBox box = coord::SecretBox::open(dir.file("secret.key")).value();
  action::ProcessProvider provider{io.get_executor(), region, timers, gate, {}};
  coord::Coordinator coordinator{coord::Surroundings{io.get_executor(), region, store, box, proxies,
                                                     backends, processes, timers, gate}};
  action::Canary canary{io.get_executor(), region, coordinator.journal(), coordinator.tenants(),
                        timers};
  test::FakeConnections connections;
  collect::Collector collector{collect::View{io.get_executor(), region, coordinator.journal(),
                                             backends, canary, connections, timers, gate},
                               [](const std::vector<series::Sample>&) {}};
  incident::IncidentBook book{incident::BookPolicy{}};
  incident::Alerts alerts;
  runbook::Engine engine{
      runbook::EngineParts(io.get_executor(), store, registry, facts, timers, listener)};
  int told = 0;
  int stops = 0;
  Operator admin{OperatorParts{coordinator, proxies, provider, collector, book, alerts, engine,
                               timers, [this](const incident::Change&) { ++told; },
                               [this] { ++stops; }, clock.now()}};

  explicit OperatorBench(bool gameday = false) : region(spec(dir.path(), gameday)) {
    test::add_fake_actions(registry, world);
    std::vector<runbook::SourceText> sources;
    for (const char* name :
         {"flush", "gather-evidence", "replace-backend", "replace-proxy", "restore-proxies"}) {
      const std::string path = std::string("runbooks/") + name + ".yaml";
      sources.emplace_back(path, base::read_file(path).value());
    }
    const runbook::SourceText policy("policy.yaml", base::read_file("rules/policy.yaml").value());
    EXPECT_TRUE(engine.load(sources, policy).ok());
    EXPECT_TRUE(wait(coordinator.load()).ok());
  }
  ~OperatorBench() {
    EXPECT_TRUE(wait(engine.stop(clock.now() + std::chrono::minutes(1))));
    gate.close();
    timers.run_for(std::chrono::seconds(5));
  }

  static coord::RegionSpec spec(const std::string& folder, bool gameday) {
    coord::RegionSpec made = test::small_region(folder);
    made.gameday = gameday;
    return made;
  }

  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr failure, T value) {
      EXPECT_FALSE(failure);
      result.emplace(std::move(value));
    });
    timers.run_ready();
    for (int i = 0; i < 10'000 && !result; ++i) timers.run_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(result.has_value());
    return std::move(*result);
  }
  base::Result<boost::json::value> call(const std::string& verb, const std::string& args = "{}") {
    return wait(admin.call(verb, boost::json::parse(args).as_object()));
  }
  base::ErrorCode code(const std::string& verb, const std::string& args = "{}") {
    const auto answer = call(verb, args);
    EXPECT_FALSE(answer.ok()) << verb << " " << args;
    return answer.ok() ? base::ErrorCode::kInternal : answer.code();
  }
  std::string open_incident() {
    incident::Verdict verdict;
    verdict.type = incident::Type::kProxyDead;
    verdict.scope.cluster = "amber";
    verdict.scope.proxy = "amber-proxy-1";
    verdict.since = clock.now();
    (void)book.apply({verdict}, incident::Moment{clock.now(), clock.wall()});
    return book.unresolved().at(0)->id;
  }
};

}  // namespace agent::admin
