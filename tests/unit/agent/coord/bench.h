// A coordinator on fakes and virtual time; restart() is what kill -9 and a new agent are.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "agent/coord/coordinator.h"
#include "base/core/file.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::coord {

struct Bench {
  test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  test::FakeStore store;
  test::FakeProxies proxies{timers};
  test::FakeBackends backends{timers};
  test::FakeProcesses processes;
  Region region{test::small_region(dir.path())};
  SecretBox box = *SecretBox::open(dir.file("secret.key"));
  std::unique_ptr<base::Gate> gate;
  std::unique_ptr<Coordinator> coordinator;

  Bench() { CHECK(base::make_directories(dir.file("log")).ok()); }
  ~Bench() { stop(); }

  void stop() {
    if (gate == nullptr) return;
    gate->close();
    timers.run_for(std::chrono::seconds(10));
    coordinator.reset();
    gate.reset();
  }

  // A new agent. Loops run, so that time has to be given.
  void restart() {
    stop();
    gate = std::make_unique<base::Gate>();
    Surroundings around{io.get_executor(), region,    store,  box,  proxies,
                        backends,          processes, timers, *gate};
    coordinator = std::make_unique<Coordinator>(around);
    CHECK(run(coordinator->load()).ok());
    CHECK(run(coordinator->start()).ok());
  }

  void start_and_settle() {
    restart();
    timers.run_for(std::chrono::seconds(2));
  }

  // Runs a coroutine to its end, giving at most `patience` of virtual time.
  template <class T>
  T run(boost::asio::awaitable<T> work, base::Duration patience = std::chrono::seconds(20)) {
    std::optional<T> result;
    begin(std::move(work), result);
    const base::Instant end = clock.now() + patience;
    timers.run_ready();
    while (!result && clock.now() < end) timers.run_for(std::chrono::milliseconds(1));
    CHECK(result.has_value());
    return std::move(*result);
  }

  template <class T>
  void begin(boost::asio::awaitable<T> work, std::optional<T>& result) {
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
  }

  // Gives slots of amber-backend-1 away, or back.
  TableRequest weigh(uint32_t weight, bool may_kill = false) const {
    return TableRequest("amber", {{"amber-backend-1", weight}}, may_kill,
                        clock.now() + std::chrono::seconds(10));
  }
  base::Epoch committed() const { return coordinator->tables().at("amber").committed.epoch; }
};

}  // namespace agent::coord
