// Runbooks, plans and runs as tables. As views.h.
#pragma once

#include "cli/verbs/views.h"

namespace cli {

std::string runbooks_view(const boost::json::array& runbooks, const View& view);
// ACTION, CLASS, arguments (with ? those that may be absent), fields of its value.
std::string actions_view(const boost::json::array& actions, const View& view);
std::string runbook_view(const boost::json::object& runbook, const View& view);
// The frozen targets, the guards' answers, the steps, the state after.
std::string plan_view(const boost::json::object& plan, const View& view);
// Which, what they cover, from when until when, whose, why.
std::string pauses_view(const boost::json::array& pauses, const View& view);
std::string runs_view(const boost::json::array& runs, const View& view);
std::string run_view(const boost::json::object& run, const View& view);

}  // namespace cli
