#include "agent/rule/echoes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "agent/rule/phrase.h"

namespace agent::rule {
namespace {

constexpr double kTimesMedian = 10;
constexpr double kLeastBound = 0.002;
constexpr double kMostBound = 0.005;   // what is slow of a request
constexpr double kLeastUsual = 0.005;  // a learned share below counts as this
// A network that makes 5 % of its packets late or loses them is at fault; many more requests are slow
// then, as those on one connection wait for each other.
constexpr double kFaulty = 0.05;
constexpr double kTimesUsual = 4;
constexpr double kClip = 3;
constexpr double kUseless =
    0.2;  // share of slow echoes of a link in good times: they prove nothing
constexpr double kLeastMedian = 1e-6;  // seconds
constexpr double kSure = 4;            // log likelihood ratio: 50 to 1
constexpr int kSpread = 2;             // bins with slow echoes; fewer may be one pause

}  // namespace

double LinkEchoes::bound() const {
  return std::clamp(kTimesMedian * median_, kLeastBound, kMostBound);
}

double LinkEchoes::usual() const {
  return std::clamp(share_.share(), kLeastUsual, 0.5);
}

void LinkEchoes::answered(base::Instant at, double seconds, bool teaches) {
  if (median_ <= 0) median_ = std::max(seconds, kLeastMedian);
  note(at, seconds >= bound(), teaches);
  if (!teaches) return;
  // Up or down by a little that becomes less: as often one as the other at the median.
  const double step = 1 + std::max(0.01, 1.0 / (learned_ + 1));
  if (seconds > median_) median_ *= step;
  if (seconds < median_) median_ /= step;
}

void LinkEchoes::lost(base::Instant at, bool teaches) {
  note(at, true, teaches);
}

void LinkEchoes::note(base::Instant at, bool slow, bool teaches) {
  const int64_t number = at.ns / kBin.count();
  Bin& bin = bins_[static_cast<size_t>(number) % kBins];
  if (bin.number > number) return;
  if (bin.number < number) bin = Bin{number, 0, 0};
  ++bin.all;
  if (slow) ++bin.slow;
  if (!teaches) return;
  share_.learn(slow ? 1 : 0, 1, kClip, kLeastUsual);
  learned_ = std::min(learned_ + 1, kLearnFirst);
}

std::optional<LinkEchoes::Learned> LinkEchoes::learned() const {
  if (!is_known()) return std::nullopt;
  return Learned{median_, share_.slow(), share_.all()};
}

void LinkEchoes::restore(const Learned& learned) {
  if (learned.median <= 0) return;
  median_ = learned.median;
  share_ = series::Share(learned.slow, learned.all);
  learned_ = kLearnFirst;
}

LinkEchoes::Count LinkEchoes::since(base::Instant begin) const {
  Count count;
  for (const Bin& bin : bins_) {
    if (bin.number <= begin.ns / kBin.count()) continue;
    count.slow += bin.slow;
    count.slow_bins += bin.slow > 0;
    count.all += bin.all;
  }
  return count;
}

void EchoWitness::hear(const LinkEchoes& echoes, base::Instant since) {
  const LinkEchoes::Count count = echoes.since(since);
  if (!echoes.is_known() || count.all == 0 || echoes.usual() >= kUseless) {
    complete_ = false;
    return;
  }
  const double usual = echoes.usual();
  const double faulty = std::clamp(kTimesUsual * usual, kFaulty, 0.95);
  evidence_ += count.slow * std::log(faulty / usual) +
               (count.all - count.slow) * std::log((1 - faulty) / (1 - usual));
  slow_ += count.slow;
  slow_bins_ = std::max(slow_bins_, count.slow_bins);
  all_ += count.all;
  usual_ += usual * count.all;
  bound_ = std::max(bound_, echoes.bound());
  median_ = std::max(median_, echoes.median());
}

EchoSays EchoWitness::says() const {
  if (!complete_ || all_ == 0) return EchoSays::kNothing;
  if (evidence_ >= kSure && slow_bins_ >= kSpread) return EchoSays::kNetwork;
  return evidence_ <= -kSure ? EchoSays::kMembers : EchoSays::kNothing;
}

std::string EchoWitness::sentence(const std::string& member) const {
  const auto milliseconds = [](double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", seconds * 1000);
    return std::string(text);
  };
  const std::string share = percent_text(slow_ / std::max(all_, 1.0));
  switch (says()) {
    case EchoSays::kNetwork:
      return share + " of the echoes on the same links took over " + milliseconds(bound_) +
             " or were lost (usually " + percent_text(usual_ / all_) + " at most): the network.";
    case EchoSays::kMembers:
      return "Echoes on the same links stayed at " + milliseconds(median_) + " (" + share +
             " took over " + milliseconds(bound_) + "): " + member + ", not the network.";
    case EchoSays::kNothing:
      break;
  }
  return "";
}

}  // namespace agent::rule
