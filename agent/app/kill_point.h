// Game days: the agent ends itself at a chosen point of a run's journal, as kill -9 would.
//
// D/run/kill-point holds a number n: the agent dies at the n-th journal point from now (0: the
// next). The file is removed before, so that the restarted agent lives; one that holds anything else
// or cannot be removed is left alone. Without the file, or outside game days, nothing happens. This
// is how "kill -9 at every step" is walked against real processes.
#pragma once

#include <string>

#include "agent/runbook/engine.h"

namespace agent::app {

class KillPoint {
 public:
  explicit KillPoint(std::string path) : path_(std::move(path)) {}
  // Always true when it returns at all.
  bool operator()(const runbook::JournalPoint& point) const;

 private:
  std::string path_;
};

}  // namespace agent::app
