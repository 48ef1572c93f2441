// Controller: the agent as seen from one view. The decisions of an epoch change are the product's
// (EpochChange); modelled is the order in which its hands act: agent/coord/tables.cc, flushes.cc,
// fence_records.cc, proxy_sync.cc, reconciler.cc and table_journal.cc, and action/backend_client.cc.
//
// Disk survives, everything else is a Brain that dies with the process and is made anew. What Brain
// remembers of the disk follows a write only when its answer has come, as in the product.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/coord/epoch_change.h"
#include "tests/simulation/one_view/backend.h"
#include "tests/simulation/one_view/mutation.h"
#include "tests/simulation/one_view/proxy.h"
#include "tests/simulation/one_view/tables.h"

namespace one_view {

using proxy::ring::FenceRecord;

enum class Phase { kStable, kPreparing, kFencing };

// What the store holds of one cluster.
struct Disk {
  TablePtr committed, prepared;
  Phase phase = Phase::kStable;
  base::Epoch last_epoch = 0;
  std::map<base::CacheId, base::Generation> generations;
  std::map<base::CacheId, uint64_t> flushed_at;
  uint64_t flush_sequence = 0;
  std::map<uint64_t, base::CacheId> pending_flushes;  // by sequence
};

// Those the controller deals with, and the ways to them.
struct World {
  Simulation& simulation;
  Tables& tables;
  const Mutation& mutation;
  std::vector<Backend*> backends;
  std::vector<SimProxy*> proxies;
  std::vector<Line> to_backends;
  std::vector<Line> to_proxies;
  // Whether a backend's process runs, as the provider knows it: never false while it may run.
  std::vector<bool> running;
  // By the provider: ends the process, then tells Controller::backend_changed.
  std::function<void(size_t backend)> kill_backend;
};

class Brain;

class Controller {
 public:
  Controller(World& world, Disk disk);
  ~Controller();

  Process process;

  void kill();
  void start();
  // Events of the world; nothing happens while the agent is away.
  void change(std::vector<uint32_t> weights, bool may_kill);
  void flush(base::CacheId cache, Work done);  // `done`: acknowledged in time
  void proxy_changed(size_t proxy);
  void backend_changed(size_t backend);  // at each start and end of its process
  bool can_act() const { return process.alive && !process.stopped; }
  const Disk& disk() const { return disk_; }
  std::string state() const;

 private:
  friend class Brain;
  World& world_;
  Disk disk_;
  std::unique_ptr<Brain> brain_;
};

}  // namespace one_view
