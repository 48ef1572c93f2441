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

inline constexpr base::Duration kFencedAfter = std::chrono::milliseconds(500);
// A proxy that has not acknowledged by then is taken for silent: fencing begins.
inline constexpr base::Duration kPreparePatience = std::chrono::milliseconds(300);
// An owner that could not be written by then is killed, if that was permitted.
inline constexpr base::Duration kOwnerPatience = std::chrono::milliseconds(550);
// A change that is blocked by then is rolled back, if that is safe.
inline constexpr base::Duration kChangePatience = std::chrono::seconds(1);
inline constexpr base::Duration kAskAgain = std::chrono::milliseconds(150);

// Old owners of slots that move: those who must be fenced against proxies that stay silent.
std::set<std::string> old_owners_of_moving(const base::EpochTable& from,
                                           const base::EpochTable& to);

struct ChangeSetup {
  std::vector<std::string> proxies;  // all of the cluster's
  std::set<std::string> old_owners;
  bool fencing = false;  // resumed: the journal says so already, a record may exist
  bool may_kill_unreachable_owner = false;
  base::Instant started;
};

// What to do next. Lists name whom.
struct ChangeStep {
  enum class Kind {
    kAct,           // send `prepare`, raise fences on `fence`, all at once; report what comes of it
    kBeginFencing,  // make "fencing" durable, report on_fencing()
    kKill,          // end the processes of `kill`, report how it went
    kWait,          // until `until` or the next report
    kCommit,        // make the commit durable: decided
    kAbort,         // make the rollback durable and tell the proxies: decided
  };
  Kind kind = Kind::kWait;
  std::vector<std::string> prepare;
  std::vector<std::string> fence;
  std::vector<std::string> kill;
  base::Instant until;
};

// Who stands in the way, for people and runbooks: both lists together do, one alone does not.
struct ChangeBlockers {
  std::vector<std::string> silent_proxies;
  std::vector<std::string> unreachable_owners;
  bool none() const { return silent_proxies.empty() || unreachable_owners.empty(); }
  std::string to_string() const;
};

// How a try to raise a fence record ended.
enum class FenceOutcome { kRaised, kNotWritten, kMaybeWritten };

// Thread: one. Owner: Tables, for the time of one change.
class EpochChange {
 public:
  explicit EpochChange(ChangeSetup setup);

  // Reports.
  void on_prepare_sent(const std::string& proxy);
  void on_prepare(const std::string& proxy, bool acknowledged, base::Instant now);
  void on_fencing() { fencing_ = true; }
  void on_fence_tried(const std::string& backend);
  void on_fence(const std::string& backend, FenceOutcome outcome, base::Instant now);
  // Whether the process runs, as the provider knows it now. A new process has no record.
  void on_running(const std::string& backend, bool running);
  void on_kill_failed(const std::string& backend);
  // A record of the new epoch was or may have been written by somebody else: no way back.
  void on_record_may_exist() { record_may_exist_ = true; }
  void permit_kill() { may_kill_ = true; }

  ChangeStep next(base::Instant now) const;
  bool fencing() const { return fencing_; }
  ChangeBlockers blockers(base::Instant now) const;

 private:
  struct Proxy {
    bool acknowledged = false;
    bool asking = false;  // an answer is awaited
    base::Instant ask_again;
  };
  struct Owner {
    bool running = true;
    bool trying = false;  // an outcome is awaited
    bool failed = false;  // the last try did
    bool raised = false;
    base::Instant raised_at;
    base::Instant try_again;
    bool kill_failed = false;
  };
  bool fenced(const Owner& owner, base::Instant now) const;
  bool may_commit(base::Instant now) const;
  bool blocked() const;
  base::Instant next_event(base::Instant now) const;

  bool may_kill_;
  const base::Instant started_;
  bool fencing_;
  bool record_may_exist_;
  std::map<std::string, Proxy> proxies_;
  std::map<std::string, Owner> owners_;
};

}  // namespace agent::coord
