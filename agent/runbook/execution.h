// Execution: moves one run on, from wherever it durably stands to its end.
//
// Idea: one handler per state of a step, each of which journals before and after it touches anything.
// The same code starts a run and takes it up after a crash: a step found at intent or acting is
// probed first and, when nothing happened, judged anew; all else goes on as if nothing had been.
//
// Leaves out: who may start (engine.cc), what is durable and how (journal.h).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "agent/runbook/engine.h"
#include "agent/runbook/guard.h"
#include "agent/runbook/journal.h"

namespace agent::runbook {

struct ExecutionParts {
  const EngineParts& engine;
  Journal& journal;
  std::shared_ptr<const Policy> policy;
  std::function<BudgetUse(const Run&)> budget;
  const bool& stopping;
};

enum class Ended {
  kFinished,
  kStopped,    // the engine is stopping; the run stays in the store
  kSuspended,  // the store does not answer; resume() takes it up
  kLost,       // somebody else holds its lock or moved it: hands off
  kHalted,     // cut off (tests)
};

// Thread: the control thread's. Owner: the coroutine that drives it; lives as long as drive().
class Execution {
 public:
  Execution(ExecutionParts parts, LiveRun& live) : parts_(std::move(parts)), live_(live) {}

  boost::asio::awaitable<Ended> drive();
  // Ends the run without doing anything more, e.g. when its text can no longer be read.
  boost::asio::awaitable<Ended> finish(Outcome outcome, std::string message);

 private:
  // kOut: the run goes no further here; ended_ says why.
  enum class Flow { kNext, kFailed, kUnknown, kOut };

  boost::asio::awaitable<Flow> forward();
  boost::asio::awaitable<Flow> step(size_t index);
  boost::asio::awaitable<Flow> prepare(size_t index);
  boost::asio::awaitable<Flow> skip(size_t index, std::string why);
  boost::asio::awaitable<Flow> act(size_t index);
  boost::asio::awaitable<Flow> after_failure(size_t index, base::Error error);
  boost::asio::awaitable<Flow> settle(size_t index, bool may_act_again);
  boost::asio::awaitable<Flow> judge_again(size_t index);
  boost::asio::awaitable<Flow> verify(size_t index);
  boost::asio::awaitable<Ended> backward();
  boost::asio::awaitable<Flow> undo(size_t index);
  boost::asio::awaitable<Flow> settle_undo(size_t index);

  boost::asio::awaitable<ActionResult> call(std::string action, ActionCall what);
  boost::asio::awaitable<ProbeAnswer> probe(std::string action, ActionCall what);
  // False: the run goes no further (kOut).
  boost::asio::awaitable<bool> record(size_t index, StepState state, std::string text);
  bool written(Written how);
  // False: the wait was cut short by stop, abort or halt.
  boost::asio::awaitable<bool> pause(base::Duration time);

  boost::json::object scope() const;
  ActionCall call_for(size_t index, const char* suffix, const boost::json::object& with) const;
  const std::string& probe_of(size_t index) const;
  std::vector<GuardAnswer> ask_guards(size_t index) const;
  std::string guards_refusal(size_t index) const;
  Flow fail(std::string reason);
  Flow out(Ended how);
  bool interrupted() const;
  void tell(RunEvent::Kind kind, const StepRecord* step, std::string text) const;

  const ExecutionParts parts_;
  LiveRun& live_;
  Ended ended_ = Ended::kFinished;
  std::string reason_;  // of kFailed and kUnknown
};

}  // namespace agent::runbook
