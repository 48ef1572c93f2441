#include "agent/filter/newcomers.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/core/hash.h"

namespace agent::filter {
namespace {

using base::telemetry::kNewcomerSlots;
using base::telemetry::SegmentHeader;
using base::telemetry::SegmentReader;
using base::telemetry::WorkerCounters;

// Names a worker's ring: another process of the same proxy has others.
uint64_t ring_of(const SegmentHeader& header, uint32_t worker) {
  const std::string_view name(header.proxy.data(), header.proxy.size());
  const uint64_t process = base::mix64(header.generation, static_cast<uint64_t>(header.pid));
  return base::mix64(base::hash64(name, process), worker + 1);
}

struct Ring {
  const SegmentReader* segment = nullptr;
  uint32_t worker = 0;
};

// What a ring's entries say. Nothing: they were changed while they were read.
std::optional<std::vector<Subject>> read_ring(const Ring& ring, const RingNews& news) {
  std::vector<Subject> subjects;
  bool is_overrun = false;
  const auto copy = [&](const base::telemetry::WorkerView& view) {
    subjects.clear();
    for (uint64_t i = news.first; i < news.written; ++i) {
      const auto& cells = view.newcomers[i % kNewcomerSlots];
      subjects.push_back(
          Subject::of(std::array<uint64_t, 2>{cells.address[0].get(), cells.address[1].get()}));
    }
    is_overrun = view.counters.newcomers_written.get() > news.first + kNewcomerSlots;
  };
  if (!ring.segment->consistent(ring.worker, copy) || is_overrun) return std::nullopt;
  return subjects;
}

}  // namespace

uint64_t mark_of_starts(const std::string& segment_directory) {
  struct stat found {};
  if (::stat(segment_directory.c_str(), &found) != 0) return 0;
  // Of a change, not of a modification: that one can be set by hand. The inode, since a machine
  // that starts anew makes the directory anew.
  uint64_t mark = base::mix64(found.st_dev, found.st_ino);
  mark = base::mix64(mark, static_cast<uint64_t>(found.st_ctim.tv_sec));
  mark = base::mix64(mark, static_cast<uint64_t>(found.st_ctim.tv_nsec));
  return std::max<uint64_t>(mark, 1);
}

NewcomerRound read_newcomers(const NodeProxies& proxies, base::WallTime wall, base::Instant now,
                             AuthenticatedHistory& history) {
  NewcomerRound round;
  round.is_complete = true;
  std::vector<Ring> rings;
  std::vector<RingState> states;
  std::vector<uint64_t> ended;
  for (const NewcomerSource& source : proxies.sources) {
    if (source.segment == nullptr) {
      round.is_complete = false;
      continue;
    }
    for (uint32_t worker = 0; worker < source.segment->workers(); ++worker) {
      const uint64_t ring = ring_of(source.segment->header(), worker);
      const WorkerCounters& counters = source.segment->worker(worker).counters;
      rings.push_back({source.segment, worker});
      states.push_back({ring, counters.newcomers_written.get()});
      if (source.is_ended) ended.push_back(ring);
    }
  }
  const std::vector<RingNews> news = history.begin_round(states, proxies.mark);
  for (size_t i = 0; i < news.size(); ++i) {
    if (news[i].first == news[i].written) continue;
    const auto subjects = read_ring(rings[i], news[i]);
    if (!subjects) {
      round.is_complete = false;
      continue;
    }
    for (const Subject& subject : *subjects) history.insert(subject, wall);
    round.newcomers.insert(round.newcomers.end(), subjects->begin(), subjects->end());
  }
  history.end_round(wall, now, round.is_complete);
  if (!round.is_complete) return round;
  for (const uint64_t ring : ended) history.retire(ring);
  return round;
}

}  // namespace agent::filter
