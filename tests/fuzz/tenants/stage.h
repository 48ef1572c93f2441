// Stage: one real Worker with its Router and Links before two Backends, turned by hand, and the
// connections of a few tenants over socket pairs.
//
// Everything happens on one thread and time stands still, so the same calls give the same bytes. A
// run starts from reset(): every cache holds kKnown and nobody is connected.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/frontend/worker.h"
#include "proxy/frontend/world.h"
#include "proxy/tenant/accounts.h"

namespace tenants {

// Who may speak. The reader's credential can neither write nor flush.
enum class Who : uint8_t { kAnna, kBert, kStranger, kReader };
inline constexpr size_t kEverybody = 4;
inline constexpr std::array kAll = {Who::kAnna, Who::kBert, Who::kStranger, Who::kReader};
// 0: none.
base::CacheId cache_of(Who who);
std::string_view user_of(Who who);

// The keys that every cache holds at first, and what is stored there.
inline constexpr std::array<std::string_view, 4> kKnown = {"same", "k", "foo", "n"};
std::string known_value(base::CacheId cache, std::string_view key);

// Thread: the fuzzer's. Invariant: between two calls no backend has an unanswered command.
class Stage final : public proxy::FlushPort {
 public:
  Stage();
  ~Stage() override;

  void reset();
  // A new connection of `who`, logged in by its first bytes; the one before is closed.
  void connect(Who who, bool binary);
  bool is_connected(Who who) const { return seats_[size_t(who)].fd.valid(); }
  void send(Who who, std::string_view bytes);
  // One turn of the worker.
  void turn() { worker_->loop().turn(*worker_); }
  // A turn, then the backends' answers, taken in.
  void exchange();
  // Until nothing moves any more. A flush_all is applied when all before it is answered.
  void settle();

  // What `who` has read since reset().
  const std::string& heard(Who who) const { return seats_[size_t(who)].heard; }
  uint32_t flushes(base::CacheId cache) const { return flushes_[cache]; }
  proxy::tenant::Counts counts(base::CacheId cache) { return accounts_.open(cache).counts(); }
  Items items(base::CacheId cache) const;
  std::array<uint64_t, 2> commands(base::CacheId cache) const;
  void may_hear(const CacheSet& caches);

  void request_flush(proxy::FlushRequest request) override;

 private:
  class StoppedClock final : public base::Clock {
   public:
    base::Instant now() const override { return base::Instant{1'000'000'000}; }
    base::WallTime wall() const override { return base::WallTime{1'767'225'600'000'000'000}; }
  };
  struct Seat {
    base::net::UniqueFd fd;
    std::string unsent, heard;
  };

  proxy::World make_world();
  void push(Seat& seat);
  bool drain(Seat& seat);
  bool serve();
  void take_answers();
  void apply_flushes();
  uint64_t moved() const;
  uint64_t in_flight() const;

  StoppedClock clock_;
  std::unique_ptr<base::telemetry::WorkerBlock> cells_;
  std::unique_ptr<base::telemetry::DetailBlock> details_;
  std::vector<base::telemetry::LatencyGroup> latency_store_;
  base::telemetry::LatencyWriter latencies_;
  proxy::tenant::Accounts accounts_{1};
  proxy::admission::ConnectionCounts connections_;
  std::array<Backend, 2> backends_;
  proxy::World world_;  // as at reset()
  std::unique_ptr<proxy::Worker> worker_;
  std::array<Seat, kEverybody> seats_;
  std::vector<proxy::FlushRequest> pending_;
  std::array<uint32_t, kMostCaches> flushes_{};
};

}  // namespace tenants
