// Told: a latch, and the verdict that it was closed with.
#pragma once

#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/latch.h"

namespace agent::rule {

// Thread: its owner's.
struct Told {
  Latch latch;
  incident::Verdict verdict;

  // The verdict as long as the latch is closed, and once when it has opened.
  void report(std::vector<incident::Verdict>& out) {
    const bool ended = latch.take_ended();
    if (!latch.active() && !ended) return;
    out.push_back(verdict);
    out.back().active = latch.active();
    out.back().since = latch.since();
  }
};

}  // namespace agent::rule
