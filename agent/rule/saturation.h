// Saturation: what is running out, and when it will be full.
//
// Idea: the median of all slopes between the last readings (Theil and Sen) is not moved by single
// jumps, and the lower quartile must rise too, so that noise has no trend. Two rings, half a minute
// and five minutes, each believed for twelve times what it has seen: a flood is forecast by the first,
// a leak by the second. A height that was reached before and came back down by itself is no news.
// Near the limit nothing is forecast: it is full.
//
// Left out: memcached's own memory. A full cache is the usual state of one; it evicts.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/sample.h"

namespace agent::rule {

// How much was in use before, and came back down by itself.
struct LearnedHeight {
  std::string cluster, proxy, backend;  // all empty: the host
  std::string of;                       // the series: "proxy_descriptors", …
  double limit = 0;
  double before = 0, highest = 0;  // until the last turn, and since then
  double seconds = 0;              // since the last turn
};

// The last readings, evenly spaced, and where they lead. Thread: its owner's.
class Trend {
 public:
  explicit Trend(base::Duration step) : step_(step) {}

  // True when the reading was due and is kept.
  bool add(base::Instant at, double value);
  // Per second; 0: no trend, or not enough seen. Some microseconds when a reading has come since.
  double slope();
  base::Duration span() const { return step_ * static_cast<int64_t>(kPoints - 1); }
  // The reading a whole span ago; negative: none yet.
  double oldest() const;

 private:
  static constexpr size_t kPoints = 30;
  double fit() const;

  base::Duration step_;
  struct Point {
    base::Instant at;
    double value = 0;
  };
  std::array<Point, kPoints> points_;
  size_t used_ = 0, next_ = 0;
  std::optional<double> slope_ = 0;  // nothing: not computed since the last reading
};

// Thread: the detector's. Owner: the detector. Memory: two rings for each thing that can run out.
class Saturation {
 public:
  enum Resource : size_t { kDescriptors, kProxySlots, kBackendSlots, kMemory, kResources };

  explicit Saturation(const SaturationRule& rule) : rule_(rule) {}
  void set_rule(const SaturationRule& rule);

  // value = in use, weight = what there is; nothing is known of a limit of zero.
  void used(Resource resource, const series::Sample& sample);
  void exited(const series::Sample& sample);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);

  // Trends are not kept: they are there again after half a minute and five minutes.
  std::vector<LearnedHeight> learned() const;
  void restore(const LearnedHeight& height, base::Instant now);
  void forget(const incident::Scope& gone);
  void forget_silent(base::Instant before);
  size_t series_count() const;

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  struct Gauge {
    Trend fast{base::Duration(1'000'000'000)}, slow{base::Duration(10'000'000'000)};
    double value = 0, limit = 0;
    base::Instant at;  // ns == 0: none yet
    std::array<double, 2>
        peaks{};  // reached before: since the turn before the last, since the last
    base::Instant turned;
    double full_in = kNever;  // seconds
    double slope = 0;         // that leads there
  };
  struct Holder : Told {
    std::array<Gauge, kResources> gauges;
    base::Instant last;
    bool is_gone = false;  // forget() was called
    bool is_news = true;   // something has changed since it was judged
  };

  void forecast(Gauge& gauge) const;
  bool is_high(const Gauge& gauge) const;
  bool is_full(const Gauge& gauge) const;
  void judge(const incident::Scope& scope, Holder& holder, base::Instant now) const;
  incident::Verdict describe(const incident::Scope& scope, const Holder& holder,
                             base::Instant now) const;

  SaturationRule rule_;
  std::map<incident::Scope, Holder> holders_;
};

}  // namespace agent::rule
