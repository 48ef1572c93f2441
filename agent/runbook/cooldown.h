// Cooldowns: how long after a run the next with the same key has to wait.
//
// `/cooldowns/<key>` remembers the last run and a level. The wait is base × factor^level after its
// end; the level grows by one when the symptom returns within 60 s of a verified run (the cure did not
// hold), and falls to zero when it stayed away longer. When the wait would exceed `max`, the cure is
// no cure: on_exhausted hands over to a person.
#pragma once

#include <string>
#include <string_view>

#include "agent/runbook/plan.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::runbook {

struct CooldownRecord {
  int level = 0;
  base::WallTime finished;  // end of the last run; ns == 0: none yet
  base::WallTime verified;  // the same, if it was verified; ns == 0 otherwise
  std::string run;
};

struct CooldownAnswer {
  Hold hold = Hold::kNone;  // kNone, kCooldown or kCooldownExhausted
  int level = 0;            // for the run that would start now
  base::WallTime until;
  std::string text;
};

// `symptom_since`: when the present trouble began; ns == 0: there is none (a person's act).
CooldownAnswer ask(const Cooldown& rule, const CooldownRecord& record, base::WallTime symptom_since,
                   base::Duration symptom_return, base::WallTime now);

std::string to_document(const CooldownRecord& record);
base::Result<CooldownRecord> cooldown_from_document(std::string_view json);

}  // namespace agent::runbook
