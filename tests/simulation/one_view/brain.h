// Brain: what the agent's process holds in memory; see controller.h.
#pragma once

#include <set>

#include "tests/simulation/one_view/controller.h"

namespace one_view {

using agent::coord::EpochChange;
using agent::coord::FenceOutcome;

// How often reconcilers look again, and what waits for another's work.
inline constexpr Duration kReconcileEvery = 1s;
inline constexpr Duration kLookEvery = 50ms;

class Brain {
 public:
  explicit Brain(Controller& controller);

  void resume();
  void change(std::vector<uint32_t> weights, bool may_kill);
  void flush(base::CacheId cache, Work done);
  void proxy_changed(size_t proxy);
  void backend_changed(size_t backend);

 private:
  enum class Failure { kNone, kNotSent, kUnknown, kRefused };
  using Taken = std::function<void(Failure)>;

  // proxy_sync.cc
  struct Peer {
    std::optional<ProxyStatus> known;
    bool configured = false;
    uint64_t instance = 0;
    uint64_t life = 0;
    std::deque<Work> turn;
    bool busy = false;
  };
  // fence_records.cc and backend_client.cc
  struct Keeper {
    bool known = false;
    FenceRecord record;
    Instant since;
    uint64_t life = 0;
    std::deque<Work> turn;
    bool busy = false;
    std::shared_ptr<Wire> wire;                       // kept between calls
    std::function<void(std::optional<Reply>)> taker;  // of the exchange under way
    uint64_t exchange = 0;
  };
  // tables.cc
  struct Active {
    std::unique_ptr<EpochChange> change;
    base::Epoch epoch = 0;
    uint64_t sleep = 0;  // counts them; a wake-up names its own
    bool asleep = false;
    Work ended;
  };
  struct FlushProgress {
    uint64_t sequence = 0;
    Instant started;
    std::set<size_t> raising;
    Work done;
  };
  using ProgressPtr = std::shared_ptr<FlushProgress>;

  Simulation& simulation() { return world_.simulation; }
  Instant now() { return world_.simulation.now(); }
  void soon(Duration wait, Work work) {
    world_.simulation.after(wait, controller_.process, std::move(work));
  }
  void save(std::function<void(Disk&)> write, Work then);

  // brain_sync.cc
  void take_turn(Peer& peer, Work work);
  void end_turn(Peer& peer);
  void sync(size_t proxy, bool ask, Work then);
  void call(size_t proxy, Call call, Duration timeout,
            std::function<void(Failure, const ProxyStatus&)> then);
  void sync_status(size_t proxy, Work then);
  void sync_tenants(size_t proxy, Work then);
  void configure(size_t proxy, Work next, Work then);
  void sync_flushes(size_t proxy, Work then);
  void sync_completion(size_t proxy, Work then);
  void sync_tables(size_t proxy, Work then);
  void sync_committed(size_t proxy, base::Epoch committed, base::Epoch prepared, Work then);
  void sync_prepared(size_t proxy, base::Epoch prepared, Work then);
  bool in_step(size_t proxy) const;
  bool acknowledged_epoch(size_t proxy, base::Epoch epoch) const;
  bool acknowledged_flush(size_t proxy, uint64_t sequence) const;
  bool acknowledged_completion(size_t proxy, uint64_t sequence) const;
  void watch_proxy(size_t proxy, Instant ask_at);

  // brain_fence.cc
  using FenceTaken = std::function<void(FenceOutcome)>;
  // What a raise() has claimed; in flight until it is settled.
  struct Claim {
    FenceRecord record;
    bool made = false;
  };
  using ClaimPtr = std::shared_ptr<Claim>;
  FenceRecord wanted() const;
  FenceRecord claim(const ClaimPtr& claim);
  void raise(size_t backend, FenceTaken then);
  void raise_on(size_t backend, ClaimPtr claim, FenceTaken then);
  void swap_in(size_t backend, ClaimPtr claim, Instant deadline, int tries, FenceTaken then);
  using ReplyTaken = std::function<void(std::optional<Reply>)>;
  void ask(size_t backend, Request request, Instant deadline, bool may_reconnect, ReplyTaken then);
  void exchange(size_t backend, Request request, Instant deadline, ReplyTaken then);
  void take_backend(size_t backend, Instant deadline, std::function<void(bool held)> then);
  void leave_backend(size_t backend);
  void flush_backend(size_t backend, Taken then);
  void forget(size_t backend);
  std::optional<Instant> held_since(size_t backend, const FenceRecord& record) const;
  bool may_exist(base::Epoch epoch) const {
    return highest_tried_ >= epoch || (!claimed_.empty() && *claimed_.rbegin() >= epoch);
  }
  void watch_backend(size_t backend, Instant check_at);

  // brain_change.cc
  void take_change_turn(Work work);
  void end_change_turn();
  void return_backends(std::vector<size_t> returning, Work then, Work failed);
  void drive(bool may_kill, Work ended);
  void step();
  void notify();
  void act(const agent::coord::ChangeStep& step);
  void kill_owners(const std::vector<std::string>& owners);
  void decided(const std::string& how);
  void run_flush(ProgressPtr progress);
  bool flush_done(const FlushProgress& progress) const;
  void tell_completion(ProgressPtr progress, Instant deadline);
  size_t backend_index(const std::string& id) const;
  size_t proxy_index(const std::string& id) const;

  Controller& controller_;
  World& world_;
  const Mutation& mutation_;
  Disk memory_;
  std::vector<Peer> peers_;
  std::vector<Keeper> keepers_;
  std::multiset<base::Epoch> claimed_;
  base::Epoch highest_tried_ = 0;
  bool retreating_ = false;
  uint64_t completed_flush_ = 0;
  std::optional<Active> active_;
  std::deque<Work> change_turn_;
  bool changing_ = false;
  bool bumping_ = false;
  std::map<uint64_t, std::pair<base::CacheId, base::Generation>> flushes_;  // remembered steps
};

}  // namespace one_view
