// The text of a log line, in logfmt, as a JSON object, or as the journal takes it:
//
//   time=2026-11-23T07:28:17.042Z level=warn event=backend_down backend=amber-backend-1 after="1.5
//   s"
//   {"time":"2026-11-23T07:28:17.042Z","level":"warn","event":"backend_down", …}
//   MESSAGE=event=backend_down backend=amber-backend-1 …
//   PRIORITY=4
//   MCGUARD_EVENT=backend_down
//   MCGUARD_BACKEND=amber-backend-1
//
// Idea: a line is always one line (an entry of the journal: one datagram, at most twice as large), at
// most kMaxLine bytes with its newline, valid UTF-8 and valid
// in its format, whatever bytes the fields hold: control characters and invalid bytes are escaped,
// a long value ends in "…", and fields that no longer fit are left out and `truncated` says so.
#pragma once

#include <string>

#include "base/telemetry/log.h"
#include "base/time/clock.h"

namespace base::log {

inline constexpr size_t kMaxLine = 1024;
inline constexpr size_t kMaxValue = 200;

enum class Format { kLogfmt, kJson, kJournal };

struct Line {
  WallTime at;
  Level level;
  std::string_view event;
  Fields fields;
};
// With its newline.
std::string format_line(const Line& line, Format format);

}  // namespace base::log
