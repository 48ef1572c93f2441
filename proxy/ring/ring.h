// Ring: which epoch tables this proxy holds, and what it may do when told to change them.
//
// A pure state machine of two tables, committed and prepared, with a decision before each change so
// that the caller can make the change durable in between: decide, write, apply. Each decision is an
// enum that is also the text of the refusal.
//
//   (nothing) --prepare--> prepared --commit--> committed --prepare--> committed + prepared …
//                             \--abort--> as before
//
// Epochs never go back: nothing older than the committed table is ever prepared, and a commit names
// the epoch it means. An aborted epoch stays known: it is never committed later, so a fence record
// that still names it is no news.
#pragma once

#include <memory>
#include <string_view>

#include "base/core/slots.h"

namespace proxy::ring {

using TablePtr = std::shared_ptr<const base::EpochTable>;

enum class PrepareDecision : uint8_t {
  kPrepare,          // new
  kAlreadyPrepared,  // the same table: nothing to do, acknowledge again
  kNotNewer,         // not newer than the committed one
  kSuperseded,       // older than the prepared one
  kDiffers,          // the same epoch as the prepared one with other content: a bug somewhere
};
enum class CommitDecision : uint8_t { kCommit, kAlreadyCommitted, kNotPrepared };
enum class AbortDecision : uint8_t { kAbort, kNothingPrepared, kAlreadyCommitted };
std::string_view to_string(PrepareDecision decision);
std::string_view to_string(CommitDecision decision);
std::string_view to_string(AbortDecision decision);

// Thread: admin. Owner: admin. Invariant: prepared, if any, is newer than committed; known() is at
// least both.
class Ring {
 public:
  Ring() = default;
  // What was on disk. A prepared table that is not newer than the committed one is dropped: the
  // process ended between writing the committed table and removing the prepared one.
  Ring(TablePtr committed, TablePtr prepared, base::Epoch known);

  PrepareDecision decide_prepare(const base::EpochTable& table) const;
  CommitDecision decide_commit(base::Epoch epoch) const;
  AbortDecision decide_abort(base::Epoch epoch) const;

  void prepare(TablePtr table);
  void commit();
  void abort(base::Epoch epoch);

  const TablePtr& committed() const { return committed_; }
  const TablePtr& prepared() const { return prepared_; }
  base::Epoch committed_epoch() const { return committed_ ? committed_->epoch : 0; }
  base::Epoch prepared_epoch() const { return prepared_ ? prepared_->epoch : 0; }
  base::Epoch known() const { return known_; }

 private:
  TablePtr committed_;
  TablePtr prepared_;
  base::Epoch known_ = 0;
};

}  // namespace proxy::ring
