// Journal: makes every move of a run durable before anybody relies on it.
//
// Idea: one transaction per move. It holds the run's document, the document of the step that moved and
// one entry of the run's audit chain (each entry has the hash of the one before), and it compares the
// run's last revision and its locks, so that a run whose lock was taken away can write nothing more.
//
//   /runs/<id>   /runs/<id>/plan   /runs/<id>/steps/<nnn>   /runs/<id>/audit/<nnnnnn>   /locks/<name>
//
// When the store does not answer, the move is tried again for a few seconds and then given up: the run
// is suspended where it durably stands. An answer "unknown" is settled by reading the run back.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/engine.h"
#include "agent/runbook/run.h"
#include "agent/store/store.h"
#include "base/time/timers.h"

namespace agent::runbook {

// A run in hand. Thread: the control thread's. Owner: the engine, and its own coroutine.
struct LiveRun {
  Run run;
  Plan plan;
  std::vector<StepRecord> records;  // one per plan.steps
  store::Revision modified = 0;     // of /runs/<id>; 0: not created yet
  std::vector<std::string> held;    // locks that it holds at revision run.fence
  bool driven = false;              // a coroutine is moving it on
};

std::string run_key(std::string_view run);
std::string plan_key(std::string_view run);
std::string step_key(std::string_view run, size_t index);
std::string audit_key(std::string_view run, uint64_t number);
std::string lock_key(std::string_view name);

enum class Written {
  kYes,
  kHalted,   // the engine was cut off here (tests)
  kRefused,  // a comparison failed: somebody else holds a lock or has moved the run
  kNot,      // the store does not answer; nothing is lost, the run can be resumed
};

struct Move {
  std::string what;  // "intent", "observed", …: the audit entry's word
  const StepRecord* step = nullptr;
  size_t index = 0;          // of step
  std::string text;          // for the audit entry
  store::Transaction extra;  // locks, cooldowns, the plan

  explicit Move(std::string word) : what(std::move(word)) {}
};

// Thread: the control thread's. Owner: the engine.
class Journal {
 public:
  Journal(store::Store& store, base::Timers& timers, JournalHook hook)
      : store_(store), timers_(timers), hook_(std::move(hook)) {}

  // Writes the run as it stands in memory. `live.modified` moves on only when it is durable.
  boost::asio::awaitable<Written> write(LiveRun& live, Move move);
  // A point at which nothing is written ("acted"). False: cut off here.
  bool pass(const LiveRun& live, const StepRecord* step, const char* what);

  bool halted() const { return halted_; }
  const std::string& trouble() const { return trouble_; }  // why the last write was not done

  // The chain of a run, and whether every hash fits.
  struct Audit {
    boost::json::array entries;
    bool intact = true;
  };
  static Audit check(const std::vector<store::Entry>& entries, const Run& run);

 private:
  bool point(const LiveRun& live, const StepRecord* step, const std::string& what, bool durable);
  store::Transaction compose(LiveRun& live, const Move& move);
  boost::asio::awaitable<bool> was_written(LiveRun& live);

  store::Store& store_;
  base::Timers& timers_;
  const JournalHook hook_;
  bool halted_ = false;
  std::string trouble_;
};

}  // namespace agent::runbook
