// A region without processes: the engine over a store in memory, fake actions and facts, virtual time.
// The engine can be killed and made anew on the same store.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/runbook/engine.h"
#include "base/core/file.h"
#include "tests/support/fake_actions.h"
#include "tests/support/fake_facts.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"

namespace agent::runbook {

inline SourceText read_source(const std::string& path) {
  return SourceText(path, base::read_file(path).value());
}

inline std::vector<SourceText> shipped_runbooks() {
  std::vector<SourceText> sources;
  for (const char* name :
       {"flush", "gather-evidence", "replace-backend", "replace-proxy", "restore-proxies"}) {
    sources.push_back(read_source(std::string("runbooks/") + name + ".yaml"));
  }
  return sources;
}

// Keeps what it is told.
class Listener final : public RunListener {
 public:
  void on_run(const RunEvent& event) override {
    told.push_back(std::string(to_string(event.kind)) + ": " + event.text);
  }
  bool heard(const std::string& part) const {
    for (const std::string& line : told) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> told;
};

class EngineFixture {
 public:
  EngineFixture() : timers(io, clock) {
    test::add_fake_actions(registry, world);
    test::add_reversible_actions(registry, world);
    sources = shipped_runbooks();
    policy = read_source("rules/policy.yaml");
    answer("backend.await", "state", "dead");
    start();
  }
  ~EngineFixture() { kill(); }

  void answer(const std::string& action, const char* key, const char* value) {
    boost::json::object object;
    object[key] = value;
    world.answer_always(action, std::move(object));
  }

  void start(JournalHook hook = {}) {
    kill();
    EngineParts parts(io.get_executor(), store, registry, facts, timers, listener);
    parts.journal_hook = std::move(hook);
    engine = std::make_unique<Engine>(std::move(parts));
    const base::Result<> loaded = engine->load(sources, policy);
    ASSERT_TRUE(loaded.ok()) << loaded.error().context;
  }
  void kill() {
    if (engine == nullptr) return;
    EXPECT_TRUE(wait(engine->stop(clock.now() + std::chrono::minutes(2))));
    engine.reset();
  }

  // Runs a coroutine to its end in virtual time.
  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr failure, T value) {
      EXPECT_FALSE(failure);
      result.emplace(std::move(value));
    });
    timers.run_ready();
    for (int i = 0; i < 100'000 && !result.has_value(); ++i) {
      timers.run_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(result.has_value()) << "the coroutine did not end";
    return std::move(*result);
  }

  base::Result<Plan> plan(const std::string& runbook, const char* param, const char* value) {
    boost::json::object params;
    params[param] = value;
    return wait(engine->plan(runbook, std::move(params), RunRequest()));
  }
  // Plans and runs; does not wait for the end.
  base::Result<std::string> run(const std::string& runbook, const char* param, const char* value,
                                RunRequest request = RunRequest("", "operator:ann", Mode::kAuto)) {
    base::Result<Plan> planned = plan(runbook, param, value);
    if (!planned.ok()) return planned.error();
    return wait(engine->run(std::move(*planned), std::move(request)));
  }
  void settle(base::Duration d = std::chrono::minutes(1)) { timers.run_for(d); }

  Run record(const std::string& id) {
    for (const Run& run : engine->runs({}, 100)) {
      if (run.id == id) return run;
    }
    ADD_FAILURE() << "no run " << id;
    return {};
  }
  Run newest() {
    const std::vector<Run> all = engine->runs({}, 100);
    EXPECT_FALSE(all.empty());
    return all.empty() ? Run() : all.front();
  }
  int locks() const {
    int held = 0;
    for (const auto& [key, entry] : store.entries()) held += key.starts_with("/locks/") ? 1 : 0;
    return held;
  }

  incident::Incident proxy_dead(const std::string& id, const std::string& proxy) {
    incident::Incident incident;
    incident.id = id;
    incident.type = incident::Type::kProxyDead;
    incident.scope.cluster = proxy.substr(0, proxy.find('-'));
    incident.scope.proxy = proxy;
    incident.state = incident::State::kOpen;
    incident.started = incident.detected = clock.wall();
    return incident;
  }

  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers;
  test::FakeStore store;
  test::FakeWorld world;
  test::FakeFacts facts;
  ActionRegistry registry;
  Listener listener;
  std::vector<SourceText> sources;
  SourceText policy;
  std::unique_ptr<Engine> engine;
};

}  // namespace agent::runbook
