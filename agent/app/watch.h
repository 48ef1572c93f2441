// Watch: the loop that turns samples into incidents, incidents into runs, and both into words.
//
//   samples → Detector → verdicts → IncidentBook → changes → store, page, log
//                                        │
//                                        └ open incidents → Engine::respond → runs → IncidentBook
//
// Idea: every tick (100 ms, or at once when a process has ended) is a plain function on the control
// thread; whatever has to wait (store, engine) runs in coroutines of its own, one per incident, so
// that a slow disk never holds up detection. What was learned and what is known of incidents is in
// the store and comes back after a restart.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/coord/region.h"
#include "agent/incident/book.h"
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
    base::Timers& timers;
    base::Gate& gate;
    web::AgentCounters& counters;
    // Something that the page or `status` shows has changed.
    std::function<void()> changed;
  };

  explicit Watch(Parts parts) : parts_(std::move(parts)) {}

  // Incidents and learned levels from the store. A damaged document is logged and left out.
  boost::asio::awaitable<base::Result<>> load();
  // The engine is built after its listener.
  void start(runbook::Engine& engine);

  void observe(const std::vector<series::Sample>& samples);
  // A change that came from elsewhere (a person's acknowledgement).
  void apply(const incident::Change& change);
  void on_run(const runbook::RunEvent& event) override;

  // Writes what is not yet in the store; at the end.
  boost::asio::awaitable<void> flush();

 private:
  incident::Moment moment() const;
  incident::Scope target_of(const runbook::Run& run) const;
  void tick();
  void apply_all(const std::vector<incident::Change>& changes);
  boost::asio::awaitable<void> beat();
  boost::asio::awaitable<void> respond(std::string incident);
  boost::asio::awaitable<void> keep_stored();
  boost::asio::awaitable<void> store_dirty();
  boost::asio::awaitable<void> store_learned();

  Parts parts_;
  runbook::Engine* engine_ = nullptr;

  // Owned by the control thread.
  std::set<std::string> dirty_;                      // incidents to be stored
  std::set<std::string> responding_;                 // incidents with a respond() under way
  std::map<std::string, base::WallTime> ask_again_;  // incident -> not before
  std::map<std::string, std::string> last_answer_;   // incident -> why nothing was started
  std::set<std::string> started_runs_;               // runs that the book has been told of
};

}  // namespace agent::app
