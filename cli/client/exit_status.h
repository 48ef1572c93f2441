// Exit statuses: what scripts may rely on.
#pragma once

#include "base/core/result.h"

namespace cli {

enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kRefused = 3,  // by a guard, a mode, a missing --gameday
  kNotFound = 4,
  kUnreachable = 5,
};
ExitStatus exit_status_of(const base::Error& error);

}  // namespace cli
