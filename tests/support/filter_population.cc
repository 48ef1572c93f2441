#include "tests/support/filter_population.h"

#include <algorithm>
#include <memory>
#include <random>
#include <unordered_set>
#include <vector>

#include "agent/filter/decision.h"
#include "base/core/check.h"

namespace test {
namespace {

using agent::filter::AuthenticatedHistory;
using agent::filter::Subject;

constexpr base::WallTime kEnd{1'796'000'000'000'000'000};  // some hours into a day
constexpr base::Duration kDay = std::chrono::hours(24);
constexpr base::Duration kWindow = 7 * kDay;
constexpr base::Duration kTold = 9 * kDay;  // how far back clients come at all
constexpr base::Duration kRound = std::chrono::minutes(10);
constexpr uint64_t kWalker = 1'000'003;  // spreads numbers over an address space

struct Session {
  base::WallTime at;
  uint32_t client = 0;
  Subject subject;
};

Subject ipv4(uint32_t address) {
  return Subject::of(std::array<uint64_t, 2>{0, 0xffff'0000'0000ULL | address});
}

class World {
 public:
  explicit World(const PopulationOptions& options) : options_(options), random_(options.seed) {
    const uint64_t clients = options.clients;
    for (uint64_t i = 0; i < clients; ++i) add_client(static_cast<uint32_t>(i));
    std::sort(sessions_.begin(), sessions_.end(),
              [](const Session& a, const Session& b) { return a.at < b.at; });
    for (uint64_t i = 0; i < std::max<uint64_t>(clients / 50, 10); ++i) add_attacker(i);
  }

  PopulationResult accuse_everybody() {
    const auto history = remember();
    PopulationResult result;
    std::unordered_set<Subject, agent::filter::SubjectHash> authenticated;
    std::vector<bool> is_client(options_.clients), is_blocked(options_.clients);
    for (const Session& session : sessions_) {
      if (kEnd - session.at > kWindow) continue;
      authenticated.insert(session.subject);
      is_client[session.client] = true;
    }
    for (const Session& session : sessions_) {
      const bool is_recent = kEnd - session.at <= kWindow;
      if (is_recent && blocks(*history, session.subject)) is_blocked[session.client] = true;
    }
    for (const Subject& attacker : attackers_) {
      if (authenticated.count(attacker) > 0) {
        ++result.attackers_among_clients;
        continue;
      }
      ++result.attackers;
      if (blocks(*history, attacker)) ++result.attackers_blocked;
    }
    result.clients = static_cast<uint64_t>(std::count(is_client.begin(), is_client.end(), true));
    result.clients_blocked =
        static_cast<uint64_t>(std::count(is_blocked.begin(), is_blocked.end(), true));
    result.false_positive_rate = history->false_positive_rate();
    result.history_bytes = history->memory_bytes();
    return result;
  }

 private:
  uint64_t below(uint64_t bound) { return random_() % bound; }

