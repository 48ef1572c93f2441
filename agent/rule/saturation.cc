#include "agent/rule/saturation.h"

#include <algorithm>
#include <utility>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using incident::Scope;
using incident::Verdict;

constexpr base::Duration kFreshReading = 2min;  // statistics come once a minute on a full host
constexpr double kBelieved = 12;                // times the span of a ring
constexpr base::Duration kPeakTurns = 12h;      // a height counts as known for one to two turns
constexpr double kHigher = 0.005;               // of the limit, than it was before
constexpr double kKeep = 2;                     // times the forecast's horizon keep a verdict

struct ResourceWords {
  const char* series;
  const char* what;
  const char* title;
  bool bytes;
};
constexpr std::array<ResourceWords, Saturation::kResources> kResourceWords = {
    ResourceWords{"proxy_descriptors", "descriptors", "Descriptors", false},
    ResourceWords{"proxy_connection_slots", "client connections", "Client connections", false},
    ResourceWords{"backend_connection_slots", "connections", "Connections", false},
    ResourceWords{"host_memory_bytes", "memory", "Memory", true},
};

std::string amount(const ResourceWords& words, double value) {
  return words.bytes ? bytes_text(value) : count_text(value);
}

std::string place(const Scope& scope) {
  return scope == Scope() ? "the host" : scope.to_string();
}

}  // namespace

bool Trend::add(base::Instant at, double value) {
  const Point& last = points_[(next_ + kPoints - 1) % kPoints];
  if (used_ > 0 && at - last.at < step_ - step_ / 10) return false;
  // A gap would make old readings count as recent.
  if (used_ > 0 && at - last.at > 8 * step_) used_ = 0;
  points_[next_] = {at, value};
  next_ = (next_ + 1) % kPoints;
  used_ = std::min(used_ + 1, kPoints);
  slope_.reset();
  return true;
}

double Trend::oldest() const {
  return used_ < kPoints ? -1 : points_[next_].value;
}

double Trend::slope() {
  if (!slope_) slope_ = fit();
  return *slope_;
}

double Trend::fit() const {
  if (used_ < kPoints) return 0;
  std::array<double, kPoints*(kPoints - 1) / 2> slopes;
  size_t count = 0;
  for (size_t i = 0; i < kPoints; ++i) {
    for (size_t j = 0; j < i; ++j) {
      const Point& late = points_[(next_ + i) % kPoints];
      const Point& early = points_[(next_ + j) % kPoints];
      slopes[count++] = (late.value - early.value) / base::to_seconds(late.at - early.at);
    }
  }
  const auto quartile = slopes.begin() + count / 4;
  const auto middle = slopes.begin() + count / 2;
  std::nth_element(slopes.begin(), middle, slopes.end());
  std::nth_element(slopes.begin(), quartile, middle);
  return *quartile > 0 ? *middle : 0;
}

void Saturation::set_rule(const SaturationRule& rule) {
  rule_ = rule;
  for (auto& [scope, holder] : holders_) holder.is_news = true;
}

void Saturation::used(Resource resource, const series::Sample& sample) {
  if (!(sample.weight > 0)) return;
  Holder& holder = holders_[{sample.key.cluster, sample.key.proxy, sample.key.backend, ""}];
  holder.last = sample.at;
  holder.is_gone = false;
  holder.is_news = true;
  Gauge& gauge = holder.gauges[resource];
  if (gauge.limit != sample.weight) gauge = Gauge();
  gauge.value = sample.value;
  gauge.limit = sample.weight;
  gauge.at = sample.at;
  const bool fast = gauge.fast.add(sample.at, sample.value);
  const bool slow = gauge.slow.add(sample.at, sample.value);
  if (slow && gauge.slow.oldest() >= 0) {
    if (sample.at - gauge.turned >= kPeakTurns) {
      gauge.turned = sample.at;
      gauge.peaks = {gauge.peaks[1], 0};
    }
    for (double& peak : gauge.peaks) peak = std::max(peak, gauge.slow.oldest());
  }
  if (fast || slow) forecast(gauge);
}

bool Saturation::is_high(const Gauge& gauge) const {
  return gauge.value >= rule_.least * gauge.limit;
}

void Saturation::forecast(Gauge& gauge) const {
  gauge.full_in = kNever;
  if (!is_high(gauge)) return;  // nobody would believe it
  for (Trend* trend : {&gauge.fast, &gauge.slow}) {
    if (trend->slope() <= 0) continue;
    const double seconds = (gauge.limit - gauge.value) / trend->slope();
    if (seconds > kBelieved * base::to_seconds(trend->span())) continue;
    if (seconds >= gauge.full_in) continue;
    gauge.full_in = std::max(0.0, seconds);
    gauge.slope = trend->slope();
  }
}

void Saturation::exited(const series::Sample& sample) {
  if (sample.value < 0.5) return;
  const auto it = holders_.find({sample.key.cluster, sample.key.proxy, sample.key.backend, ""});
  if (it == holders_.end()) return;
  it->second.is_news = true;
  // The next process will be as full as this one when its clients are back.
  for (Gauge& gauge : it->second.gauges) {
    Gauge next;
    next.limit = gauge.limit;
    for (size_t i = 0; i < 2; ++i) next.peaks[i] = std::max(gauge.peaks[i], gauge.value);
    next.turned = gauge.turned;
    gauge = next;
  }
}

