// Run: the record of one execution of a runbook, and of each of its steps.
//
// Values and their JSON only; journal.h makes them durable, execution.h moves them on.
//
//   step:  planned → intent → acting → observed → verified
//                  ↘ skipped         ↘ failed (certainly nothing) | unknown     observed → undoing
//                  → undone
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/plan.h"
#include "base/time/clock.h"

namespace agent::runbook {

enum class StepState {
  kPlanned,
  kSkipped,
  kIntent,
  kActing,
  kObserved,
  kVerified,
  kFailed,
  kUnknown,
  kUndoing,
  kUndone,
};
std::string_view to_string(StepState state);

struct StepRecord {
  std::string id;
  std::string action;
  StepState state = StepState::kPlanned;
  int attempt = 0;            // acts begun
  boost::json::object value;  // what the action answered
  std::string note;           // why it was skipped, failed, is unknown; what a probe said
  base::WallTime started;
  base::WallTime finished;
};

enum class RunState { kAwaitingApproval, kRunning, kUndoing, kFinished };
std::string_view to_string(
    RunState state);  // "awaiting_approval", "running", "undoing", "finished"

// completed: every step done and verified. handed_over: a person has to look; evidence attached.
// undone: failed, and everything it did was taken back. aborted: by a person or a timeout, and
// taken back. suggested, shadowed: recorded only.
enum class Outcome { kNone, kCompleted, kHandedOver, kUndone, kAborted, kSuggested, kShadowed };
std::string_view to_string(Outcome outcome);

struct Run {
  std::string id;  // "run-20261123-072817-042-replace-proxy"
  std::string runbook;
  int version = 1;
  std::string sha256;
  std::string incident;   // empty: none
  std::string requester;  // "policy", "operator:alice"
  Mode mode = Mode::kAuto;
  double confidence = 1;
  RunState state = RunState::kRunning;
  Outcome outcome = Outcome::kNone;
  std::string message;  // one sentence: how it ended, or what it waits for
  std::string cluster;
  std::string target;
  bool disruptive = false;  // counts against the budget
  std::string approved_by;
  bool abort_requested = false;
  std::string abort_by;
  int retries = 0;
  int cooldown_level = 0;
  uint64_t fence = 0;
  size_t current = 0;  // index of the step in hand
  size_t steps = 0;
  std::string step;  // its id
  base::WallTime created, started, updated, finished;
  uint64_t audit_count = 0;  // entries in the run's audit chain
  std::string audit_head;    // hash of the newest

  bool live() const { return state != RunState::kFinished; }
  // As in `status`:
  // {"id","runbook","incident","state","step","steps","started_at","finished_at","outcome",…}
  boost::json::object summary() const;
};

boost::json::object to_document(const Run& run);
base::Result<Run> run_from_document(std::string_view json);
boost::json::object to_document(const StepRecord& step);
base::Result<StepRecord> step_from_document(std::string_view json);

// What happened to a run, for incidents' timelines, the page and logs. Sent after it is durable.
struct RunEvent {
  enum class Kind {
    kStarted,
    kAwaitingApproval,
    kApproved,
    kStep,
    kUndoing,
    kSuspended,
    kFinished
  };
  Kind kind = Kind::kStarted;
  const Run* run = nullptr;          // valid during the call
  const StepRecord* step = nullptr;  // kStep: which, else null
  base::WallTime at;
  std::string text;  // one sentence for a timeline
};
std::string_view to_string(RunEvent::Kind kind);

// Thread: the control thread's. Owner: app. Must not call back into the engine.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void on_run(const RunEvent& event) = 0;
};

}  // namespace agent::runbook
