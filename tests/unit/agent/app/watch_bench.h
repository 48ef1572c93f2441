// Watch with the real detector, book and engine over a store in memory and fake actions, on virtual
// time; restart() is what kill -9 and a new agent are.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/files.h"
#include "agent/app/watch.h"
#include "agent/incident/json.h"
#include "base/core/file.h"
#include "tests/support/fake_actions.h"
#include "tests/support/fake_facts.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"

namespace agent::app {

struct WatchBench {
  // What a new process begins with.
  struct Agent {
    base::Gate gate;
    web::AgentCounters counters;
    rule::Detector detector;
    incident::IncidentBook book{incident::BookPolicy{}};
    incident::Alerts alerts;
    Watch watch;
    runbook::Engine engine;
    explicit Agent(WatchBench& bench)
        : detector(read_rules("rules").value()),
          watch(Watch::Parts{bench.io.get_executor(), bench.region, bench.store, detector, book,
                             alerts, bench.timers, gate, counters, [&bench] { ++bench.changes; },
                             [&bench] { return bench.measured; }}),
          engine(runbook::EngineParts(bench.io.get_executor(), bench.store, bench.registry,
                                      bench.facts, bench.timers, watch)) {
      book.set_cluster("amber", 2, 2);
      book.set_cluster("birch", 2, 2);
    }
  };

  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  test::FakeStore store;
  test::FakeWorld world;
  test::FakeFacts facts;
  runbook::ActionRegistry registry;
  coord::Region region{test::small_region("/nowhere")};
  std::string policy = base::read_file("rules/policy.yaml").value();
  int changes = 0;
  bool measured = true;
  std::unique_ptr<Agent> agent;

  WatchBench() { test::add_fake_actions(registry, world); }
  ~WatchBench() { stop(); }

  void start() {
    stop();
    agent = std::make_unique<Agent>(*this);
    const auto loaded = agent->engine.load(read_sources("runbooks").value(),
                                           runbook::SourceText("policy.yaml", policy));
    ASSERT_TRUE(loaded.ok()) << loaded.error().context;
    ASSERT_TRUE(run(agent->watch.load()).ok());
    agent->watch.start(agent->engine);
    timers.run_ready();
  }
  // An agent that has watched for a second loses amber-proxy-1; returns `later` than that.
  void start_and_lose_a_proxy(base::Duration later) {
    start();
    timers.run_for(std::chrono::seconds(1));
    proxy("amber-proxy-1", true);
    timers.run_for(later);
  }
  void stop() {
    if (agent == nullptr) return;
    agent->watch.stop();
    EXPECT_TRUE(run(agent->engine.stop(clock.now() + std::chrono::minutes(1))));
    agent->gate.close();
    timers.run_for(std::chrono::seconds(5));
    agent.reset();
  }

  template <class T>
  T run(boost::asio::awaitable<T> work) {
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

  void proxy(const std::string& id, bool exited) {
    if (exited) {
      facts.kill(id);
    } else {
      facts.revive(id);
    }
    series::Sample sample;
    sample.key.name = "proxy_exited";
    sample.key.cluster = id.substr(0, id.find('-'));
    sample.key.proxy = id;
    sample.at = clock.now();
    sample.value = exited ? 1 : 0;
    agent->watch.observe({sample});
    timers.run_ready();
  }

  std::vector<incident::Incident> stored() const {
    std::vector<incident::Incident> found;
    for (const auto& [key, entry] : store.entries()) {
      if (!key.starts_with("/incidents/")) continue;
      found.push_back(incident::from_json(boost::json::parse(entry.value)).value());
    }
    return found;
  }
  size_t times_told(const std::string& part) const {
    size_t times = 0;
    for (const incident::Incident& incident : stored()) {
      for (const incident::TimelineEntry& entry : incident.timeline) {
        times += entry.text.find(part) != std::string::npos ? 1 : 0;
      }
    }
    return times;
  }
};

}  // namespace agent::app
