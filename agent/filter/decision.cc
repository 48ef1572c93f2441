#include "agent/filter/decision.h"

#include <algorithm>
#include <cstdio>
#include <optional>

namespace agent::filter {
namespace {

constexpr size_t kLongestRunName = 64;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g %%", share * 100);
  return text;
}

std::string count_of(uint64_t count, const char* one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string seconds(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

bool is_among(const std::vector<Subject>& subjects, const Subject& subject) {
  return std::find(subjects.begin(), subjects.end(), subject) != subjects.end();
}

const Protected* place_of(const std::vector<Protected>& places, const Subject& subject) {
  const auto at = std::find_if(places.begin(), places.end(),
                               [&](const Protected& each) { return each.subject == subject; });
  return at == places.end() ? nullptr : &*at;
}

const Filter* standing(const Knowledge& knowledge, const Subject& subject, Mode mode) {
  for (const Filter& filter : knowledge.standing) {
    if (filter.subject == subject && filter.mode == mode) return &filter;
  }
  return nullptr;
}

Verdict verdict(Outcome outcome, Reason reason, std::string sentence) {
  Verdict made;
  made.outcome = outcome;
  made.reason = reason;
  made.sentence = std::move(sentence);
  return made;
}

Verdict refuse(Reason reason, std::string sentence) {
  return verdict(Outcome::kRefuse, reason, std::move(sentence));
}

Verdict only_count(Reason reason, const Subject& subject, const std::string& why) {
  return verdict(Outcome::kCount, reason, subject.text() + " is only counted: " + why);
}

// What nobody may ask for.
std::optional<Verdict> refuse_request(const Wanted& wanted, const Subject& subject) {
  if (!is_run_name(wanted.run)) {
    return refuse(Reason::kNoRun, "a filter on " + subject.text() +
                                      " names no run that answers for it; a run's name has at most "
                                      "64 letters, digits and -_./");
  }
  if (wanted.ttl < kShortestTtl || wanted.ttl > kLongestTtl) {
    return refuse(Reason::kBadTtl, "a filter on " + subject.text() + " for " + seconds(wanted.ttl) +
                                       ": it may last from 1 s to 1 h");
  }
  return std::nullopt;
}

std::optional<Verdict> refuse_place(const Subject& subject, const Knowledge& knowledge) {
  if (const Protected* place = place_of(knowledge.protected_places, subject)) {
    return refuse(Reason::kProtected, subject.text() + " is " + place->what +
                                          ": what the region lives by is not filtered");
  }
  if (subject.is_shared_by_design()) {
    return refuse(Reason::kShared,
                  subject.text() +
                      " is no single host's address (loopback, link-local, multicast, or a "
                      "prefix in which strangers meet)");
  }
  if (is_among(knowledge.allowed, subject)) {
    return refuse(Reason::kAllowed,
                  subject.text() + " is on the list of addresses that are never filtered");
  }
  return std::nullopt;
}

// Whom it would hurt, as far as that is known.
std::optional<Verdict> refuse_harm(const Subject& subject, const Knowledge& knowledge) {
  const LiveFlows& flows = knowledge.flows;
  if (flows.authenticated_connections > 0 || flows.credentials > 0) {
    return refuse(Reason::kConnected,
                  subject.text() + " has " +
                      count_of(flows.authenticated_connections, "authenticated connection") +
                      " of " + count_of(flows.credentials, "credential") + " to " +
                      count_of(flows.caches, "cache") + " now: limit the credential instead");
  }
  if (knowledge.history.contains(subject)) {
    return refuse(Reason::kAuthenticated,
                  subject.text() +
                      " authenticated in the last seven days, or shares its place in the "
                      "history with one that did: limit the credential instead");
  }
  if (flows.ok_share > knowledge.bounds.ok_share) {
    return refuse(Reason::kServed, subject.text() + " makes " + percent(flows.ok_share) +
                                       " of all operations that are answered, more than " +
                                       percent(knowledge.bounds.ok_share));
  }
  return std::nullopt;
}

// What speaks against more than counting.
std::optional<Verdict> hold_back(const Wanted& wanted, const Subject& subject,
                                 const Knowledge& knowledge) {
  if (wanted.is_count_only) return only_count(Reason::kAsked, subject, "that is what was asked");
  const HistoryAnswer known = knowledge.history.may_block(knowledge.wall);
  if (!known.may_block()) return only_count(Reason::kHistory, subject, known.sentence());
  const LiveFlows& flows = knowledge.flows;
  if (!flows.is_known || flows.age > knowledge.bounds.flows_age) {
    return only_count(Reason::kFlowsUnknown, subject,
                      "whom it would hurt now is not known, since its live connections are not");
  }
  if (standing(knowledge, subject, Mode::kBlock) != nullptr) return std::nullopt;  // a renewal
  const Filter* canary = standing(knowledge, subject, Mode::kCount);
  if (canary == nullptr || canary->age() < knowledge.bounds.canary) {
    return only_count(
        Reason::kCanary, subject,
        "a block follows when it was counted for " + seconds(knowledge.bounds.canary));
  }
  if (canary->packets == 0) {
    return only_count(Reason::kNothingCounted, subject,
                      "no new connection has come from it for " + seconds(canary->age()));
  }
  return std::nullopt;
}

std::optional<Verdict> refuse_amount(const Subject& subject, const Knowledge& knowledge) {
  const bool is_new = standing(knowledge, subject, Mode::kCount) == nullptr &&
                      standing(knowledge, subject, Mode::kBlock) == nullptr;
  if (is_new && knowledge.standing.size() >= knowledge.bounds.most_filters) {
    return refuse(Reason::kTooMany,
                  std::to_string(knowledge.standing.size()) +
                      " filters stand already, as many as may: what comes from so "
                      "many addresses is not stopped by address");
  }
  return std::nullopt;
}

std::optional<Verdict> refuse_share(const Subject& subject, const Knowledge& knowledge) {
  const double all = knowledge.blocked_ok_share + knowledge.flows.ok_share;
  if (all <= knowledge.bounds.all_ok_share) return std::nullopt;
  return refuse(Reason::kTooMuchTraffic, "with " + subject.text() +
                                             " all blocks together would refuse " + percent(all) +
                                             " of the operations that are answered; at most " +
                                             percent(knowledge.bounds.all_ok_share) + " may be");
}

Verdict judge(const Wanted& wanted, const Subject& subject, const Knowledge& knowledge) {
  if (auto no = refuse_request(wanted, subject)) return *no;
  if (auto no = refuse_place(subject, knowledge)) return *no;
  if (auto no = refuse_harm(subject, knowledge)) return *no;
  if (auto no = refuse_amount(subject, knowledge)) return *no;
  if (auto held = hold_back(wanted, subject, knowledge)) return *held;
  if (auto no = refuse_share(subject, knowledge)) return *no;
  return verdict(Outcome::kBlock, Reason::kHarmless,
                 subject.text() + " is blocked for " + seconds(wanted.ttl) +
                     ": nobody has authenticated from it in seven days, and none of its " +
                     count_of(knowledge.flows.connections, "connection") + " is authenticated");
}

}  // namespace

std::string_view to_string(Mode mode) {
  return mode == Mode::kCount ? "count" : "block";
}

bool is_run_name(std::string_view run) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  };
  return !run.empty() && run.size() <= kLongestRunName && std::all_of(run.begin(), run.end(), fits);
}

std::string_view to_string(Outcome outcome) {
  static constexpr std::string_view kNames[] = {"refuse", "count", "block"};
  return kNames[static_cast<size_t>(outcome)];
}

std::string_view to_string(Reason reason) {
  static constexpr std::string_view kNames[] = {
      "harmless",      "no_address", "too_wide",         "no_run",        "bad_ttl",
      "protected",     "shared",     "allowed",          "authenticated", "connected",
      "served",        "too_many",   "too_much_traffic", "asked",         "history",
      "flows_unknown", "canary",     "nothing_counted"};
  return kNames[static_cast<size_t>(reason)];
}

Verdict decide(const Wanted& wanted, const Knowledge& knowledge) {
  const base::Result<Subject> subject = Subject::parse(wanted.address);
  if (!subject.ok()) {
    const bool is_wide = subject.code() == base::ErrorCode::kRefused;
    return refuse(is_wide ? Reason::kTooWide : Reason::kNoAddress, subject.error().context);
  }
  Verdict made = judge(wanted, *subject, knowledge);
  made.subject = *subject;
  made.ttl = wanted.ttl;
  return made;
}

}  // namespace agent::filter
