// A latch gives a test hysteresis: it closes at once when told to and opens only after a while of
// health, so that a verdict does not flicker.
#pragma once

#include <utility>

#include "base/time/clock.h"

namespace agent::rule {

// Thread: its owner's.
class Latch {
 public:
  // `start` closes an open latch (trouble since `began`); `stay` keeps a closed one closed.
  void update(bool start, bool stay, base::Instant began, base::Instant now,
              base::Duration clear_after) {
    if (active_) {
      if (stay) last_bad_ = now;
      if (!stay && now - last_bad_ >= clear_after) {
        active_ = false;
        ended_ = true;
      }
    } else if (start) {
      active_ = true;
      since_ = began;
      last_bad_ = now;
    }
  }
  void open() {
    ended_ = ended_ || active_;
    active_ = false;
  }

  bool active() const { return active_; }
  base::Instant since() const { return since_; }
  // There is something to tell: it is closed, or take_ended() would say so.
  bool has_news() const { return active_ || ended_; }
  // True once after the latch has opened.
  bool take_ended() { return std::exchange(ended_, false); }

 private:
  bool active_ = false;
  bool ended_ = false;
  base::Instant since_;
  base::Instant last_bad_;
};

}  // namespace agent::rule
