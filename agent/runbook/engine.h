// Engine: runs runbooks. The one door through which anything disruptive happens.
//
// Idea: a run is a document in the store that only moves forward by transactions, each of which
// holds the run, the step in hand and a hash-chained audit entry. Before a step acts its intent is
// durable, so after a crash anywhere the engine knows exactly which one step may or may not have
// happened, and asks that action's probe. yes: go on; no: act again under the same idempotency key;
// unknown: hand over to a person. Nothing whose effect is unknown is ever repeated.
//
// A run holds its locks (`/locks/<name>`) from its first disruptive moment to its end, in the same
// transactions; the revision at which a lock was created is its fence and goes with every act.
//
// What this leaves out: detecting (rule/), what actions do (agent/action), telling people (the
// listener's business), reading files and the real clock (app hands in texts, Timers and a Store).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/runbook/pause.h"
#include "agent/runbook/plan.h"
#include "agent/runbook/policy.h"
#include "agent/runbook/run.h"
#include "agent/store/store.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::runbook {

// Where a run's journal can be cut. Tests walk all of them: when the hook answers false, the engine
// behaves as if the process had been killed there, and never touches store or actions again.
struct JournalPoint {
  std::string run;
  std::string step;      // empty: of the run itself
  std::string what;      // "intent", "acting", "acted", "observed", "verified", "finished", …
  bool durable = false;  // false: about to be written; true: just written
};
using JournalHook = std::function<bool(const JournalPoint&)>;

struct EngineParts {
  boost::asio::any_io_executor executor;
  store::Store& store;
  const ActionRegistry& actions;
  const Facts& facts;
  base::Timers& timers;
  RunListener& listener;
  JournalHook journal_hook;  // empty outside tests

  EngineParts(boost::asio::any_io_executor e, store::Store& s, const ActionRegistry& a,
              const Facts& f, base::Timers& t, RunListener& l)
      : executor(std::move(e)), store(s), actions(a), facts(f), timers(t), listener(l) {}
};

inline constexpr std::string_view kPolicy = "policy";

// Who asks for a run, and why.
struct RunRequest {
  std::string incident;   // id; empty: a person's own act
  std::string requester;  // kPolicy, "operator:alice"
  Mode mode = Mode::kAuto;
  double confidence = 1;
  base::WallTime symptom_since;  // when the trouble began; ns == 0: no symptom (a person's act)

  RunRequest() = default;
  RunRequest(std::string incident_id, std::string who, Mode m)
      : incident(std::move(incident_id)), requester(std::move(who)), mode(m) {}
};

// What respond() did about an incident.
struct ResponseReport {
  std::string run;  // id of the run started; empty: none
  Hold hold = Hold::kNone;
  std::string text;         // why not, or what was started
  base::WallTime retry_at;  // when asking again makes sense; ns == 0: when something has changed
};

// Thread: executor's. Owner: app. Invariant: at most one live run per lock.
class Engine {
 public:
  explicit Engine(EngineParts parts);
  ~Engine();

  // Replaces all runbooks and the policy, or nothing (kInvalid lists every problem as
  // file:line:column). Live runs keep the text they started with.
  base::Result<> load(const std::vector<SourceText>& runbooks, const SourceText& policy);
  const Library& library() const;
  const Policy& policy() const;

  // Takes up the runs that the store holds unfinished. Call once at start, after load(), and again
  // whenever a run was suspended because the store did not answer; runs in hand are left alone.
  boost::asio::awaitable<base::Result<>> resume();
  // No new step begins; the act in hand is finished and journaled. True when all have stopped by
  // `deadline`. Unfinished runs stay in the store for the next resume().
  boost::asio::awaitable<bool> stop(base::Instant deadline);

  // The plan with the guards' answers and `hold`. kNotFound: no such runbook or target.
  boost::asio::awaitable<base::Result<Plan>> plan(std::string runbook, boost::json::object params,
                                                  RunRequest request);
  // Starts exactly this plan and returns the run's id at once. kRefused: a guard or a cooldown says
  // no (the context says which and why); kConflict: somebody holds the lock (the context says who).
  boost::asio::awaitable<base::Result<std::string>> run(Plan plan, RunRequest request);
  // What policy says about this incident: plan and run, the cluster's runbook when failures are
  // correlated, or the reason to wait. Cheap to call on every tick while an incident is open.
  boost::asio::awaitable<ResponseReport> respond(incident::Incident incident);

  boost::asio::awaitable<base::Result<>> approve(std::string run, std::string who);
  boost::asio::awaitable<base::Result<>> abort(std::string run, std::string who);

  // Those of the store become known: at the start, before anybody asks about them. resume() does it, too.
  boost::asio::awaitable<base::Result<>> load_pauses();
  // See Pauses. kNotFound: there is no such cluster or runbook.
  boost::asio::awaitable<base::Result<Pause>> pause(PauseWish wish);
  boost::asio::awaitable<base::Result<>> lift(std::string pause);
  const Pauses& pauses() const;

  // All live runs and the newest finished ones, newest first. Empty incident: all.
  std::vector<Run> runs(std::string_view incident = {}, size_t limit = 20) const;
  boost::json::array list(std::string_view incident = {}, size_t limit = 20) const;
  // The whole record: plan, steps with states and times, audit chain and whether it is intact.
  boost::asio::awaitable<base::Result<boost::json::object>> show(std::string run);
  boost::json::array list_runbooks() const;
  base::Result<boost::json::object> show_runbook(std::string_view name) const;

  // lock name -> id of the run that holds it.
  std::map<std::string, std::string> active() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace agent::runbook
