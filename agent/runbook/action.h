// Actions: what runbook steps do. The engine sees only this interface; the adapters that reach the
// world are in agent/action, their fakes in tests/support.
//
// An action declares its own class and reversibility (a runbook's text cannot make it milder). It
// is called with an idempotency key (run id / step id) and a fence, and answers done, failed
// (certainly nothing happened, or it was undone) or unknown. After a crash the engine asks probe()
// whether the call happened; probe only reads.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::runbook {

enum class Class { kObserve, kReversible, kDisruptive, kDestructive };
std::string_view to_string(Class c);

// What a param or an argument is. The first four name things of the region (a target); the others are plain
// values.
enum class ParamType { kProxy, kBackend, kCluster, kCache, kText, kNumber, kDuration };
std::string_view to_string(ParamType type);  // "proxy", "backend", …
bool is_target(ParamType type);

// An argument in a step's `with:`.
struct ActionInput {
  std::string name;
  ParamType type = ParamType::kText;
  bool required = true;
};

struct ActionInfo {
  std::string name;  // "provider.create"
  Class cls = Class::kObserve;
  bool reversible = false;  // has an undo worth naming
  std::vector<ActionInput> inputs;
  std::vector<std::string> one_of;   // inputs of which a call names at least one, if there are any
  std::vector<std::string> outputs;  // fields of its value, for ${steps.<id>.<field>}
  std::string summary;               // for `runbook actions`

  const ActionInput* input(std::string_view input_name) const;  // nullptr: it takes none such
  boost::json::object to_json() const;
};

// A duration as arguments and params have it: a number, with decimals if need be, of us, ms, s, m, h or d, or
// of seconds if it has no unit. nullopt: it is none, or longer than a day.
std::optional<base::Duration> parse_duration_argument(std::string_view text);

struct ActionCall {
  std::string idempotency_key;  // "run-…/spawn"
  uint64_t fence = 0;
  base::Instant deadline;
  boost::json::object with;  // resolved arguments

  ActionCall() = default;
  ActionCall(std::string key, uint64_t f, base::Instant d, boost::json::object w)
      : idempotency_key(std::move(key)), fence(f), deadline(d), with(std::move(w)) {}
};

// done: a value, which later steps read as ${steps.<id>.<field>}. An Error whose code is kUnknown
// or kTimeout means unknown; any other code means certainly not done.
using ActionResult = base::Result<boost::json::object>;

enum class Happened { kNo, kYes, kUnknown };
struct ProbeAnswer {
  Happened happened = Happened::kUnknown;
  boost::json::object value;  // for kYes: as act() would have returned
};

// Thread: the control thread's. Owner: app.
class Action {
 public:
  virtual ~Action() = default;
  virtual const ActionInfo& info() const = 0;
  virtual boost::asio::awaitable<ActionResult> act(ActionCall call) = 0;
  virtual boost::asio::awaitable<ProbeAnswer> probe(ActionCall call) = 0;
};

class ActionRegistry {
 public:
  void add(std::unique_ptr<Action> action);
  Action* find(std::string_view name) const;  // nullptr: no such action
  std::vector<const ActionInfo*> list() const;

 private:
  std::map<std::string, std::unique_ptr<Action>, std::less<>> actions_;
};

}  // namespace agent::runbook
