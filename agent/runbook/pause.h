// Pause: somebody's word that policy starts nothing for a while, somewhere.
//
// Idea: a pause always ends by itself. It has an owner and a reason, so that whoever finds it knows whom to
// ask, and it may begin later (a maintenance window). It holds what policy would start by itself; runs under
// way go on to their end, runs that only look are never held, and a person's own run is a person's decision.
//
// mcguard pauses itself, too, when it cannot trust itself: after its clock jumped, and when it does not stay
// up (steadiness.h).
//
// `/pauses/<id>` holds each. How long one lasts is measured by the monotonic clock once it is known, so that a
// clock that jumps ends none early; the times in the record are for people and for the next start.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/policy.h"
#include "agent/store/store.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::runbook {

struct Pause {
  std::string id;       // "pause-20261128-214500-017"
  std::string cluster;  // empty: the whole fleet
  std::string runbook;  // empty: every runbook
  std::string owner;    // "operator:alice", "mcguard"
  std::string reason;   // one sentence, at most kLongestReason bytes
  base::WallTime from;
  base::WallTime until;

  static constexpr base::Duration kShortest = std::chrono::seconds(1);
  static constexpr base::Duration kLongest = std::chrono::hours(24 * 7);
  static constexpr base::Duration kFurthestAhead = std::chrono::hours(24 * 31);
  static constexpr size_t kLongestReason = 300;
  static constexpr size_t kLongestOwner = 100;
  // Of the agent itself there is one, which grows longer while there is new reason for it.
  static constexpr std::string_view kOwnId = "pause-mcguard";
  static constexpr std::string_view kOwnOwner = "mcguard";

  bool covers(std::string_view runbook_name, std::string_view cluster_name) const;
};

boost::json::object to_document(const Pause& pause);
base::Result<Pause> pause_from_document(std::string_view json);

// What somebody asks for. `length` counts from `from`, or from now.
struct PauseWish {
  std::string cluster, runbook, owner, reason;
  std::optional<base::WallTime> from;
  base::Duration length{0};
};

// Thread: the control thread's. Owner: the engine. Invariant: what is in force here and not in the store is
// only a pause that the store did not take, and whoever asked for it was told.
class Pauses {
 public:
  static constexpr size_t kMost = 100;

  Pauses(store::Store& store, const base::Clock& clock) : store_(store), clock_(clock) {}

  // Those in the store that are not over; the others are taken out of it. Once read, they are known. kInvalid: one is damaged; the others
  // are known all the same, and so is the damaged one, as a pause of everything until a person lifts it. None
  // lasts longer because a clock was wrong between two lives of the agent: from now on at most kLongest.
  boost::asio::awaitable<base::Result<>> load();

  // In force at once, even if the store does not take it: then the answer is the store's error, and the pause
  // lasts as long as this process at most. kInvalid: what is wrong with the wish; kExhausted: too many. The
  // agent's own is never one too many.
  boost::asio::awaitable<base::Result<Pause>> add(PauseWish wish);
  // Durable first, so that none comes back that somebody lifted. kNotFound: no such pause, or it is over.
  boost::asio::awaitable<base::Result<>> lift(std::string id);

  // Why policy may not start this now: the pause that lasts longest; nullopt: none covers it.
  std::optional<Pause> holding(const Runbook& book, std::string_view cluster) const;
  bool is_in_force(const Pause& pause) const;
  // Until it ends, whatever the wall clock does meanwhile; zero: it is over.
  base::Duration left(const Pause& pause) const;
  // Those that are not over, by their beginning.
  std::vector<Pause> list() const;
  // As `pauses.list` shows them, with "in_force".
  boost::json::array to_json() const;
  // Grows with each that is added, lifted, begins or ends.
  uint64_t change_count() const;

 private:
  struct Known {
    Pause pause;
    base::Instant from, until;
  };
  base::Result<Pause> made_of(const PauseWish& wish) const;
  std::string new_id(const PauseWish& wish) const;
  void remember(Pause pause);
  bool is_over(const Known& known) const { return clock_.now() >= known.until; }
  // Those that are over are no longer known, and leave the store with `transaction`.
  void forget_over(store::Transaction& transaction);

  store::Store& store_;
  const base::Clock& clock_;
  std::map<std::string, Known> known_;  // by id
  uint64_t changes_ = 0;
  bool loaded_ = false;
};

// "paused until 2026-11-28T22:10:00.000Z by operator:alice (changing the switch)"
std::string words_of(const Pause& pause);

}  // namespace agent::runbook
