// FakeFilterTable: the kernel's address filters in memory, on a test's clock, with failures on
// demand.
//
// Keeps to the contract of agent/filter/table.h: one transaction, filters end by themselves, an
// older fence is refused. It can be told to answer kUnknown, having done it or not.
#pragma once

#include <deque>
#include <map>
#include <utility>

#include "agent/filter/table.h"
#include "base/time/clock.h"

namespace test {

// Thread: one. Owner: the test; outlives the agents that are killed and started again on it.
class FakeFilterTable final : public agent::filter::FilterTable {
 public:
  enum class Fault { kNone, kUnavailable, kUnknownDone, kUnknownNotDone };

  explicit FakeFilterTable(const base::Clock& clock) : clock_(clock) {}

  boost::asio::awaitable<base::Result<>> apply(agent::filter::FilterChange change) override {
    if (change.fence != 0 && change.fence < fences_[change.lock]) {
      co_return base::Error(base::ErrorCode::kRefused, "an older fence");
    }
    const Fault fault = next_fault();
    if (fault == Fault::kUnavailable) {
      co_return base::Error(base::ErrorCode::kUnavailable, "nft refuses");
    }
    if (change.fence != 0) fences_[change.lock] = change.fence;
    if (fault != Fault::kUnknownNotDone) put(change);
    if (fault != Fault::kNone) co_return base::Error(base::ErrorCode::kUnknown, "nft hangs");
    co_return base::Done{};
  }
  boost::asio::awaitable<base::Result<agent::filter::Standing>> list(base::Instant) override {
    agent::filter::Standing standing;
    for (const auto& [key, kept] : kept_) {
      if (kept.end <= clock_.now()) continue;
      standing.filters.push_back(kept.filter);
      standing.filters.back().left = kept.end - clock_.now();
    }
    co_return standing;
  }
  boost::asio::awaitable<base::Result<>> remove_all(base::Instant) override {
    kept_.clear();
    co_return base::Done{};
  }

  // Faults for the next changes, in order; afterwards they succeed again.
  void script(std::initializer_list<Fault> faults) { faults_.assign(faults); }
  // So many new connections have come from there.
  void come(const agent::filter::Subject& subject, uint64_t packets) {
    for (auto& [key, kept] : kept_) {
      if (key.first == subject) kept.filter.packets += packets;
    }
  }

 private:
  struct Kept {
    agent::filter::Filter filter;
    base::Instant end;
  };
  Fault next_fault() {
    if (faults_.empty()) return Fault::kNone;
    const Fault fault = faults_.front();
    faults_.pop_front();
    return fault;
  }
  void put(const agent::filter::FilterChange& change) {
    for (const auto& each : change.removals) kept_.erase({each.subject, each.mode});
    for (const auto& each : change.additions) {
      Kept& kept = kept_[{each.subject, each.mode}];
      kept = Kept();
      kept.filter.subject = each.subject;
      kept.filter.mode = each.mode;
      kept.filter.run = each.run;
      kept.filter.ttl = each.ttl;
      kept.end = clock_.now() + each.ttl;
    }
  }

  const base::Clock& clock_;
  std::map<std::pair<agent::filter::Subject, agent::filter::Mode>, Kept> kept_;
  std::map<std::string, uint64_t> fences_;
  std::deque<Fault> faults_;
};

}  // namespace test
