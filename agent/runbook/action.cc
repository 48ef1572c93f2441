#include "agent/runbook/action.h"

#include "base/core/check.h"

namespace agent::runbook {

std::string_view to_string(Class c) {
  switch (c) {
    case Class::kObserve:
      return "observe";
    case Class::kReversible:
      return "reversible";
    case Class::kDisruptive:
      return "disruptive";
    case Class::kDestructive:
      return "destructive";
  }
  return "observe";
}

void ActionRegistry::add(std::unique_ptr<Action> action) {
  std::string name = action->info().name;
  const bool added = actions_.emplace(std::move(name), std::move(action)).second;
  CHECK(added);
}

Action* ActionRegistry::find(std::string_view name) const {
  const auto at = actions_.find(name);
  return at == actions_.end() ? nullptr : at->second.get();
}

std::vector<const ActionInfo*> ActionRegistry::list() const {
  std::vector<const ActionInfo*> infos;
  for (const auto& [name, action] : actions_) infos.push_back(&action->info());
  return infos;
}

}  // namespace agent::runbook
