// The inside of the incident book: which incident a verdict belongs to, and how states move. Only
// book.cc and judgement.cc know it; the promise is book.h.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/incident/book.h"
#include "agent/incident/symptoms.h"
#include "agent/incident/tracked.h"

namespace agent::incident {

// Thread, owner: the book's. Invariant: as the book's; `open` holds nothing resolved between calls.
struct IncidentBook::Impl {
  BookPolicy policy;
  std::vector<Tracked> open;  // unresolved, oldest first
  std::vector<Tracked> past;  // resolved, in order of their end
  Symptoms symptoms;
  std::set<VerdictKey> muted;  // resolved by hand while the trouble was there

  struct Target {
    Scope scope;
    base::Instant started;
    std::optional<base::Instant> ended;
  };
  std::map<std::string, Target> targets;  // by run
  std::vector<Change> changes;            // of the call at hand

  void say(Change::Kind kind, const Tracked& tracked, bool notable = true);
  std::vector<Change> take_changes() { return std::exchange(changes, {}); }

  Tracked* find_open(std::string_view id);
  const Tracked* find_past(std::string_view id) const;

  // Its shock may still show elsewhere in the cluster.
  bool is_fresh(const Tracked& tracked, base::Instant now) const;
  // The incident that makes the verdict no news; null: none.
  Tracked* explaining(const Verdict& verdict, base::Instant now);
  // An alert measures the last minutes: what is over since shortly explains it too.
  bool is_explained_by_past(const Verdict& alert, base::WallTime now) const;
  bool is_being_replaced(const Verdict& verdict, base::Instant now) const;
  Tracked* owner_of(const Verdict& verdict);
  Tracked* supersede(const Verdict& verdict, Moment at);
  Tracked* reopen(const Verdict& verdict, Moment at);
  std::string fresh_id(base::WallTime at) const;

  void offer(const Verdict& verdict, Moment at);
  void note_symptom(Tracked& cause, const Verdict& verdict, Moment at);
  void absorb(Tracked& tracked, const Verdict& verdict, Moment at);
  void merge_covered(const std::string& id, Moment at);
  void advance(Tracked& tracked, Moment at);
  void archive_resolved();
  void forget_targets(base::Instant now);
};

}  // namespace agent::incident
