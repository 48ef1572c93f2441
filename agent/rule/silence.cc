#include "agent/rule/silence.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using incident::Scope;
using incident::Verdict;

constexpr base::Duration kRunning = 3s;     // ends of processes are told once a second
constexpr base::Duration kAgentStood = 1s;  // between two evaluations
constexpr base::Duration kConfirm = 2s;     // so long for the others to turn out as silent
constexpr int kEstablished = 5;             // heard so often before it is missed
constexpr double kGapFades = 0.999;         // at each that is heard

struct SourceWords {
  const char* series;
  const char* what;
};
constexpr std::array<SourceWords, Silence::kSources> kSourceWords = {
    SourceWords{"proxy_heartbeat_age_seconds", "telemetry"},
    SourceWords{"canary_ok", "canaries"},
    SourceWords{"proxy_connections", "connection counts"},
    SourceWords{"backend_probe_ok", "probes"},
    SourceWords{"backend_connection_slots", "memcached statistics"},
};

}  // namespace

void Silence::heard(Source source, const series::Sample& sample) {
  // A canary is about a proxy and a backend; who is not heard any more is the proxy.
  const std::string backend = sample.key.proxy.empty() ? sample.key.backend : "";
  Member& member = clusters_[sample.key.cluster].members[{sample.key.proxy, backend}];
  Rhythm& rhythm = member.rhythms[source];
  member.last = sample.at;
  member.is_gone = false;
  if (rhythm.last.ns != 0) {
    const double gap = base::to_seconds(sample.at - rhythm.last);
    if (gap <= 0) return;
    learn(rhythm, gap);
  }
  rhythm.last = sample.at;
  rhythm.times = std::min(rhythm.times + 1, kEstablished);
}

// What was missed is no rhythm, unless nothing else comes any more.
void Silence::learn(Rhythm& rhythm, double gap) const {
  if (rhythm.times < kEstablished || gap < limit(rhythm)) {
    rhythm.gap = std::max(gap, rhythm.gap * kGapFades);
    rhythm.slow_times = 0;
    rhythm.slow_gap = 0;
    return;
  }
  rhythm.slow_gap = std::max(gap, rhythm.slow_gap);
  if (++rhythm.slow_times < kEstablished) return;
  rhythm.gap = rhythm.slow_gap;
  rhythm.slow_times = 0;
  rhythm.slow_gap = 0;
}

void Silence::exited(const series::Sample& sample) {
  Member& member = clusters_[sample.key.cluster].members[{sample.key.proxy, sample.key.backend}];
  member.last = sample.at;
  if (sample.value >= 0.5) {
    member.running_since = {};
    member.rhythms = {};
    return;
  }
  if (member.running_since.ns == 0) member.running_since = sample.at;
  member.running_at = sample.at;
  member.is_gone = false;
}

void Silence::exclude(const Scope& sick, base::Instant now) {
  const auto known = clusters_.find(sick.cluster);
  if (known != clusters_.end()) known->second.unsettled_until = now + rule_.hold;
}

double Silence::limit(const Rhythm& rhythm) const {
  return std::max(base::to_seconds(rule_.silence), rule_.times * rhythm.gap);
}

bool Silence::is_judged(const Member& member, base::Instant now) const {
  return !member.is_gone && member.running_since.ns != 0 && now - member.running_at <= kRunning &&
         now - member.running_since >= rule_.hold;
}

void Silence::judge(const std::string& name, Cluster& cluster, base::Instant now) {
  const bool settled = rule_.enabled && now >= cluster.unsettled_until;
  std::array<size_t, kSources> heard{}, silent{};
  const auto is_silent = [&](const Rhythm& rhythm, base::Duration longer) {
    const base::Duration away = now - rhythm.last - longer;
    return rhythm.times >= kEstablished && away >= rule_.silence &&
           base::to_seconds(away) >= limit(rhythm);
  };
  for (const auto& [id, member] : cluster.members) {
    if (!is_judged(member, now)) continue;
    for (size_t source = 0; source < kSources; ++source) {
      if (member.rhythms[source].times < kEstablished) continue;
      ++heard[source];
      if (is_silent(member.rhythms[source], {})) ++silent[source];
    }
  }
  std::array<bool, kSources> everywhere{};
  for (size_t source = 0; source < kSources; ++source) {
    everywhere[source] = heard[source] > 1 && silent[source] == heard[source];
  }
  tell({name, "", "", ""}, cluster, nullptr, everywhere, settled, now);
  const bool none = std::all_of(silent.begin(), silent.end(), [](size_t n) { return n == 0; });
  for (auto& [id, member] : cluster.members) {
    if (none && !member.latch.active()) continue;
    std::array<bool, kSources> here{};
    const bool judged = is_judged(member, now);
    for (size_t source = 0; source < kSources; ++source) {
      here[source] = judged && !everywhere[source] && is_silent(member.rhythms[source], kConfirm);
    }
    tell({name, id.first, id.second, ""}, member, &member, here, settled, now);
  }
}

