// One change of a cluster's epoch table: the decisions, without any I/O.
//
// Idea: the coordinator (tables.h) asks next() what to do, does it, and reports what came of it; so
// all safety arguments are in this file and are tested exhaustively. The rules:
//   - Commit only when every proxy has acknowledged the prepare, or is fenced for every old owner
//   of a
//     moving slot. A silent proxy is fenced for B kFencedAfter after the new record was surely on
//     B, or while B's process has ended (its successor is only ever given the new record).
//   - The journal says "fencing" durably before the first record of the new epoch may be written.
//   From
//     then on the change only goes forward, since a proxy that saw the record serves nothing that
//     may have moved until it is configured to that epoch.
//   - Before that it may be rolled back: when the patience has run out and a silent proxy together
//     with an unreachable owner leaves no safe way. The caller may instead permit killing the
//     owner.
//
// What it leaves out: the tables' contents, durability, time-outs of single calls.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/core/slots.h"
#include "base/time/clock.h"

namespace agent::coord {

inline constexpr base::Duration kFencedAfter = base::Duration(500'000'000);
inline constexpr base::Duration kPreparePatience = base::Duration(300'000'000);
inline constexpr base::Duration kChangePatience = base::Duration(1'000'000'000);

// Old owners of slots that move: those who must be fenced against proxies that stay silent.
std::set<std::string> old_owners_of_moving(const base::EpochTable& from,
                                           const base::EpochTable& to);

struct ChangeSetup {
  std::vector<std::string> proxies;  // all of the cluster's
  std::set<std::string> old_owners;
  bool fencing = false;  // resumed: the journal already says so
  bool may_kill_unreachable_owner = false;
  base::Instant started;
};

// What to do next. Lists name whom; empty lists do not apply.
struct ChangeStep {
  enum class Kind {
    kAct,           // send prepares and raise fences as listed, both at once; then ask again
    kBeginFencing,  // make "fencing" durable, report on_fencing(), ask again
    kKill,          // end `backends` by the provider, report, ask again
    kWait,          // until `until` or the next report
    kCommit,        // make the commit durable: the change is decided
    kAbort,         // make the rollback durable and tell the proxies
  };
  Kind kind = Kind::kWait;
  std::vector<std::string> prepare;  // proxies
  std::vector<std::string> fence;    // backends
  std::vector<std::string> backends;
  base::Instant until;
};

// Who stands in the way, for people and runbooks.
struct ChangeBlockers {
  std::vector<std::string> silent_proxies;
  std::vector<std::string> unreachable_owners;
  bool empty() const { return silent_proxies.empty() || unreachable_owners.empty(); }
  std::string to_string() const;
};

// Thread: one. Owner: Tables, for the time of one change.
class EpochChange {
 public:
  explicit EpochChange(ChangeSetup setup);

  // Reports. `ended`: the process is known not to run now.
  void on_prepare_sent(const std::string& proxy, base::Instant at);
  void on_prepared(const std::string& proxy);
  void on_fencing() { fencing_ = true; }
  void on_fence_tried(const std::string& backend, base::Instant at);
  void on_fence_raised(const std::string& backend, base::Instant at);
  void on_backend_running(const std::string& backend, bool running, base::Instant at);
  void on_kill_failed(const std::string& backend);

  ChangeStep next(base::Instant now) const;
  bool may_commit(base::Instant now) const;
  bool fencing() const { return fencing_; }
  ChangeBlockers blockers(base::Instant now) const;

 private:
  struct Proxy {
    bool acknowledged = false;
    base::Instant next_prepare;  // when it may be asked again
  };
  struct Owner {
    bool running = true;
    bool raised = false;
    base::Instant raised_at;
    base::Instant next_try;
    bool tried = false;
    bool kill_failed = false;
  };
  bool fenced(const Owner& owner, base::Instant now) const;
  bool everyone_acknowledged() const;

  const bool may_kill_;
  const base::Instant started_;
  bool fencing_;
  std::map<std::string, Proxy> proxies_;
  std::map<std::string, Owner> owners_;
};

}  // namespace agent::coord
