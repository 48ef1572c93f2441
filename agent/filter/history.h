// AuthenticatedHistory: which addresses had an authenticated session in the last seven days, and
// whether that is known well enough to block anybody who is not among them.
//
// One Bloom filter per UTC day, eight of them, since a window of seven days touches eight. An error
// of theirs only spares somebody. What would hurt a client is not knowing: a time in which somebody
// may have authenticated unseen. So beside the addresses it keeps since when and until when nothing
// was missed, without a gap; anything doubtful begins that anew, and until it reaches back seven
// days there are counting filters only.
//
// Proxies tell newcomers in rings (base/telemetry/segment.h). How far each was read is kept and
// saved here, so that an agent that restarts soon enough goes on without a gap. A session that goes
// on for days is told only once by its ring: whoever feeds the history inserts those that are open,
// once a day at least.
//
// A proxy may start, authenticate somebody and end while nobody looks: its ring is then neither
// among those that were read nor among those that are there. So each round has a mark, which is
// another whenever a proxy of the node has started or ended since (newcomers.h makes it). After a
// restart, or after no round for a while, what is known goes on only if the mark is still the same;
// else, or when there is none, it begins anew. What remains to be assumed: the mark is taken before
// the rings are listed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/filter/bloom.h"
#include "agent/filter/subject.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::filter {

inline constexpr int64_t kHistoryDays = 7;
inline constexpr size_t kDaysKept = kHistoryDays + 1;

struct HistoryOptions {
  // With so many addresses on every day at most this share of strangers is taken for known. 1.4 MB;
  // a million a day takes 14 MB.
  uint64_t addresses_a_day = 100'000;
  double false_positive_rate = 0.01;
  // Of the two clocks against each other, between two rounds.
  base::Duration clock_jump = std::chrono::seconds(2);
  // Between the last round before a restart and the first after it: only the wall clock tells.
  base::Duration longest_pause = std::chrono::hours(1);
  // Since the last round, for an answer to be of now.
  base::Duration freshness = std::chrono::seconds(5);
  friend bool operator==(const HistoryOptions&, const HistoryOptions&) = default;
};

// Why blocking is not allowed, or kNone.
enum class HistoryGap : uint8_t {
  kNone,
  kNew,        // there was no history, or its file could not be read
  kOverflow,   // a ring was overwritten before it was read
  kRingGone,   // a proxy ended while nobody read its ring
  kClockJump,  // the wall clock was set
  kPause,      // no round for too long
  kMember,     // an agent whose history belongs to it is missing, or has other options or another
               // time
  kUnseen,     // a proxy may have started and ended while nobody looked
};
std::string_view to_string(HistoryGap gap);

struct HistoryAnswer {
  HistoryGap gap = HistoryGap::kNew;
  base::WallTime known_since;
  base::WallTime may_block_from;  // if nothing more goes wrong
  bool may_block() const { return gap == HistoryGap::kNone; }
  std::string sentence() const;
};

// One proxy worker's ring in one round.
struct RingState {
  uint64_t ring = 0;     // names the worker and the process, so that a new process has a new one
  uint64_t written = 0;  // newcomers_written
};
// The entries to read of it: [first, written), each at its number modulo the ring's size.
struct RingNews {
  uint64_t ring = 0;
  uint64_t first = 0;
  uint64_t written = 0;
  bool is_overwritten = false;  // older ones than `first` were lost
};

// Thread: one. Owner: app; the controller unites those of all agents in a copy.
// Invariant: everybody who authenticated in [known_since, known_until] is in the filters, as far
// as they reach back.
class AuthenticatedHistory {
 public:
  explicit AuthenticatedHistory(const HistoryOptions& options = {});

  // A round: what is to be read of the rings there are; then insert() for each address; then
  // end_round(). A ring that was known and is not among them is gone, and what it held last with
  // it, unless it was retired: read in a round after its process had ended. `mark`: see above; 0:
  // nobody can tell.
  std::vector<RingNews> begin_round(const std::vector<RingState>& rings, uint64_t mark);
  void insert(const Subject& subject, base::WallTime wall);
  // `is_complete`: every ring was read; since the last such round nothing was missed, unless
  // begin_round() found otherwise. A round that is not complete is as if it had not been.
  void end_round(base::WallTime wall, base::Instant now, bool is_complete);
  void retire(uint64_t ring) { positions_.erase(ring); }

  // Of the last complete round. While it is not the one of the last save, an agent that is killed
  // would begin anew: save soon.
  uint64_t mark() const { return mark_; }

  bool contains(const Subject& subject) const;
  HistoryAnswer may_block(base::WallTime wall) const;
  // Adds what another agent knows; what is known is from then on what both know. nullptr: that
  // agent is missing. So is one whose clock is ahead: its age cannot be told from a fresh one's.
  // This makes answers, it is not for going on with rounds.
  void unite(const AuthenticatedHistory* other);

  double false_positive_rate() const;  // over all days, by what is in them
  size_t memory_bytes() const;         // constant after construction
  const HistoryOptions& options() const { return options_; }

  // For a file that is replaced as a whole. kInvalid: truncated, odd, of another version or of
  // other parameters; the text says which. The caller then begins with an empty history.
  std::string serialize() const;
  static base::Result<AuthenticatedHistory> load(std::string_view bytes,
                                                 const HistoryOptions& options);

 private:
  struct Day {
    explicit Day(BloomShape shape) : filter(shape) {}
    int64_t number = -1;  // since 1970; -1: none
    BloomFilter filter;
  };
  Day& day_of(base::WallTime wall);
  HistoryGap gap_since_last_round(base::WallTime wall, base::Instant now) const;

  HistoryOptions options_;
  std::vector<Day> days_;  // by number modulo kDaysKept
  // What was read; saved.
  base::WallTime known_since_;
  base::WallTime known_until_;
  HistoryGap gap_ = HistoryGap::kNew;       // what known_since_ came from
  std::map<uint64_t, uint64_t> positions_;  // ring -> entries read
  uint64_t mark_ = 0;
  // Of this process.
  std::optional<base::Instant> last_round_;
  // Of the round that was begun.
  std::vector<RingState> rings_;
  uint64_t found_mark_ = 0;
  bool has_new_ring_ = false;
  HistoryGap found_ = HistoryGap::kNone;
  bool is_missing_member_ = false;
};

}  // namespace agent::filter
