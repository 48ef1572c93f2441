// What the proxies of this machine have in their telemetry segments. Read where they write it, so that
// a proxy that is stuck is no obstacle; a proxy on another machine is not seen.
#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"
#include "base/samples/samples.h"

namespace agent::admin {
namespace {

namespace json = boost::json;
namespace samples = base::samples;

constexpr uint64_t kMostRows = 1000;
constexpr uint64_t kMostOverMs = 10'000;
constexpr uint64_t kMostCache = (1u << 24) - 1;

struct Wanted {
  std::vector<samples::Segment> segments;
  samples::SampleChoice choice;
};

base::Result<Wanted> wanted(const std::string& dir, const json::object& args) {
  Wanted made;
  auto limit = number_argument(args, "limit", made.choice.most, kMostRows);
  if (!limit) return limit.error();
  auto cache = number_argument(args, "cache", 0, kMostCache);
  if (!cache) return cache.error();
  made.choice.most = *limit;
  made.choice.cache = static_cast<uint32_t>(*cache);
  samples::SegmentChoice from;
  from.dir = dir;
  from.proxy = text_argument(args, "proxy").value_or("");
  auto opened = samples::open_segments(from);
  if (!opened) return opened.error();
  made.segments = std::move(*opened);
  return made;
}

}  // namespace

Operator::Answer Operator::show_busy_keys(json::object args) {
  const auto from = wanted(parts_.coordinator.region().spec().dir, args);
  if (!from) co_return from.error();
  json::value answer = samples::busy_keys(from->segments, from->choice);
  co_return answer;
}

Operator::Answer Operator::show_slow_requests(json::object args) {
  const auto from = wanted(parts_.coordinator.region().spec().dir, args);
  if (!from) co_return from.error();
  json::value answer = samples::slow_requests(from->segments, from->choice, parts_.timers.clock());
  co_return answer;
}

Operator::Answer Operator::show_busy_clients(json::object args) {
  auto over_ms = number_argument(args, "over_ms", 1000, kMostOverMs);
  if (!over_ms) co_return over_ms.error();
  const auto from = wanted(parts_.coordinator.region().spec().dir, args);
  if (!from) co_return from.error();
  const base::Instant began = parts_.timers.clock().now();
  samples::ClientSums before;
  if (*over_ms > 0) {
    before = samples::sum_clients(from->segments);
    co_await parts_.timers.wait_for(std::chrono::milliseconds(*over_ms));
  }
  const double seconds = base::to_seconds(parts_.timers.clock().now() - began);
  json::value answer =
      samples::busy_clients(from->segments, before, samples::sum_clients(from->segments),
                            *over_ms > 0 ? seconds : 0, from->choice.most);
  co_return answer;
}

}  // namespace agent::admin