bool Saturation::is_full(const Gauge& gauge) const {
  return gauge.value >= rule_.full * gauge.limit;
}

void Saturation::judge(const Scope& scope, Holder& holder, base::Instant now) const {
  const double horizon = base::to_seconds(rule_.within);
  bool start = false, stay = false;
  for (const Gauge& gauge : holder.gauges) {
    if (gauge.at.ns == 0 || now - gauge.at > kFreshReading || !rule_.enabled) continue;
    const bool high = is_high(gauge);
    start =
        start || is_full(gauge) ||
        (high && gauge.full_in <= horizon && gauge.value > gauge.peaks[0] + kHigher * gauge.limit);
    stay = stay || is_full(gauge) || (high && gauge.full_in <= kKeep * horizon);
  }
  if (start && !holder.latch.active()) holder.verdict = describe(scope, holder, now);
  holder.latch.update(start, stay, now, now, rule_.clear_after);
}

Verdict Saturation::describe(const Scope& scope, const Holder& holder, base::Instant now) const {
  Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = rule_.type;
  verdict.scope = scope;
  const auto urgency = [&](const Gauge& gauge) {
    const bool known = gauge.at.ns != 0 && now - gauge.at <= kFreshReading;
    if (!known || !is_high(gauge)) return kNever;
    return is_full(gauge) ? 0 : gauge.full_in;
  };
  size_t worst = 0;
  for (size_t i = 0; i < kResources; ++i) {
    const Gauge& gauge = holder.gauges[i];
    if (urgency(gauge) < urgency(holder.gauges[worst])) worst = i;
    if (urgency(gauge) == kNever) continue;
    verdict.evidence.push_back({series::to_string({kResourceWords[i].series, scope.cluster,
                                                   scope.proxy, scope.backend, ""}),
                                gauge.limit, gauge.value,
                                kResourceWords[i].bytes ? "bytes" : "in use"});
  }
  const Gauge& gauge = holder.gauges[worst];
  const ResourceWords& words = kResourceWords[worst];
  verdict.title =
      std::string(words.title) + " of " + place(scope) + " run" + (words.bytes ? "s" : "") + " out";
  verdict.sentence = amount(words, gauge.value) + " of " + amount(words, gauge.limit) + " " +
                     words.what + " of " + place(scope) + " are in use (" +
                     percent_text(gauge.value / gauge.limit) + ")";
  if (gauge.full_in < kNever && gauge.value < gauge.limit) {
    verdict.sentence += ", full in " + length_text(gauge.full_in) + " at +" +
                        amount(words, gauge.slope >= 1 ? gauge.slope : gauge.slope * 60) +
                        (gauge.slope >= 1 ? "/s" : " a minute");
  }
  verdict.sentence += ".";
  verdict.confidence = is_full(gauge) ? 0.95 : 0.8;
  return verdict;
}

// Who is not running out begins to only by what is told of it: readings that grow old are none.
void Saturation::evaluate(base::Instant now, std::vector<Verdict>& out) {
  for (auto& [scope, holder] : holders_) {
    const bool is_news = std::exchange(holder.is_news, false) || holder.is_gone;
    if (!is_news && !holder.latch.active()) continue;
    judge(scope, holder, now);
    if (holder.is_gone) holder.latch.open();
    holder.report(out);
  }
  std::erase_if(holders_, [](const auto& entry) { return entry.second.is_gone; });
}

std::vector<LearnedHeight> Saturation::learned() const {
  std::vector<LearnedHeight> list;
  for (const auto& [scope, holder] : holders_) {
    for (size_t i = 0; i < kResources; ++i) {
      const Gauge& gauge = holder.gauges[i];
      if (std::max(gauge.peaks[0], gauge.peaks[1]) <= 0) continue;
      list.push_back({scope.cluster, scope.proxy, scope.backend, kResourceWords[i].series,
                      gauge.limit, gauge.peaks[0], gauge.peaks[1],
                      std::max(0.0, base::to_seconds(holder.last - gauge.turned))});
    }
  }
  return list;
}

void Saturation::restore(const LearnedHeight& height, base::Instant now) {
  const auto words =
      std::find_if(kResourceWords.begin(), kResourceWords.end(),
                   [&](const ResourceWords& each) { return height.of == each.series; });
  if (words == kResourceWords.end()) return;
  Holder& holder = holders_[{height.cluster, height.proxy, height.backend, ""}];
  holder.last = now;
  holder.is_news = true;
  Gauge& gauge = holder.gauges[static_cast<size_t>(words - kResourceWords.begin())];
  gauge.limit = height.limit;
  gauge.peaks = {height.before, height.highest};
  gauge.turned = now - base::from_seconds(height.seconds);
}

void Saturation::forget(const Scope& gone) {
  const auto it = holders_.find(gone);
  if (it != holders_.end()) it->second.is_gone = true;
}

void Saturation::forget_silent(base::Instant before) {
  std::erase_if(holders_, [&](const auto& entry) {
    return entry.second.last < before && !entry.second.latch.active();
  });
}

size_t Saturation::series_count() const {
  return holders_.size();
}

}  // namespace agent::rule
