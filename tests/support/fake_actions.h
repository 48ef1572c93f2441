// The actions that runbooks call, as fakes over one world that remembers what happened to it.
//
// An act leaves its effect under its idempotency key; a probe looks the key up. A test scripts the
// next answers of an action, before or after the effect, and asks afterwards what happened how often.
#pragma once

#include <boost/json/object.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/runbook/action.h"

namespace test {

// Thread: one. Owner: the test; outlives the engines that act on it.
class FakeWorld {
 public:
  struct Call {
    std::string action;
    agent::runbook::ActionCall call;
  };
  // What the next act of an action does instead of succeeding.
  struct Script {
    bool effect = false;  // whether it happens all the same
    agent::runbook::ActionResult answer;
  };

  void fail_next(const std::string& action, base::ErrorCode code, bool effect = false) {
    scripts_[action].push_back({effect, base::Error(code, "scripted")});
  }
  void answer_next(const std::string& action, boost::json::object value) {
    scripts_[action].push_back({true, std::move(value)});
  }
  void answer_always(const std::string& action, boost::json::object value) {
    values_[action] = std::move(value);
  }
  void blind_probe(const std::string& action) { blind_[action] = true; }

  agent::runbook::ActionResult act(const std::string& action, agent::runbook::ActionCall call);
  agent::runbook::ProbeAnswer probe(const std::string& action, const std::string& key) const;

  std::vector<Call> calls;    // every act, in order
  std::vector<Call> effects;  // those that happened
  int acts(const std::string& action) const { return count(calls, action); }
  int happened(const std::string& action) const { return count(effects, action); }
  // The greatest number of effects under one idempotency key, over actions that change something.
  int most_repeated() const;
  std::vector<std::string> names() const;  // of effects, in order

 private:
  static int count(const std::vector<Call>& list, const std::string& action);

  std::map<std::string, std::deque<Script>> scripts_;
  std::map<std::string, boost::json::object> values_;
  std::map<std::string, bool> blind_;
};

// proxy.replace, epoch.eject, … as agent/action describes them.
void add_fake_actions(agent::runbook::ActionRegistry& registry, FakeWorld& world);
// For a reversible step: thing.make with its undo thing.remove.
void add_reversible_actions(agent::runbook::ActionRegistry& registry, FakeWorld& world);

}  // namespace test
