// Worker: one thread that serves its own clients over its own connections to the backends.
//
// Workers share nothing on the request path: each has its loop, listening sockets, router, clients,
// buffers and telemetry block. What the admin thread decides arrives as a World posted to the loop;
// what a client asks of the control plane (flush_all) leaves through the FlushPort and comes back the
// same way.
//
// New connections get what time the others leave, and a small share when they leave none
// (admission/accept_pace.h).
//
// Clients are accepted once the links to the backends are up, or after a moment: a client that comes
// back to a proxy which was just replaced waits in the backlog instead of hearing of a backend that
// is away.
//
// At the end of a turn everything that was gathered is sent: first the backends' requests, then the
// clients' replies, which may let held-back clients go on, until nothing is left to do.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/admission/accept_pace.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/admission/loads.h"
#include "proxy/backend/loop.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/client_telemetry.h"
#include "proxy/frontend/departures.h"
#include "proxy/frontend/greetings.h"
#include "proxy/frontend/listener.h"
#include "proxy/frontend/lobby.h"
#include "proxy/frontend/router.h"
#include "proxy/frontend/world.h"
#include "proxy/route/reply_queue.h"
#include "proxy/tenant/accounts.h"

namespace proxy {

// What a client hears that is not let in.
std::string_view refusal_of(base::telemetry::Failure failure);

// What a worker shares with the rest of the process; all outlive it.
struct WorkerParts {
  uint32_t index = 0;
  base::Clock& clock;
  base::telemetry::WorkerBlock& cells;
  base::telemetry::DetailBlock& details;
  base::telemetry::LatencyWriter& latencies;
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
  // A further door while it runs, unless it drains. Thread: any.
  void listen_too(base::net::UniqueFd fd, const Entrance& entrance);

  // Serves by `world` soon; of several that wait only the newest is taken. `number` grows with each
  // call. Thread: any.
  void install(World world, uint64_t number);
  // The number of the World it serves by. Thread: any.
  uint64_t installed() const { return installed_.load(std::memory_order_acquire); }
  // Stops accepting; connections are closed between two requests, some at a time.
  void drain();
  // No further request is read: what is not between two requests is answered and closed.
  void finish_all();

