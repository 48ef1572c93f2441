// RestartBackoff: how long to wait before a program that ended is started again. The first restart
// comes soon; one that keeps crashing as it starts is tried ever more rarely; one that had come up (an
// agent is ready in under a second) is new again, since each second without it is one unwatched.
#pragma once

#include "base/time/clock.h"

namespace cli {

class RestartBackoff {
 public:
  static constexpr base::Duration kFirst = std::chrono::milliseconds(100);
  static constexpr base::Duration kLongest = std::chrono::seconds(30);
  static constexpr base::Duration kLived = std::chrono::seconds(2);

  // The program has ended after `lived`.
  base::Duration next(base::Duration lived);

 private:
  base::Duration delay_{0};
};

}  // namespace cli
