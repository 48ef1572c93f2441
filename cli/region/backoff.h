// RestartBackoff: how long to wait before a program that ended is started again. The first restart
// comes soon; one that keeps crashing is tried ever more rarely; one that lived is new again.
#pragma once

#include "base/time/clock.h"

namespace cli {

class RestartBackoff {
 public:
  static constexpr base::Duration kFirst = std::chrono::milliseconds(100);
  static constexpr base::Duration kLongest = std::chrono::seconds(30);
  static constexpr base::Duration kLived = std::chrono::seconds(30);

  // The program has ended after `lived`.
  base::Duration next(base::Duration lived);

 private:
  base::Duration delay_{0};
};

}  // namespace cli
