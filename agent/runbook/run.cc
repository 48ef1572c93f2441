#include "agent/runbook/run.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace agent::runbook {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using base::WallTime;

std::string shown(WallTime at) {
  return at.ns == 0 ? std::string() : at.to_rfc3339();
}

// Reads a document written by to_document(); anything missing or odd makes it damaged.
// Thread: one. Owner: *_from_document.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  std::string text(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_string()) return damaged();
    return std::string(value->get_string());
  }
  int64_t number(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_number()) return damaged(), 0;
    boost::system::error_code failed;
    const auto n = value->to_number<int64_t>(failed);
    return failed ? (damaged(), 0) : n;
  }
  double real(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_number()) return damaged(), 0;
    boost::system::error_code failed;
    return value->to_number<double>(failed);
  }
  bool boolean(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_bool()) return damaged(), false;
    return value->get_bool();
  }
  json::object object(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_object()) return damaged(), json::object();
    return value->get_object();
  }
  WallTime time(std::string_view key) { return WallTime{number(key)}; }
  // The enumerator up to `last` whose name stands there.
  template <class Enum>
  Enum choice(std::string_view key, Enum last) {
    const std::string name = text(key);
    for (int i = 0; i <= static_cast<int>(last); ++i) {
      if (to_string(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
    }
    damaged();
    return Enum{};
  }
  bool ok() const { return ok_; }

 private:
  const json::value* find(std::string_view key) const { return object_.if_contains(key); }
  std::string damaged() {
    ok_ = false;
    return {};
  }

  const json::object& object_;
  bool ok_ = true;
};

Result<json::object> parse_object(std::string_view text) {
  boost::system::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) {
    return Error(ErrorCode::kInvalid, "is not a JSON object");
  }
  return std::move(value.get_object());
}

}  // namespace

std::string_view to_string(StepState state) {
  switch (state) {
    case StepState::kPlanned:
      return "planned";
    case StepState::kSkipped:
      return "skipped";
    case StepState::kIntent:
      return "intent";
    case StepState::kActing:
      return "acting";
    case StepState::kObserved:
      return "observed";
    case StepState::kVerified:
      return "verified";
    case StepState::kFailed:
      return "failed";
    case StepState::kUnknown:
      return "unknown";
    case StepState::kUndoing:
      return "undoing";
    case StepState::kUndone:
      return "undone";
  }
  return "unknown";
}

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::kAwaitingApproval:
      return "awaiting_approval";
    case RunState::kRunning:
      return "running";
    case RunState::kUndoing:
      return "undoing";
    case RunState::kFinished:
      return "finished";
  }
  return "finished";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNone:
      return "";
    case Outcome::kCompleted:
      return "completed";
    case Outcome::kHandedOver:
      return "handed_over";
    case Outcome::kUndone:
      return "undone";
    case Outcome::kAborted:
      return "aborted";
    case Outcome::kSuggested:
      return "suggested";
    case Outcome::kShadowed:
      return "shadowed";
  }
  return "";
}

std::string_view to_string(RunEvent::Kind kind) {
  switch (kind) {
    case RunEvent::Kind::kStarted:
      return "started";
    case RunEvent::Kind::kAwaitingApproval:
      return "awaiting_approval";
    case RunEvent::Kind::kApproved:
      return "approved";
    case RunEvent::Kind::kStep:
      return "step";
    case RunEvent::Kind::kUndoing:
      return "undoing";
    case RunEvent::Kind::kSuspended:
      return "suspended";
    case RunEvent::Kind::kFinished:
      return "finished";
  }
  return "step";
}

json::object Run::summary() const {
  json::object out;
  out["id"] = id;
  out["runbook"] = runbook;
  out["incident"] = incident;
  out["state"] = to_string(state);
  out["step"] = step;
  out["steps"] = steps;
  out["started_at"] = shown(started);
  out["finished_at"] = shown(finished);
  out["outcome"] = to_string(outcome);
  out["message"] = message;
  out["requester"] = requester;
  out["mode"] = to_string(mode);
  out["cluster"] = cluster;
  out["target"] = target;
  out["created_at"] = shown(created);
  out["updated_at"] = shown(updated);
  if (!approved_by.empty()) out["approved_by"] = approved_by;
  return out;
}

