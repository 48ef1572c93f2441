#include "agent/filter/history.h"

#include <algorithm>
#include <cmath>

#include "base/telemetry/segment.h"

namespace agent::filter {
namespace {

constexpr base::Duration kDay = std::chrono::hours(24);
constexpr base::Duration kWindow = kHistoryDays * kDay;

int64_t day_number(base::WallTime wall) {
  return wall.ns / kDay.count();
}

base::Duration absolute(base::Duration d) {
  return d < base::Duration::zero() ? -d : d;
}

std::string_view sentence_of(HistoryGap gap) {
  switch (gap) {
    case HistoryGap::kNone:
      return "seven days are known without a gap";
    case HistoryGap::kNew:
      return "the history of authenticated addresses is younger than seven days";
    case HistoryGap::kOverflow:
      return "more addresses authenticated at once than a proxy's ring holds, and some were not "
             "read";
    case HistoryGap::kRingGone:
      return "a proxy ended while its ring of authenticated addresses was not being read";
    case HistoryGap::kClockJump:
      return "the wall clock was set";
    case HistoryGap::kPause:
      return "authenticated addresses have not been read for too long";
    case HistoryGap::kMember:
      return "the history of an agent is missing, or kept with other options or by another clock";
    case HistoryGap::kUnseen:
      return "a proxy may have started and ended while nobody read who authenticated";
  }
  return "";
}

}  // namespace

std::string_view to_string(HistoryGap gap) {
  static constexpr std::string_view kNames[] = {"none",       "new",   "overflow", "ring_gone",
                                                "clock_jump", "pause", "member",   "unseen"};
  return kNames[static_cast<size_t>(gap)];
}

std::string HistoryAnswer::sentence() const {
  std::string text(sentence_of(gap));
  if (!may_block())
    text += "; addresses can be blocked from " + may_block_from.to_rfc3339() + " on";
  return text;
}

AuthenticatedHistory::AuthenticatedHistory(const HistoryOptions& options) : options_(options) {
  // A question goes to all days, and each may err.
  const double rate = options.false_positive_rate / static_cast<double>(kDaysKept);
  days_.assign(kDaysKept, Day(bloom_shape(options.addresses_a_day, rate)));
}

AuthenticatedHistory::Day& AuthenticatedHistory::day_of(base::WallTime wall) {
  const int64_t number = day_number(wall);
  Day& day = days_[static_cast<uint64_t>(number) % kDaysKept];
  if (day.number != number) {
    day.number = number;
    day.filter.clear();
  }
  return day;
}

std::vector<RingNews> AuthenticatedHistory::begin_round(const std::vector<RingState>& rings,
                                                        uint64_t mark) {
  std::vector<RingNews> news;
  rings_ = rings;
  found_mark_ = mark;
  found_ = HistoryGap::kNone;
  size_t still_there = 0;
  for (const RingState& state : rings) {
    const auto at = positions_.find(state.ring);
    if (at != positions_.end()) ++still_there;
    RingNews each;
    each.ring = state.ring;
    each.written = state.written;
    each.first = at == positions_.end() ? 0 : std::min(at->second, state.written);
    if (state.written - each.first > base::telemetry::kNewcomerSlots) {
      each.first = state.written - base::telemetry::kNewcomerSlots;
      each.is_overwritten = true;
      found_ = HistoryGap::kOverflow;
    }
    news.push_back(each);
  }
  has_new_ring_ = still_there < rings.size();
  if (still_there < positions_.size() && found_ == HistoryGap::kNone) {
    found_ = HistoryGap::kRingGone;
  }
  return news;
}

void AuthenticatedHistory::insert(const Subject& subject, base::WallTime wall) {
  day_of(wall).filter.insert(subject);
}

HistoryGap AuthenticatedHistory::gap_since_last_round(base::WallTime wall,
                                                      base::Instant now) const {
  if (known_until_.ns == 0) return HistoryGap::kNew;
  if (found_ != HistoryGap::kNone) return found_;
  const base::Duration passed = wall - known_until_;
  const base::Duration jump =
      last_round_ ? absolute(passed - (now - *last_round_)) : std::max(-passed, base::Duration{0});
  if (jump > options_.clock_jump) return HistoryGap::kClockJump;
  if (last_round_ && passed <= options_.freshness) return HistoryGap::kNone;
  if (!last_round_ && passed > options_.longest_pause) return HistoryGap::kPause;
  // Nobody looked for a while. A new ring may have had a predecessor that is in no file.
  const bool is_same = found_mark_ != 0 && found_mark_ == mark_ && !has_new_ring_;
  return is_same ? HistoryGap::kNone : HistoryGap::kUnseen;
}

void AuthenticatedHistory::end_round(base::WallTime wall, base::Instant now, bool is_complete) {
  if (!is_complete) return;
  const HistoryGap gap = gap_since_last_round(wall, now);
  if (gap != HistoryGap::kNone) {
    gap_ = gap;
    known_since_ = wall;
  }
  known_until_ = wall;
  last_round_ = now;
  day_of(wall);  // forgets the day that is eight days back, also when nobody comes
  mark_ = found_mark_;
  positions_.clear();
  for (const RingState& state : rings_) positions_[state.ring] = state.written;
}

bool AuthenticatedHistory::contains(const Subject& subject) const {
  return std::any_of(days_.begin(), days_.end(), [&](const Day& day) {
    return day.number >= 0 && day.filter.may_contain(subject);
  });
}

HistoryAnswer AuthenticatedHistory::may_block(base::WallTime wall) const {
  HistoryAnswer answer;
  answer.known_since = known_since_;
  answer.may_block_from = known_since_ + kWindow;
  const base::Duration age = wall - known_until_;
  if (is_missing_member_) {
    answer.gap = HistoryGap::kMember;
  } else if (known_until_.ns == 0) {
    answer.may_block_from = wall + kWindow;
    answer.gap = HistoryGap::kNew;
  } else if (age < -options_.clock_jump) {
    answer.gap = HistoryGap::kClockJump;
  } else if (age > options_.freshness) {
    answer.gap = HistoryGap::kPause;
  } else {
    answer.gap = wall < answer.may_block_from ? gap_ : HistoryGap::kNone;
  }
  return answer;
}

void AuthenticatedHistory::unite(const AuthenticatedHistory* other) {
  if (other == nullptr || other->options_ != options_ || other->is_missing_member_) {
    is_missing_member_ = true;
    return;
  }
  const base::Duration ahead = other->known_until_ - known_until_;
  if (known_until_.ns != 0 && ahead > options_.clock_jump + options_.freshness) {
    is_missing_member_ = true;
    return;
  }
  // Neither's days are left out, however old they seem beside the other's: one too many spares
  // somebody, one too few would accuse.
  for (size_t i = 0; i < kDaysKept; ++i) {
    days_[i].filter.unite(other->days_[i].filter);
    days_[i].number = std::max(days_[i].number, other->days_[i].number);
  }
  if (other->known_since_ > known_since_ || other->known_until_.ns == 0) {
    known_since_ = other->known_since_;
    gap_ = other->gap_;
  }
  known_until_ = std::min(known_until_, other->known_until_);
}

double AuthenticatedHistory::false_positive_rate() const {
  double spared = 1;
  for (const Day& day : days_) spared *= 1 - day.filter.false_positive_rate();
  return 1 - spared;
}

size_t AuthenticatedHistory::memory_bytes() const {
  return days_.size() * days_.front().filter.words().size_bytes();
}

}  // namespace agent::filter
