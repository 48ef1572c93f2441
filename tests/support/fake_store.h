// FakeStore: the Store in memory, with failures on demand.
//
// Keeps to the contract of agent/store/store.h (the shared suite runs against it), answers at once,
// and can be told to fail its next commits before they are written (the caller knows that nothing
// happened), after (kUnknown: it happened, and the caller is not told), or not at all with kUnknown.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/store.h"

namespace test {

// Thread: one. Owner: the test; outlives the engines that are killed and resumed on it.
class FakeStore final : public agent::store::Store {
 public:
  enum class Fault { kNone, kBeforeCommit, kAfterCommit, kUnknownNotDone };

  boost::asio::awaitable<base::Result<std::optional<agent::store::Entry>>> get(
      std::string key) override;
  boost::asio::awaitable<base::Result<std::vector<agent::store::Entry>>> list(
      std::string prefix) override;
  boost::asio::awaitable<base::Result<agent::store::Revision>> commit(
      agent::store::Transaction transaction) override;

  // Faults for the next commits, in order; afterwards commits succeed again.
  void script(std::vector<Fault> faults) { faults_.assign(faults.begin(), faults.end()); }
  // While true every call answers kUnavailable.
  void set_away(bool away) { away_ = away; }
  // The next `count` reads of one key answer kUnavailable.
  void lose_reads(int count) { lost_reads_ = count; }

  // For tests to look at and to tamper with.
  const std::map<std::string, agent::store::Entry>& entries() const { return entries_; }
  std::optional<std::string> value(const std::string& key) const;
  void set(const std::string& key, std::string value);
  void erase(const std::string& key) { entries_.erase(key); }
  int commits() const { return commits_; }

 private:
  base::Result<agent::store::Revision> apply(const agent::store::Transaction& transaction);

  std::map<std::string, agent::store::Entry> entries_;
  agent::store::Revision revision_ = 0;
  std::deque<Fault> faults_;
  bool away_ = false;
  int lost_reads_ = 0;
  int commits_ = 0;
};

}  // namespace test
