// LoadStep: when the load of a cluster steps up, and when it is back at what it was before.
//
// Slowness that comes with a step of the load is overload: it is learned, and what was learned holds for
// that load only. So whoever learns keeps aside what it knew before the step and takes it up again once it
// is over: the load has fallen back, or it stays and nothing is slow any more. Clients that wait for an
// overloaded cluster ask for less as well; so the load is only back when the requests are well too. A load
// that stays for long with what is slow is the usual one. A load that comes again within a minute (work in
// bursts) is not learned again: what was learned under it holds.
#pragma once

#include <optional>

#include "agent/rule/rules.h"
#include "base/time/clock.h"

namespace agent::rule {

// Thread: the detector's. Owner: ShiftCluster; a value.
class LoadStep {
 public:
  static constexpr base::Duration kEvery = std::chrono::milliseconds(250);

  enum class News {
    kNone,
    kSteps,       // up, from what is usual or from an earlier step
    kStepsAgain,  // up, to no more than what it was a moment ago
    kIsOver,      // what was usual before the first of the steps holds again
    kIsUsual,     // it has stayed up for so long that nothing before it matters
  };
  struct Quarter {
    double rate = 0;       // requests a second of the last kEvery
    bool may_step = true;  // false: that the load grows is not to be taken for a step
    bool is_well = true;   // by what was known before, the requests are no slower than usual
  };
  News note(const Quarter& told, base::Instant at, const ShiftRule& rule);

  // A step that is not over, as an agent that is replaced tells the next one.
  struct Up {
    base::Instant since;
    double before = 0;  // requests a second that were usual before it
    double usual = 0;   // and are now
  };
  std::optional<Up> up() const;
  void restore(const Up& up);

  double rate() const { return rate_; }
  double usual() const { return usual_; }
  // There was a step that is not over.
  bool is_up() const { return since_.ns != 0; }
  // The step is so new that what came with it is only learned.
  bool is_new(base::Instant at) const { return at < new_until_; }

 private:
  double rate_ = 0;
  double usual_ = -1;    // below 0: none yet
  double before_ = 0;    // what was usual before the first step
  int back_ = 0;         // so many times in a row it was as before,
  int well_ = 0;         // and so many nothing was slow
  base::Instant since_;  // ns == 0: no step
  base::Instant new_until_;
  double highest_ = 0;           // of the last step while it was new
  base::Instant no_news_until_;  // a load that is not much higher than that comes again
};

}  // namespace agent::rule
