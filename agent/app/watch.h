// Watch: the loop that turns samples into incidents, incidents into runs, and both into words.
//
//   samples → Detector → verdicts → IncidentBook → changes → store, page, log
//                                        │
//                                        └ open incidents → Responder → runs → IncidentBook
//
// Idea: every tick (100 ms, or at once when a process has ended) is a plain function on the control
// thread; whatever has to wait (store, engine) runs in coroutines of its own, so that a slow disk
// never holds up detection. What was learned and what is known of incidents is in the store and
// comes back after a restart.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "agent/app/responder.h"
#include "agent/coord/region.h"
#include "agent/coord/turn.h"
#include "agent/incident/alerts.h"
#include "agent/incident/book.h"
#include "agent/record/recorder.h"
#include "agent/rule/detector.h"
#include "agent/runbook/engine.h"
#include "agent/series/sample.h"
#include "agent/store/store.h"
#include "agent/web/agent_metrics.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::app {

// Thread: the control thread's. Owner: App.
class Watch final : public runbook::RunListener {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    const coord::Region& region;
    store::Store& store;
    rule::Detector& detector;
    incident::IncidentBook& book;
    incident::Alerts& alerts;
    base::Timers& timers;
    base::Gate& gate;
    web::AgentCounters& counters;
    // Something that the page or `status` shows has changed.
    std::function<void()> changed;
    // Whether what guards ask about has been measured since the start. Empty: always.
    std::function<bool()> is_measured;
    // Keeps what the detector is told. Null: nobody does.
    record::Recorder* recorder = nullptr;
  };

  explicit Watch(Parts parts);

  // Incidents and learned levels from the store. A damaged document is logged and left out.
  boost::asio::awaitable<base::Result<>> load();
  // Begins, and takes up the runs of the store once there are figures to judge them by. The engine
  // is built after its listener.
  void start(runbook::Engine& engine);
  // Nothing is detected and nothing asked any more: before processes are ended on purpose. What
  // happens to runs is still noted.
  void stop();

  void observe(const std::vector<series::Sample>& samples);
  // A change that came from elsewhere (a person's acknowledgement).
  void apply(const incident::Change& change);
  void on_run(const runbook::RunEvent& event) override;

  // Writes what is not yet in the store; at the end, after stop().
  boost::asio::awaitable<void> flush();

 private:
  incident::Moment moment() const;
  incident::Scope target_of(const runbook::Run& run) const;
  void tick();
  void apply_all(const std::vector<incident::Change>& changes);
  void note(const std::string& incident, const std::string& text);
  void tell_book(const runbook::RunEvent& event);
  void on_finished(const runbook::Run& run);
  void note_stored(const base::Result<>& written);
  boost::asio::awaitable<void> beat();
  boost::asio::awaitable<void> keep_stored();
  boost::asio::awaitable<void> store_dirty();
  boost::asio::awaitable<void> store_learned();

  Parts parts_;
  Responder responder_;

  // Owned by the control thread.
  coord::Turn storing_;            // one write of incidents at a time
  std::set<std::string> dirty_;    // incidents to be stored
  std::set<std::string> started_;  // live runs that the book knows as such
  bool running_ = false;
  bool stores_ = true;  // the last write worked
};

}  // namespace agent::app
