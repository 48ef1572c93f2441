#include "tests/support/fake_store.h"

namespace test {

using agent::store::Entry;
using agent::store::Revision;
using agent::store::Transaction;
using base::Error;
using base::ErrorCode;
using base::Result;
using boost::asio::awaitable;

awaitable<Result<std::optional<Entry>>> FakeStore::get(std::string key) {
  if (away_) co_return Error(ErrorCode::kUnavailable, "the store is away");
  if (lost_reads_ > 0) {
    --lost_reads_;
    co_return Error(ErrorCode::kUnavailable, "the store did not answer");
  }
  const auto at = entries_.find(key);
  std::optional<Entry> entry;
  if (at != entries_.end()) entry = at->second;
  co_return entry;
}

awaitable<Result<std::vector<Entry>>> FakeStore::list(std::string prefix) {
  if (away_) co_return Error(ErrorCode::kUnavailable, "the store is away");
  std::vector<Entry> found;
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    found.push_back(at->second);
  }
  co_return found;
}

awaitable<Result<Revision>> FakeStore::commit(Transaction transaction) {
  if (away_) co_return Error(ErrorCode::kUnavailable, "the store is away");
  Fault fault = Fault::kNone;
  if (!faults_.empty()) {
    fault = faults_.front();
    faults_.pop_front();
  }
  if (fault == Fault::kBeforeCommit) co_return Error(ErrorCode::kIo, "the disk is full");
  if (fault == Fault::kUnknownNotDone) co_return Error(ErrorCode::kUnknown, "no answer");
  Result<Revision> done = apply(transaction);
  if (fault == Fault::kAfterCommit) co_return Error(ErrorCode::kUnknown, "no answer to the commit");
  co_return done;
}

Result<Revision> FakeStore::apply(const Transaction& transaction) {
  for (const Transaction::Compare& compare : transaction.compares) {
    const auto at = entries_.find(compare.key);
    const Revision present = at == entries_.end() ? 0 : at->second.modified;
    if (present != compare.modified) {
      return Error(ErrorCode::kConflict, compare.key + ": changed by somebody else");
    }
  }
  ++revision_;
  ++commits_;
  for (const Transaction::Write& write : transaction.writes) {
    if (!write.value.has_value()) {
      entries_.erase(write.key);
      continue;
    }
    Entry& entry = entries_[write.key];
    if (entry.created == 0) entry.created = revision_;
    entry.key = write.key;
    entry.value = *write.value;
    entry.modified = revision_;
  }
  return revision_;
}

std::optional<std::string> FakeStore::value(const std::string& key) const {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return std::nullopt;
  return at->second.value;
}

void FakeStore::set(const std::string& key, std::string value) {
  Transaction transaction;
  transaction.put(key, std::move(value));
  (void)apply(transaction);
}

}  // namespace test
