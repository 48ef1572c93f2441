// Coordinator: the parts of coord put together, so that app wires one thing.
//
//   start()  loads the store, takes up changes and flushes, starts reconciling
//   stop()   is the closing of the gate that app hands in
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "agent/coord/fence_gate.h"
#include "agent/coord/fence_records.h"
#include "agent/coord/flushes.h"
#include "agent/coord/peers.h"
#include "agent/coord/proxy_sync.h"
#include "agent/coord/reconciler.h"
#include "agent/coord/region.h"
#include "agent/coord/secret_box.h"
#include "agent/coord/table_journal.h"
#include "agent/coord/tables.h"
#include "agent/coord/tenants.h"
#include "agent/store/store.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::coord {

// What the coordinator is built on; all outlive it. Copied.
struct Surroundings {
  boost::asio::any_io_executor executor;
  Region& region;
  store::Store& store;
  const SecretBox& box;
  ProxyControl& proxies;
  BackendControl& backends;
  ProcessControl& processes;
  base::Timers& timers;
  base::Gate& gate;
};

// Thread: the control thread's. Owner: app.
class Coordinator {
 public:
  explicit Coordinator(const Surroundings& around);

  // Tenants, journal and fences from the store; before any proxy is started (its file names a
  // cache).
  boost::asio::awaitable<base::Result<>> load();
  // Takes up changes in progress and pending flushes and starts reconciling. The first tables are
  // made in the background as soon as possible; see ready().
  boost::asio::awaitable<base::Result<>> start();
  // Whether every proxy of the region is in step with a committed table; else what is missing.
  bool ready(std::string* waiting_for) const;  // waiting_for may be nullptr
  // To be called at each start and end of a process (ProcessProvider does by its listeners).
  void on_process_changed(std::string_view id);

  Region& region() { return around_.region; }
  Tenants& tenants() { return tenants_; }
  FenceGate& gate() { return fence_gate_; }
  FenceRecords& fences() { return fences_; }
  TableJournal& journal() { return journal_; }
  ProxySync& sync() { return sync_; }
  Tables& tables() { return tables_; }
  Flushes& flushes() { return flushes_; }
  Reconciler& reconciler() { return reconciler_; }

 private:
  boost::asio::awaitable<void> resume_tables(std::string cluster);
  boost::asio::awaitable<void> watch_store(std::string cluster);

  Surroundings around_;
  Tenants tenants_;
  FenceGate fence_gate_;
  TableJournal journal_;
  FenceRecords fences_;
  ProxySync sync_;
  Tables tables_;
  Flushes flushes_;
  Reconciler reconciler_;
};

}  // namespace agent::coord
