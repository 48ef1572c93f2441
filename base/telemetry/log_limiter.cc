#include "base/telemetry/log_limiter.h"

#include <algorithm>

#include "base/core/hash.h"

namespace base::log {

LogLimiter::Entry& LogLimiter::entry_for(const Call& call, Instant now) {
  const uint64_t event = hash64(call.event, 0);
  const uint64_t hash = call.key.empty() ? event : hash64(call.key, hash64(call.key_name, event));
  auto found = entries_.find(hash);
  bool shared = call.key.empty();
  if (found == entries_.end() && !shared && entries_.size() >= kKeys) {
    shared = true;
    found = entries_.find(event);
  }
  if (found != entries_.end()) return found->second;
  Entry entry{call.level, call.event, "", "", 1 + kBurst, now, now, 0, now, now};
  if (!shared) {
    entry.key_name = std::string(call.key_name);
    entry.key = std::string(call.key.substr(0, kKeyBytes));
  }
  return entries_.emplace(shared ? event : hash, std::move(entry)).first->second;
}

bool LogLimiter::process_may_write(Instant now) const {
  return line_count_ < kProcessLines || now - lines_[line_count_ % kProcessLines] >= kProcessWindow;
}

void LogLimiter::process_writes(Instant now) {
  lines_[line_count_++ % kProcessLines] = now;
}

Verdict LogLimiter::admit(const Call& call, Instant now) {
  Entry& entry = entry_for(call, now);
  entry.level = call.level;
  entry.last_call = now;
  if (entry.tokens < kBurst) {
    const double earned = to_seconds(now - entry.refilled) / to_seconds(kRefill);
    entry.tokens = std::min(kBurst, entry.tokens + earned);
  }
  entry.refilled = now;
  const bool key_may = entry.tokens >= 1;
  if (key_may && process_may_write(now)) {
    entry.tokens -= 1;
    process_writes(now);
    return Verdict::kAdmitted;
  }
  if (entry.suppressed++ == 0 && now - entry.summarised >= kSummaryEvery) entry.summarised = now;
  entry.last_suppressed = now;
  return key_may ? Verdict::kProcessRate : Verdict::kKeyRate;
}

LogLimiter::Summary LogLimiter::take_summary(Entry& entry, Instant now) {
  Summary summary{entry.level, entry.event, entry.key_name, entry.key, entry.suppressed};
  entry.suppressed = 0;
  entry.summarised = now;
  return summary;
}

std::vector<LogLimiter::Summary> LogLimiter::sweep(Instant now) {
  std::vector<Entry*> due;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (entry.suppressed == 0 && now - entry.last_call >= kForget) {
      it = entries_.erase(it);
      continue;
    }
    const bool quiet = now - entry.last_suppressed >= kQuiet;
    if (entry.suppressed > 0 && (quiet || now - entry.summarised >= kSummaryEvery)) {
      due.push_back(&entry);
    }
    ++it;
  }
  std::sort(due.begin(), due.end(),
            [](const Entry* a, const Entry* b) { return a->summarised < b->summarised; });
  std::vector<Summary> summaries;
  for (Entry* entry : due) {
    if (summaries.size() == kSummariesPerSweep || !process_may_write(now)) break;
    process_writes(now);
    summaries.push_back(take_summary(*entry, now));
  }
  return summaries;
}

std::vector<LogLimiter::Summary> LogLimiter::drain() {
  std::vector<Summary> summaries;
  for (auto& [hash, entry] : entries_) {
    if (entry.suppressed > 0) summaries.push_back(take_summary(entry, entry.last_suppressed));
  }
  return summaries;
}

}  // namespace base::log
