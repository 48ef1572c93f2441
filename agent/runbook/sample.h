// Small judgements on actions' answers: what one verifying call says, and values for `when:`.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "agent/runbook/action.h"
#include "agent/runbook/expression.h"

namespace agent::runbook {

// Three-valued: an answer that could not be had is no evidence that something is wrong.
enum class Holds { kYes, kNo, kInconclusive };

struct Sample {
  Holds verdict = Holds::kInconclusive;
  std::string reason;
};

// Whether an act that answered this error has certainly changed nothing.
bool certainly_nothing(base::ErrorCode code);

// A value holds unless it says "ok": false (then "reason" tells why). Errors that mean "could not
// ask" are inconclusive; other errors are a no.
Sample judge_sample(const ActionResult& answer);

// References are looked up in `scope` (which must outlive the lookup); bare names are words.
Lookup lookup_in(const boost::json::object& scope);

}  // namespace agent::runbook
