#include "tests/support/fake_actions.h"

#include <algorithm>

#include "agent/action/actions.h"

namespace test {
namespace {

using agent::runbook::Action;
using agent::runbook::ActionCall;
using agent::runbook::ActionInfo;
using agent::runbook::ActionRegistry;
using agent::runbook::ActionResult;
using agent::runbook::Class;
using agent::runbook::Happened;
using agent::runbook::ParamType;
using agent::runbook::ProbeAnswer;

bool observes(const std::string& action) {
  return action == "canary.data_path" || action == "backend.await" || action == "evidence.gather" ||
         action == "notify.page";
}

class FakeAction final : public Action {
 public:
  FakeAction(FakeWorld& world, ActionInfo info) : world_(world), info_(std::move(info)) {}
  const ActionInfo& info() const override { return info_; }
  boost::asio::awaitable<ActionResult> act(ActionCall call) override {
    co_return world_.act(info_.name, std::move(call));
  }
  boost::asio::awaitable<ProbeAnswer> probe(ActionCall call) override {
    co_return world_.probe(info_.name, call.idempotency_key);
  }

 private:
  FakeWorld& world_;
  const ActionInfo info_;
};

void add_thing(ActionRegistry& registry, FakeWorld& world, const char* name, bool reversible) {
  ActionInfo info;
  info.name = name;
  info.cls = Class::kReversible;
  info.reversible = reversible;
  info.inputs = {{"name", ParamType::kText, false}};
  registry.add(std::make_unique<FakeAction>(world, std::move(info)));
}

}  // namespace

ActionResult FakeWorld::act(const std::string& action, ActionCall call) {
  Call made{action, std::move(call)};
  calls.push_back(made);
  std::deque<Script>& scripts = scripts_[action];
  if (scripts.empty()) {
    effects.push_back(std::move(made));
    return values_[action];
  }
  const Script script = scripts.front();
  scripts.pop_front();
  if (script.effect) effects.push_back(std::move(made));
  return script.answer;
}

ProbeAnswer FakeWorld::probe(const std::string& action, const std::string& key) const {
  ProbeAnswer answer;
  if (blind_.count(action) != 0) return answer;
  const bool done = std::any_of(effects.begin(), effects.end(), [&](const Call& effect) {
    return effect.action == action && effect.call.idempotency_key == key;
  });
  answer.happened = done ? Happened::kYes : Happened::kNo;
  const auto value = values_.find(action);
  if (done && value != values_.end()) answer.value = value->second;
  return answer;
}

int FakeWorld::count(const std::vector<Call>& list, const std::string& action) {
  return static_cast<int>(std::count_if(list.begin(), list.end(),
                                        [&](const Call& call) { return call.action == action; }));
}

int FakeWorld::most_repeated() const {
  std::map<std::string, int> times;
  int most = 0;
  for (const Call& effect : effects) {
    if (observes(effect.action)) continue;
    most = std::max(most, ++times[effect.call.idempotency_key]);
  }
  return most;
}

std::vector<std::string> FakeWorld::names() const {
  std::vector<std::string> list;
  for (const Call& effect : effects) list.push_back(effect.action);
  return list;
}

void add_fake_actions(ActionRegistry& registry, FakeWorld& world) {
  ActionRegistry real;
  agent::action::add_action_names(real);
  for (const ActionInfo* info : real.list()) {
    registry.add(std::make_unique<FakeAction>(world, *info));
  }
}

void add_reversible_actions(ActionRegistry& registry, FakeWorld& world) {
  add_thing(registry, world, "thing.make", true);
  add_thing(registry, world, "thing.remove", false);
}

}  // namespace test
