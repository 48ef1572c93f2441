#include "proxy/ring/ring.h"

#include <algorithm>

#include "base/core/check.h"

namespace proxy::ring {
namespace {

bool same_table(const base::EpochTable& a, const base::EpochTable& b) {
  const auto same = [](const base::TableBackend& x, const base::TableBackend& y) {
    return x.id == y.id && x.weight == y.weight;
  };
  return a.epoch == b.epoch && a.owner == b.owner && a.since == b.since &&
         std::equal(a.backends.begin(), a.backends.end(), b.backends.begin(), b.backends.end(),
                    same);
}

}  // namespace

Ring::Ring(TablePtr committed, TablePtr prepared, base::Epoch known)
    : committed_(std::move(committed)), prepared_(std::move(prepared)) {
  known_ = std::max({known, committed_epoch(), prepared_epoch()});
  if (prepared_epoch() <= committed_epoch()) prepared_.reset();
}

PrepareDecision Ring::decide_prepare(const base::EpochTable& table) const {
  if (table.epoch <= committed_epoch()) return PrepareDecision::kNotNewer;
  if (!prepared_ || table.epoch > prepared_->epoch) return PrepareDecision::kPrepare;
  if (table.epoch < prepared_->epoch) return PrepareDecision::kSuperseded;
  return same_table(table, *prepared_) ? PrepareDecision::kAlreadyPrepared
                                       : PrepareDecision::kDiffers;
}

CommitDecision Ring::decide_commit(base::Epoch epoch) const {
  if (epoch != 0 && epoch == committed_epoch()) return CommitDecision::kAlreadyCommitted;
  return prepared_ && epoch == prepared_->epoch ? CommitDecision::kCommit
                                                : CommitDecision::kNotPrepared;
}

AbortDecision Ring::decide_abort(base::Epoch epoch) const {
  if (epoch <= committed_epoch()) return AbortDecision::kAlreadyCommitted;
  return prepared_ && epoch == prepared_->epoch ? AbortDecision::kAbort
                                                : AbortDecision::kNothingPrepared;
}

void Ring::prepare(TablePtr table) {
  CHECK(decide_prepare(*table) == PrepareDecision::kPrepare);
  known_ = std::max(known_, table->epoch);
  prepared_ = std::move(table);
}

void Ring::commit() {
  CHECK(prepared_ != nullptr);
  committed_ = std::move(prepared_);
  prepared_.reset();
}

void Ring::abort(base::Epoch epoch) {
  CHECK(epoch > committed_epoch());
  known_ = std::max(known_, epoch);
  if (prepared_epoch() == epoch) prepared_.reset();
}

std::string_view to_string(PrepareDecision decision) {
  switch (decision) {
    case PrepareDecision::kPrepare:
      return "prepare";
    case PrepareDecision::kAlreadyPrepared:
      return "already prepared";
    case PrepareDecision::kNotNewer:
      return "not newer than the committed epoch";
    case PrepareDecision::kSuperseded:
      return "older than the prepared epoch";
    case PrepareDecision::kDiffers:
      return "another table is prepared under this epoch";
  }
  return "unknown";
}

std::string_view to_string(CommitDecision decision) {
  switch (decision) {
    case CommitDecision::kCommit:
      return "commit";
    case CommitDecision::kAlreadyCommitted:
      return "already committed";
    case CommitDecision::kNotPrepared:
      return "this epoch is not prepared";
  }
  return "unknown";
}

std::string_view to_string(AbortDecision decision) {
  switch (decision) {
    case AbortDecision::kAbort:
      return "abort";
    case AbortDecision::kNothingPrepared:
      return "this epoch is not prepared";
    case AbortDecision::kAlreadyCommitted:
      return "already committed";
  }
  return "unknown";
}

}  // namespace proxy::ring