void Silence::tell(const Scope& scope, Told& told, const Member* of,
                   const std::array<bool, kSources>& silent, bool may_start,
                   base::Instant now) const {
  const bool any = std::find(silent.begin(), silent.end(), true) != silent.end();
  base::Instant began = now;
  if (may_start && any && !told.latch.active()) {
    Verdict& verdict = told.verdict = Verdict();
    verdict.rule = rule_.name;
    verdict.type = rule_.type;
    verdict.scope = scope;
    verdict.confidence = 0.9;
    verdict.title = "The agent is blind at " + scope.to_string();
    std::string what;
    double longest = 0, usual = 0;
    for (size_t source = 0; source < kSources; ++source) {
      if (!silent[source]) continue;
      if (!what.empty()) what += ", ";
      what += kSourceWords[source].what;
      double away = base::to_seconds(rule_.silence), gap = 0;
      if (of != nullptr) {
        const Rhythm& rhythm = of->rhythms[source];
        away = base::to_seconds(now - rhythm.last);
        gap = rhythm.gap;
        began = std::min(began, rhythm.last);
      }
      longest = std::max(longest, away);
      usual = std::max(usual, gap);
      verdict.evidence.push_back({series::to_string({kSourceWords[source].series, scope.cluster,
                                                     scope.proxy, scope.backend, ""}),
                                  gap, away, "seconds of silence"});
    }
    verdict.sentence =
        "No " + what + " of " + (of == nullptr ? "any member of " : "") + scope.to_string() +
        " for " + seconds_text(longest) + " though " +
        (of == nullptr ? "the processes run"
                       : "its process runs; usually at least one every " + seconds_text(usual)) +
        ".";
  }
  told.latch.update(may_start && any, any, began, now, rule_.clear_after);
}

void Silence::ticked(base::Instant now) {
  // Nobody was heard while the agent itself stood still.
  const bool stood = last_tick_.ns != 0 && now - last_tick_ > kAgentStood;
  last_tick_ = now;
  if (!stood) return;
  for (auto& [name, cluster] : clusters_) {
    for (auto& [id, member] : cluster.members) {
      for (Rhythm& rhythm : member.rhythms) {
        if (rhythm.times > 0) rhythm.last = now;
      }
    }
  }
}

void Silence::evaluate(base::Instant now, std::vector<Verdict>& out) {
  ticked(now);
  for (auto& [name, cluster] : clusters_) {
    judge(name, cluster, now);
    cluster.report(out);
    for (auto& [id, member] : cluster.members) {
      if (member.is_gone) member.latch.open();
      member.report(out);
    }
    std::erase_if(cluster.members, [](const auto& entry) { return entry.second.is_gone; });
  }
}

std::vector<LearnedRhythm> Silence::learned() const {
  std::vector<LearnedRhythm> list;
  for (const auto& [name, cluster] : clusters_) {
    for (const auto& [id, member] : cluster.members) {
      for (size_t source = 0; source < kSources; ++source) {
        const Rhythm& rhythm = member.rhythms[source];
        if (rhythm.times < kEstablished) continue;
        list.push_back({name, id.first, id.second, kSourceWords[source].series, rhythm.gap});
      }
    }
  }
  return list;
}

void Silence::restore(const LearnedRhythm& learned, base::Instant now) {
  const auto words =
      std::find_if(kSourceWords.begin(), kSourceWords.end(),
                   [&](const SourceWords& each) { return learned.of == each.series; });
  if (words == kSourceWords.end()) return;
  Member& member = clusters_[learned.cluster].members[{learned.proxy, learned.backend}];
  member.last = now;
  Rhythm& rhythm = member.rhythms[static_cast<size_t>(words - kSourceWords.begin())];
  rhythm = Rhythm();
  rhythm.last = now;
  rhythm.times = kEstablished;
  rhythm.gap = learned.gap;
}

void Silence::forget(const Scope& gone) {
  const auto known = clusters_.find(gone.cluster);
  if (known == clusters_.end()) return;
  const auto member = known->second.members.find({gone.proxy, gone.backend});
  if (member != known->second.members.end()) member->second.is_gone = true;
}

void Silence::forget_silent(base::Instant before) {
  for (auto& [name, cluster] : clusters_) {
    std::erase_if(cluster.members, [&](const auto& entry) {
      return entry.second.last < before && !entry.second.latch.active();
    });
  }
  std::erase_if(clusters_, [](const auto& entry) {
    return entry.second.members.empty() && !entry.second.latch.active();
  });
}

size_t Silence::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) count += cluster.members.size();
  return count;
}

}  // namespace agent::rule
