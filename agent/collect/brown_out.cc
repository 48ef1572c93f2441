#include "agent/collect/brown_out.h"

#include <algorithm>
#include <cstdio>

namespace agent::collect {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kCalm = 10s;  // before a step back
constexpr double kFullHost = 0.95;
constexpr double kRelief = 0.8;  // of the CPU budget; above, the level is still needed

// How late the agent's own thread is woken on a full host, and what that calls for. Waking takes tens
// of microseconds where a core is free.
constexpr base::Duration kLateLean = 50ms;
constexpr base::Duration kLateEssential = 250ms;

// Telemetry is read every 250 ms at least: rules wait so long for what proxies tell of a moment, and what
// comes later is lost to them.
constexpr std::array kPaces = {
    Pace{100ms, 500ms, 1s, 10s, 1s, true},
    Pace{100ms, 500ms, 2s, 60s, 5s, true},
    Pace{250ms, 1s, 2s, 60s, 5s, true},
    Pace{250ms, 2s, 2s, 60s, 5s, false},
};

Frugality further(Frugality level) {
  return level == Frugality::kEssential ? level : Frugality(int(level) + 1);
}
Frugality back(Frugality level) {
  return level == Frugality::kFull ? level : Frugality(int(level) - 1);
}

constexpr double kMebibyte = 1u << 20;

// A sentence with two figures.
std::string sentence(const char* format, double first, double second) {
  std::array<char, 160> text{};
  const int length = std::snprintf(text.data(), text.size(), format, first, second);
  return std::string(text.data(), size_t(length));
}

}  // namespace

std::string_view to_string(Frugality level) {
  constexpr std::array<std::string_view, 4> kNames = {"full", "sparing", "lean", "essential"};
  return kNames[size_t(level)];
}

const Pace& pace_of(Frugality level) {
  return kPaces[size_t(level)];
}

Burden BrownOut::average() const {
  Burden mean;
  double memory = 0;
  std::array<base::Duration, kSeconds> late{};
  for (size_t i = 0; i < kSeconds; ++i) {
    mean.cpu_share += last_[i].cpu_share / double(kSeconds);
    mean.disk_bytes_per_second += last_[i].disk_bytes_per_second / double(kSeconds);
    mean.host_cpu_share += last_[i].host_cpu_share / double(kSeconds);
    memory += double(last_[i].memory_bytes) / double(kSeconds);
    late[i] = last_[i].late;
  }
  mean.memory_bytes = uint64_t(memory);
  // One long sleep of the host is no saturation: the median.
  std::nth_element(late.begin(), late.begin() + ptrdiff_t(kSeconds / 2), late.end());
  mean.late = late[kSeconds / 2];
  return mean;
}

// What the host's state calls for, and why.
Frugality BrownOut::by_host(const Burden& mean, std::string& why) {
  if (mean.host_cpu_share < kFullHost) return Frugality::kFull;
  why = sentence("the host's cores are %.0f %% busy and the agent is woken %.1f ms late",
                 100 * mean.host_cpu_share, base::to_seconds(mean.late) * 1e3);
  if (mean.late >= kLateEssential) return Frugality::kEssential;
  return mean.late >= kLateLean ? Frugality::kLean : Frugality::kSparing;
}

// Which budget is exceeded; empty: none.
std::string BrownOut::exceeded(const Burden& mean) const {
  if (mean.cpu_share > budget_.cpu_share) {
    return sentence("the agent takes %.1f %% of a core, its budget is %.1f %%",
                    100 * mean.cpu_share, 100 * budget_.cpu_share);
  }
  if (mean.memory_bytes > budget_.memory_bytes) {
    return sentence("the agent holds %.0f MiB, its budget is %.0f MiB",
                    double(mean.memory_bytes) / kMebibyte,
                    double(budget_.memory_bytes) / kMebibyte);
  }
  if (mean.disk_bytes_per_second > double(budget_.disk_bytes_per_second)) {
    return sentence("the agent writes %.2f MiB/s, its budget is %.2f MiB/s",
                    mean.disk_bytes_per_second / kMebibyte,
                    double(budget_.disk_bytes_per_second) / kMebibyte);
  }
  return {};
}

void BrownOut::go_to(Frugality level, base::Instant now, std::string why) {
  level_ = level;
  why_ = level == Frugality::kFull ? std::string() : std::move(why);
  needed_ = now;
  count_ = 0;  // what was measured at another level says nothing of this one
}

bool BrownOut::observe(base::Instant now, const Burden& burden) {
  last_[count_ % kSeconds] = burden;
  ++count_;
  if (count_ < kSeconds) return false;
  const Burden mean = average();
  const Frugality before = level_;
  std::string why;
  const Frugality host = by_host(mean, why);
  std::string over = exceeded(mean);
  // While the host has cores to spare, a budget is no reason to see trouble later.
  const Frugality furthest = host == Frugality::kFull ? Frugality::kSparing : Frugality::kEssential;
  if (host > level_) {
    go_to(host, now, std::move(why));
  } else if (!over.empty() && level_ < furthest) {
    go_to(further(level_), now, std::move(over));
  } else if (host == level_ || !over.empty() || mean.cpu_share > kRelief * budget_.cpu_share) {
    needed_ = now;
  } else if (now - needed_ >= kCalm) {
    go_to(back(level_), now, why_);
  }
  return level_ != before;
}

}  // namespace agent::collect
