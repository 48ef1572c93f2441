// Worker: one thread that serves its own clients over its own connections to the backends.
//
// Workers share nothing on the request path: each has its loop, listening sockets, router, clients,
// buffers and telemetry block. What the admin thread decides arrives as a World posted to the loop;
// what a client asks of the control plane (flush_all) leaves through the FlushPort and comes back the
// same way.
//
// Clients are accepted once the links to the backends are up, or after a moment: a client that comes
// back to a proxy which was just replaced waits in the backlog instead of hearing of a backend that
// is away.
//
// At the end of a turn everything that was gathered is sent: first the backends' requests, then the
// clients' replies, which may let held-back clients go on, until nothing is left to do.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/backend/loop.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/client_telemetry.h"
#include "proxy/frontend/greetings.h"
#include "proxy/frontend/listener.h"
#include "proxy/frontend/router.h"
#include "proxy/frontend/world.h"
#include "proxy/route/reply_queue.h"
#include "proxy/tenant/accounts.h"

namespace proxy {

// What a worker shares with the rest of the process; all outlive it.
struct WorkerParts {
  uint32_t index = 0;
  base::Clock& clock;
  base::telemetry::WorkerBlock& cells;
  tenant::Accounts& accounts;
  admission::ConnectionCounts& connections;
  FlushPort& flushes;
};

// Thread: its own, but for what is marked. Owner: app. Invariant: clients_[i] is null or has index i.
class Worker final : public Loop::Turns, public ClientTable {
 public:
  static constexpr size_t kScratchSize = 256 * 1024;

  static base::Result<std::unique_ptr<Worker>> create(const WorkerParts& parts, World world);
  ~Worker() override;

  // Before start().
  base::Result<> listen(base::net::UniqueFd fd, const Entrance& entrance);
  void start();

  // Serves by `world` soon; of several that wait only the newest is taken. `number` grows with each
  // call. Thread: any.
  void install(World world, uint64_t number);
  // The number of the World it serves by. Thread: any.
  uint64_t installed() const { return installed_.load(std::memory_order_acquire); }
  // Stops accepting, closes idle connections, finishes what has begun.
  void drain();
  // Ends the thread; connections are closed as they are.
  void stop_and_join();

  // For clients and listeners.
  Loop& loop() { return *loop_; }
  Router& router() { return router_; }
  const World& world() const { return router_.world(); }
  base::telemetry::WorkerBlock& cells() { return parts_.cells; }
  tenant::Accounts& accounts() { return parts_.accounts; }
  ClientTelemetry& telemetry() { return telemetry_; }
  route::BufferPool& buffers() { return buffers_; }
  char* scratch() { return scratch_.get(); }
  uint32_t index() const { return parts_.index; }
  base::Instant now() const { return now_; }
  int64_t wall_seconds() const { return parts_.clock.wall().ns / 1'000'000'000; }

  // A connection was accepted from `peer`: a client, or a balancer that will name one.
  void arrive(base::net::UniqueFd fd, const admission::ClientAddress& peer,
              const Entrance& entrance);
  void admit(base::net::UniqueFd fd, const admission::ClientAddress& address,
             const Entrance& entrance);
  // The client's channel holds bytes that no event will tell of: it reads on in the next turn.
  void read_again(Client& client);
  void retire(Client& client, const char* reason);
  void on_dirty(Client& client) { dirty_.push_back(&client); }
  void on_authenticated(Client& client);
  void request_flush(FlushRequest request, uint32_t client, uint32_t serial, route::Ticket ticket);
  void show_stats(base::memcache::Buffer& out, const base::memcache::Request& request,
                  const Session& session);

  Client* find(uint32_t index, uint32_t serial) override;
  void begin_turn(base::Instant now) override;
  void tick(base::Instant now) override;
  void end_turn() override;
  uint64_t messages() const override { return router_.messages(); }

 private:
  Worker(const WorkerParts& parts, std::unique_ptr<Loop> loop, World world);
  std::unique_ptr<TlsChannel> open_channel(int fd);
  void accept_when_warm();
  void take_world();
  void close_late_strangers(base::Instant now);
  void close_some_idle(base::Instant now);

  struct Stranger {
    uint32_t index = 0;
    uint32_t serial = 0;
    base::Instant deadline;
  };

  WorkerParts parts_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<char[]> scratch_;
  route::BufferPool buffers_;
  ClientTelemetry telemetry_;
  Router router_;
  base::Instant started_;
  base::Instant now_;
  std::optional<base::telemetry::TurnGuard> turn_;

  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Listener>> closed_listeners_;  // until the end of the turn
  bool accepting_ = false;
  Greetings greetings_{*this};
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<uint32_t> free_;
  uint32_t next_serial_ = 1;
  std::deque<Stranger> strangers_;  // in the order of their deadlines
  size_t idle_cursor_ = 0;
  std::vector<Client*> dirty_;
  std::vector<Client*> ending_;                // scratch of end_turn
  std::vector<std::unique_ptr<Client>> dead_;  // until the end of the turn

  std::mutex world_mutex_;
  std::optional<World> next_world_;  // guarded by world_mutex_
  uint64_t next_number_ = 0;         // guarded by world_mutex_
  std::atomic<uint64_t> installed_{0};

  std::thread thread_;
};

}  // namespace proxy
