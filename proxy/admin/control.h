// Control: obeys the agent's calls (docs/architecture.md "Calls to a proxy").
//
// Idea: every acting call goes the same way. Check the fence, decide (ring, directory: pure), make the
// result durable, make it the present state, post the new World to every worker, and answer only when
// all have taken it: an acknowledgement means that no worker serves by anything older. The steps
// before the wait do not suspend, so calls never see each other's halves.
//
// `status` is an acknowledgement too: it names what every worker serves by, not what was merely made
// durable. A worker that does not take the World in time leaves the call unanswered in effect
// (kTimeout); the caller asks again, and every verb may be repeated.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/life/life.h"
#include "base/net/rpc.h"
#include "base/telemetry/segment.h"
#include "base/time/timers.h"
#include "proxy/admin/state_dir.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/config/config.h"
#include "proxy/frontend/worker.h"
#include "proxy/tenant/accounts.h"

namespace proxy::admin {

// What ends the process, or lets another one take its place; implemented by app. Thread: admin.
class Lifecycle {
 public:
  virtual ~Lifecycle() = default;
  virtual void quit() = 0;
  // Begins to hand everything over to the process that listens on `socket`; its pid.
  virtual base::Result<int64_t> hand_over(const std::string& socket) = 0;
  virtual bool is_handing_over() const = 0;
};

struct ControlParts {
  const ProxyConfig& config;
  base::Timers& timers;
  base::telemetry::SegmentWriter& segment;
  StateDir& state;
  const admission::ConnectionCounts& connections;
  tenant::Accounts& accounts;
  Lifecycle& lifecycle;
};

// Thread: admin. Owner: app.
class Control {
 public:
  Control(const ControlParts& parts, SavedState saved);

  // The World of the present state.
  base::Result<World> world();
  // Before the first call.
  void set_workers(std::vector<Worker*> workers) { workers_ = std::move(workers); }
  boost::asio::awaitable<base::Result<boost::json::value>> call(base::net::RpcRequest request);

  // New settings from proxy.yaml, for all workers.
  void change_settings(const Settings& settings);
  // Stops accepting and finishes what has begun; the number of connections left at the deadline.
  boost::asio::awaitable<uint64_t> drain(base::Duration deadline);

  // While another process takes over: acting calls are refused (kUnavailable: ask again), so that
  // what is on disk and what the workers serve by stay as they are.
  void seal() { sealed_ = true; }
  void unseal() { sealed_ = false; }
  bool is_acting() const { return acting_ > 0; }
  // The state as another process has left it. Workers serve by it once is_settled().
  base::Result<> restore(SavedState saved);
  bool is_settled() const { return is_installed(posted_); }

  // What is known of caches and credentials; never null.
  const tenant::DirectoryPtr& directory() const { return directory_; }
  bool is_ready() const;
  std::string why_not_ready() const;
  std::vector<std::string> fenced_backends() const;

 private:
  using Answer = base::Result<boost::json::value>;

  base::Result<> admit(const base::net::RpcRequest& request);
  boost::asio::awaitable<Answer> act(std::string verb, boost::json::object args);
  Answer hand_over(const boost::json::object& args);
  Answer status();
  Answer usage(const boost::json::object& args);
  boost::asio::awaitable<Answer> configure(boost::json::object args);
  boost::asio::awaitable<Answer> change(boost::json::object args);
  boost::asio::awaitable<Answer> prepare(boost::json::object args);
  boost::asio::awaitable<Answer> commit(boost::json::object args);
  boost::asio::awaitable<Answer> abort(boost::json::object args);
  boost::asio::awaitable<Answer> flush(boost::json::object args);
  boost::asio::awaitable<Answer> complete_flushes(boost::json::object args);

  base::Result<std::vector<ring::BackendRef>> index_backends(
      const std::vector<BackendAddress>& backends);
  boost::asio::awaitable<base::Result<>> publish();
  // What the present state is told as, and what of it every worker serves by.
  struct Told {
    base::Epoch committed = 0, prepared = 0;
    uint64_t config_generation = 0, flush_sequence = 0, completed_flush = 0;
  };
  Told present() const;
  bool is_installed(uint64_t number) const;
  const Told& confirmed();
  void compact_if_long();
  void show_state();

  // Constant after construction.
  const ProxyConfig& config_;
  base::Timers& timers_;
  base::telemetry::SegmentWriter& segment_;
  StateDir& state_;
  const admission::ConnectionCounts& connections_;
  tenant::Accounts& accounts_;
  Lifecycle& lifecycle_;
  const std::string instance_;

  std::vector<Worker*> workers_;
  Settings settings_;
  ring::Ring ring_;
  std::shared_ptr<const tenant::Directory> directory_;
  std::vector<BackendAddress> backends_;
  std::shared_ptr<const ring::View> view_;  // compiled from ring_ and backends_; null: to be made
  uint64_t fence_ = 0;
  bool draining_ = false;
  bool sealed_ = false;
  int acting_ = 0;                                 // calls that may change the state, under way
  uint64_t posted_ = 0;                            // the number of the newest World
  std::deque<std::pair<uint64_t, Told>> waiting_;  // posted, not seen installed everywhere
  Told confirmed_;
};

}  // namespace proxy::admin
