#include "agent/app/kill_point.h"

#include <unistd.h>

#include <csignal>

#include "base/core/file.h"
#include "base/core/text.h"
#include "base/telemetry/log.h"

namespace agent::app {

bool KillPoint::operator()(const runbook::JournalPoint& point) const {
  auto text = base::read_file(path_, 32);
  if (!text) return true;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const auto left = base::parse_u64(*text);
  if (!left) return true;
  if (*left > 0) {
    (void)base::write_file_atomic(path_, std::to_string(*left - 1), base::Durability::kRenameOnly);
    return true;
  }
  if (::unlink(path_.c_str()) != 0) return true;
  base::log::warn("kill_point", {{"run", point.run}, {"step", point.step}, {"what", point.what}});
  ::kill(::getpid(), SIGKILL);
  return true;
}

}  // namespace agent::app
