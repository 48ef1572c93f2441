#include <algorithm>
#include <set>

#include "agent/filter/decision.h"

namespace agent::filter {
namespace {

bool has(const std::vector<Subject>& sorted, const Subject& subject) {
  return std::binary_search(sorted.begin(), sorted.end(), subject);
}

std::vector<Subject> sorted(std::vector<Subject> subjects) {
  std::sort(subjects.begin(), subjects.end());
  return subjects;
}

Lift lift(const Filter& filter, LiftReason reason, const std::string& why) {
  Lift made;
  made.filter = filter;
  made.reason = reason;
  made.sentence =
      "the filter of " + filter.run + " on " + filter.subject.text() + " is lifted: " + why;
  return made;
}

}  // namespace

std::string_view to_string(LiftReason reason) {
  static constexpr std::string_view kNames[] = {"newcomer", "connected",   "protected",
                                                "allowed",  "reason_gone", "quiet"};
  return kNames[static_cast<size_t>(reason)];
}

// A renewed filter counts from zero: any difference is a sign of life.
bool LiftJudge::is_quiet(const Filter& filter, base::Instant now) {
  const Seen latest{filter.packets, now};
  Seen& seen = seen_.try_emplace({filter.subject, filter.mode}, latest).first->second;
  if (seen.packets != filter.packets) seen = latest;
  return now - seen.at >= quiet_;
}

std::vector<Lift> LiftJudge::judge(const std::vector<Filter>& standing, const Look& look) {
  const std::vector<Subject> newcomers = sorted(look.newcomers);
  const std::vector<Subject> connected = sorted(look.connected);
  const std::vector<Subject> allowed = sorted(look.allowed);
  std::vector<Subject> places;
  for (const Protected& place : look.protected_places) places.push_back(place.subject);
  places = sorted(std::move(places));
  std::set<std::pair<Subject, Mode>> stand;
  for (const Filter& filter : standing) stand.insert({filter.subject, filter.mode});
  std::erase_if(seen_, [&](const auto& each) { return stand.count(each.first) == 0; });

  std::vector<Lift> lifts;
  for (const Filter& filter : standing) {
    const bool is_still = is_quiet(filter, look.now);
    if (has(newcomers, filter.subject) || look.history.contains(filter.subject)) {
      lifts.push_back(lift(filter, LiftReason::kNewcomer, "a client authenticated from there"));
    } else if (has(connected, filter.subject)) {
      lifts.push_back(
          lift(filter, LiftReason::kConnected, "an authenticated connection comes from there"));
    } else if (has(places, filter.subject)) {
      lifts.push_back(lift(filter, LiftReason::kProtected, "the region has this address now"));
    } else if (has(allowed, filter.subject)) {
      lifts.push_back(
          lift(filter, LiftReason::kAllowed, "it is on the list of those never filtered"));
    } else if (!look.is_wanted(filter.run)) {
      lifts.push_back(lift(filter, LiftReason::kReasonGone, "what it was made for is over"));
    } else if (is_still) {
      lifts.push_back(lift(filter, LiftReason::kQuiet, "nothing more comes from there"));
    }
  }
  return lifts;
}

}  // namespace agent::filter