json::object to_document(const Run& run) {
  json::object out;
  out["id"] = run.id;
  out["runbook"] = run.runbook;
  out["version"] = run.version;
  out["sha256"] = run.sha256;
  out["incident"] = run.incident;
  out["requester"] = run.requester;
  out["mode"] = to_string(run.mode);
  out["confidence"] = run.confidence;
  out["state"] = to_string(run.state);
  out["outcome"] = to_string(run.outcome);
  out["message"] = run.message;
  out["cluster"] = run.cluster;
  out["target"] = run.target;
  out["disruptive"] = run.disruptive;
  out["approved_by"] = run.approved_by;
  out["abort_requested"] = run.abort_requested;
  out["abort_by"] = run.abort_by;
  out["retries"] = run.retries;
  out["cooldown_level"] = run.cooldown_level;
  out["current"] = run.current;
  out["steps"] = run.steps;
  out["step"] = run.step;
  out["created"] = run.created.ns;
  out["started"] = run.started.ns;
  out["updated"] = run.updated.ns;
  out["finished"] = run.finished.ns;
  out["audit_count"] = run.audit_count;
  out["audit_head"] = run.audit_head;
  return out;
}

Result<Run> run_from_document(std::string_view text) {
  Result<json::object> object = parse_object(text);
  if (!object.ok()) return object.error();
  Fields fields(*object);
  Run run;
  run.id = fields.text("id");
  run.runbook = fields.text("runbook");
  run.version = static_cast<int>(fields.number("version"));
  run.sha256 = fields.text("sha256");
  run.incident = fields.text("incident");
  run.requester = fields.text("requester");
  run.mode = fields.choice("mode", Mode::kAuto);
  run.confidence = fields.real("confidence");
  run.state = fields.choice("state", RunState::kFinished);
  run.outcome = fields.choice("outcome", Outcome::kShadowed);
  run.message = fields.text("message");
  run.cluster = fields.text("cluster");
  run.target = fields.text("target");
  run.disruptive = fields.boolean("disruptive");
  run.approved_by = fields.text("approved_by");
  run.abort_requested = fields.boolean("abort_requested");
  run.abort_by = fields.text("abort_by");
  run.retries = static_cast<int>(fields.number("retries"));
  run.cooldown_level = static_cast<int>(fields.number("cooldown_level"));
  run.current = static_cast<size_t>(fields.number("current"));
  run.steps = static_cast<size_t>(fields.number("steps"));
  run.step = fields.text("step");
  run.created = fields.time("created");
  run.started = fields.time("started");
  run.updated = fields.time("updated");
  run.finished = fields.time("finished");
  run.audit_count = static_cast<uint64_t>(fields.number("audit_count"));
  run.audit_head = fields.text("audit_head");
  if (!fields.ok()) return Error(ErrorCode::kInvalid, "is not the record of a run");
  return run;
}

json::object to_document(const StepRecord& step) {
  json::object out;
  out["id"] = step.id;
  out["do"] = step.action;
  out["state"] = to_string(step.state);
  out["attempt"] = step.attempt;
  out["value"] = step.value;
  out["note"] = step.note;
  out["started"] = step.started.ns;
  out["finished"] = step.finished.ns;
  return out;
}

Result<StepRecord> step_from_document(std::string_view text) {
  Result<json::object> object = parse_object(text);
  if (!object.ok()) return object.error();
  Fields fields(*object);
  StepRecord step;
  step.id = fields.text("id");
  step.action = fields.text("do");
  step.state = fields.choice("state", StepState::kUndone);
  step.attempt = static_cast<int>(fields.number("attempt"));
  step.value = fields.object("value");
  step.note = fields.text("note");
  step.started = fields.time("started");
  step.finished = fields.time("finished");
  if (!fields.ok()) return Error(ErrorCode::kInvalid, "is not the record of a step");
  return step;
}

}  // namespace agent::runbook