  // Handing over, thread: any. Its clients go to the outbox, as many more as look_on() says; until
  // stay(), which takes back what is still there and `returned`.
  void move_to(OutboxPtr outbox);
  // Whether move_to() is through: nobody is accepted any more, and whoever had been is a client or in
  // the outbox.
  bool has_begun_to_move() const { return beginning_to_move_.load(std::memory_order_acquire) == 0; }
  void look_on(size_t count);
  void stay(OutboxPtr outbox, std::vector<Departed> returned);
  // So many clients of the outbox are the other process's now, so many were closed. Until it hears of
  // one here, or in stay(), that one counts as open.
  void settle(uint64_t handed_over, uint64_t closed);
  // Clients from elsewhere, let in whatever the limits say; one without a socket is closed at once.
  void adopt(std::vector<Departed> clients);
  // Whether it has gone on to its next turn since: their first requests are on their way.
  bool has_adopted() const { return adopting_.load(std::memory_order_acquire) == 0; }
  // Before start(): nobody is accepted until open_doors().
  void keep_doors_shut() { doors_shut_ = true; }
  void open_doors();
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
  admission::Loads& loads() { return loads_; }
  char* scratch() { return scratch_.get(); }
  uint32_t index() const { return parts_.index; }
  base::Instant now() const { return now_; }
  int64_t wall_seconds() const { return parts_.clock.wall().ns / 1'000'000'000; }

  // A connection was accepted from `peer`: a client, or a balancer that will name one.
  void arrive(base::net::UniqueFd fd, const admission::ClientAddress& peer,
              const Entrance& entrance);
  // Null: it was turned away.
  Client* admit(base::net::UniqueFd fd, const admission::ClientAddress& address,
                const Entrance& entrance);
  // Tells who connected, if it can be told, why it is not let in.
  void refuse(int fd, const Entrance& entrance, base::telemetry::Failure failure);
  bool may_log_in(const std::string& user) {
    return parts_.connections.rates().take_credential(user, now_);
  }
  Lobby& lobby() { return lobby_; }
  uint32_t workers() const { return world().settings.workers; }
  // Whether there is time for one more.
  bool may_accept() const { return pace_.may_accept(); }
  // A listener is to be told when there is (Listener::on_time).
  void note_listener_waits() { is_listener_waiting_ = true; }
  // While it lives, this worker's time goes to those who are new. `most`: what they can have had of it;
  // the rest of a longer time was somebody else's who had the core.
  class StrangersTime {
   public:
    explicit StrangersTime(Worker& worker, base::Duration most = kShortStep)
        : worker_(worker), began_(worker.parts_.clock.now()), most_(most) {}
    ~StrangersTime() { worker_.pace_.spend(std::min(most_, worker_.parts_.clock.now() - began_)); }
    static constexpr base::Duration kShortStep = std::chrono::microseconds(200);
    static constexpr base::Duration kHandshakeStep = std::chrono::milliseconds(10);
    StrangersTime(const StrangersTime&) = delete;
    StrangersTime& operator=(const StrangersTime&) = delete;

   private:
    Worker& worker_;
    const base::Instant began_;
    const base::Duration most_;
  };
  // For what no event will tell of: `step` of the client in the next turn, unless it is closed before.
  void in_next_turn(const Client& client, void (Client::*step)());
  void retire(Client& client, const char* reason);
  // It has no place here any more, but is open until settle() or stay().
  void vacate(Client& client);
  void on_dirty(Client& client) { dirty_.push_back(&client); }
  Departures& departures() { return departures_; }
  // Clients by place, null where there is none.
  size_t places() const { return clients_.size(); }
  Client* at(size_t place) { return clients_[place].get(); }
  void on_authenticated(Client& client);
  void request_flush(FlushRequest request, uint32_t client, uint32_t serial, route::Ticket ticket);
  void show_stats(base::memcache::Buffer& out, const base::memcache::Request& request,
                  const Session& session);
  // `stats proxy`: what a tenant may know of the proxy itself.
  void show_proxy_stats(base::memcache::Buffer& out, const base::memcache::Request& request);

  Client* find(uint32_t index, uint32_t serial) override;
  void begin_turn(base::Instant now) override;
  void tick(base::Instant now) override;
  void end_turn() override;
  void begin_crowded() override { router_.hear(); }
  uint64_t messages() const override { return router_.messages(); }

 private:
  Worker(const WorkerParts& parts, std::unique_ptr<Loop> loop, World world);
  std::unique_ptr<TlsChannel> open_channel(int fd);
  Client& seat(base::net::UniqueFd fd, const admission::ClientAddress& address,
               base::CacheId open_cache);
  void expect_login(const Client& client);
  // `returns`: it had left this process, which has counted it already.
  void adopt_one(Departed departed, bool returns);
  void configure_loads();
  void stop_listening();
  void accept_when_warm();
  void await_time(bool has_guests);
  void take_world();
  void close_late_strangers(base::Instant now);
  void close_some_idle(base::Instant now);
  void tell_spent(base::Instant now);

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
  bool doors_shut_ = false;
  bool draining_ = false;
  std::atomic<uint32_t> adopting_ = 0;           // calls of adopt() that are not through
  std::atomic<uint32_t> beginning_to_move_ = 0;  // the same of move_to()
  admission::AcceptPace pace_;
  bool is_listener_waiting_ = false;          // for time
  std::optional<base::Instant> rests_until_;  // when there may be time for strangers
  admission::Loads loads_;
  Lobby lobby_{*this};
  Greetings greetings_{*this};
  Departures departures_{*this};
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
