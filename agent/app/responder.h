// Responder: what the engine is asked, when, and what people hear when its answer is no.
//
// Idea: asking is cheap and is repeated until the incident is over, so nothing has to remember to
// come back; each open incident has one question under way at most. A refusal that lasts is told
// once for each reason: a person learns that nobody acts on the incident by itself, and why. The
// runs that the store holds unfinished are taken up first, since what they have done decides what
// may be done next; when the store failed a run half-way, they are taken up again. After a start
// they wait until what guards ask about has been measured: a run that its guards refuse, since
// nothing is known yet, is handed over to a person for good.
//
// Asked is only about trouble that shows now: an incident that a dead agent left open may be over, by
// that agent's own run, and a run for it would replace what is well. And the incident is durable
// before its run is: whoever takes up the run finds what it is for.
//
// Left out: what to do about an incident (policy and engine), and what a run does to its incident
// (watch.h).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/incident/book.h"
#include "agent/runbook/engine.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::app {

// Thread: the control thread's. Owner: Watch.
// Invariant: at most one question per incident is under way; asked_ has unresolved incidents only,
// and those of which a question is.
class Responder {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    incident::IncidentBook& book;
    base::Timers& timers;
    base::Gate& gate;
    // Told about each note in a timeline.
    std::function<void(const incident::Change&)> changed;
    // Makes the incidents durable as they are, if the store can.
    std::function<boost::asio::awaitable<void>()> store_incidents;
    // Whether what guards ask about has been measured since the start. Empty: always.
    std::function<bool()> is_measured;
  };

  explicit Responder(Parts parts) : parts_(std::move(parts)) {}

  void start(runbook::Engine& engine);
  // Nothing is asked any more; answers under way are heard.
  void stop() { stopped_ = true; }
  // At each tick: takes up the runs of the store, if there are any to be, and asks about the incidents
  // that are due.
  void look();
  // A run has ended: whoever waited for it need not wait on.
  void run_ended();
  // A run stopped half-way because the store did not answer.
  void run_suspended();

  // Incidents that are remembered.
  size_t size() const { return asked_.size(); }

 private:
  struct Asked {
    bool asking = false;
    base::Instant not_before;
    base::Instant refused_since;  // ns == 0: the last answer was no refusal
    std::set<std::string> told;   // reasons without their numbers, at most kReasons
  };
  class Question;

  boost::asio::awaitable<void> ask(std::string id);
  bool may_take_up_runs() const;
  boost::asio::awaitable<void> take_up_runs();
  void hear(const std::string& id, const runbook::ResponseReport& report);
  void tell(const std::string& id, Asked& asked, const runbook::ResponseReport& report);
  bool is_told_elsewhere(const std::string& id, runbook::Hold hold) const;

  Parts parts_;
  runbook::Engine* engine_ = nullptr;

  // Owned by the control thread.
  std::map<std::string, Asked> asked_;  // by incident
  bool stopped_ = false;
  bool history_known_ = false;  // before, an earlier run could be repeated
  bool runs_wanted_ = true;
  bool taking_up_runs_ = false;
  base::Instant runs_at_;      // not before
  base::Instant figures_due_;  // nobody waits for figures any longer
  base::Duration runs_pause_{0};
  std::string runs_trouble_;  // as last logged
};

}  // namespace agent::app
