// SelfRestraint: the agent pauses itself when it cannot trust itself (runbook/steadiness.h).
//
// Idea: `/agent/starts` remembers the starts that no orderly end followed; when there are too many of them, or
// when the clock jumps, policy is paused for the time that policy says. Everything else goes on: detection,
// telling, a person's runs, and runs under way.
//
// Left out: what a pause is (runbook/pause.h).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>

#include "agent/runbook/engine.h"
#include "agent/runbook/steadiness.h"
#include "agent/store/store.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::app {

// Thread: the control thread's. Owner: App.
class SelfRestraint {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    store::Store& store;
    runbook::Engine& engine;
    base::Timers& timers;
    base::Gate& gate;
  };

  explicit SelfRestraint(Parts parts) : parts_(std::move(parts)) {}

  // Counts this start. Before anything is asked of the engine. A store that does not answer is logged: then
  // this start does not count.
  boost::asio::awaitable<void> begin();
  // Looks at the clock from now on.
  void watch_clock();
  // An orderly end: the starts before it say nothing about the next.
  boost::asio::awaitable<void> end();

 private:
  boost::asio::awaitable<void> look_at_clock();
  boost::asio::awaitable<void> observe_only(std::string reason);

  Parts parts_;
  runbook::ClockWatch clock_;
};

}  // namespace agent::app