  Subject own_ipv4(uint64_t i) {
    return ipv4(static_cast<uint32_t>(0x0b000000 + i * kWalker % 0x40000000));
  }
  // Few are shared by many, many by few.
  Subject nat() {
    const double share = std::uniform_real_distribution<double>(0, 1)(random_);
    const auto number =
        static_cast<uint32_t>(share * share * share * static_cast<double>(options_.clients) / 20);
    return ipv4(0x64400000 + number);
  }
  Subject home_network(uint64_t i) {
    const std::array<uint64_t, 2> address = {0x2001'0db8'0000'0000ULL + i, random_()};
    return Subject::of(address);
  }

  void add_client(uint32_t i) {
    const uint64_t kind = below(10);
    const Subject office = nat();
    const uint64_t sessions = 1 + below(3);
    for (uint64_t s = 0; s < sessions; ++s) {
      Session session;
      session.at =
          kEnd + -base::Duration(static_cast<int64_t>(below(static_cast<uint64_t>(kTold.count()))));
      session.client = i;
      session.subject = kind < 4   ? own_ipv4(i)
                        : kind < 7 ? office
                        : kind < 9 ? home_network(i)
                                   : nat();  // on the move
      sessions_.push_back(session);
    }
  }
  void add_attacker(uint64_t i) {
    const Session& victim = sessions_[below(sessions_.size())];
    const uint64_t kind = below(10);
    attackers_.push_back(kind < 5   ? own_ipv4(options_.clients + i)
                         : kind < 7 ? home_network(options_.clients + i)
                         : kind < 9 ? victim.subject
                                    : nat());
  }

  // What two agents know at the end, united, after rounds every ten minutes.
  std::unique_ptr<AuthenticatedHistory> remember() {
    agent::filter::HistoryOptions options;
    options.addresses_a_day = std::max<uint64_t>(options_.clients, 1000);
    options.longest_pause = 2 * kRound;
    auto first = std::make_unique<AuthenticatedHistory>(options);
    AuthenticatedHistory second(options);
    const base::WallTime trouble = kEnd + -until_end_of_trouble();
    const bool is_young = options_.trouble == PopulationTrouble::kYoung;
    const bool is_paused = options_.trouble == PopulationTrouble::kLongPause;
    base::Instant now{0};
    uint64_t written = 0;
    size_t next = 0;
    for (base::WallTime at = kEnd + -kTold; at <= kEnd; at = at + kRound, now = now + kRound) {
      const bool is_troubled = options_.trouble != PopulationTrouble::kNone &&
                               options_.trouble != PopulationTrouble::kMissingAgent;
      const bool is_lost = is_troubled && at < trouble && (is_young || at >= trouble + -3 * kRound);
      if (is_lost && options_.trouble == PopulationTrouble::kOverflow) written += 5000;
      if (is_lost && options_.trouble == PopulationTrouble::kClockJump) now = now - kRound;
      if (is_lost && is_paused) first = restarted(*first, options);
      first->begin_round({{1, written}}, 1);
      second.begin_round({{2, 0}}, 1);
      for (; next < sessions_.size() && sessions_[next].at <= at; ++next) {
        const Session& session = sessions_[next];
        if (!is_lost) (session.client % 2 == 0 ? *first : second).insert(session.subject, at);
      }
      first->end_round(at, now, !(is_lost && (is_paused || is_young)));
      second.end_round(at, now, true);
    }
    first->unite(options_.trouble == PopulationTrouble::kMissingAgent ? nullptr : &second);
    return first;
  }
  base::Duration until_end_of_trouble() {
    return base::Duration(static_cast<int64_t>(below(static_cast<uint64_t>(kWindow.count()))));
  }
  static std::unique_ptr<AuthenticatedHistory> restarted(
      const AuthenticatedHistory& history, const agent::filter::HistoryOptions& options) {
    auto loaded = AuthenticatedHistory::load(history.serialize(), options);
    CHECK(loaded.ok());
    return std::make_unique<AuthenticatedHistory>(std::move(*loaded));
  }

  // As the answer to a flood from there, after it was counted.
  static bool blocks(const AuthenticatedHistory& history, const Subject& subject) {
    agent::filter::Knowledge knowledge{history, kEnd, {}, {}, {}, {}, 0, {}};
    knowledge.flows.is_known = true;
    knowledge.flows.connections = 30;
    agent::filter::Filter canary;
    canary.subject = subject;
    canary.run = "run-1";
    canary.ttl = std::chrono::seconds(60);
    canary.left = std::chrono::seconds(40);
    canary.packets = 1000;
    knowledge.standing.push_back(canary);
    agent::filter::Wanted wanted;
    wanted.address = subject.text();
    wanted.run = "run-1";
    return agent::filter::decide(wanted, knowledge).outcome == agent::filter::Outcome::kBlock;
  }

  const PopulationOptions options_;
  std::mt19937_64 random_;
  std::vector<Session> sessions_;  // by time
  std::vector<Subject> attackers_;
};

}  // namespace

PopulationResult try_population(const PopulationOptions& options) {
  return World(options).accuse_everybody();
}

}  // namespace test
