#include "proxy/frontend/worker.h"

#include <pthread.h>
#include <sys/socket.h>

#include <string>

#include "base/telemetry/log.h"

namespace proxy {

using base::Instant;
using base::telemetry::Failure;

namespace {

constexpr size_t kIdleChecksPerTick = 64;
constexpr base::Duration kWarmUp = std::chrono::milliseconds(200);

}  // namespace

std::string_view refusal_of(Failure failure) {
  const bool is_about_new =
      failure == Failure::kConnectionRate || failure == Failure::kStrangerLimit;
  return is_about_new ? "too many new connections, try again" : "too many open connections";
}

base::Result<std::unique_ptr<Worker>> Worker::create(const WorkerParts& parts, World world) {
  auto loop = Loop::create(parts.clock);
  if (!loop) return loop.error();
  (*loop)->set_policy(world.settings.loop);
  return std::unique_ptr<Worker>(new Worker(parts, std::move(*loop), std::move(world)));
}

Worker::Worker(const WorkerParts& parts, std::unique_ptr<Loop> loop, World world)
    : parts_(parts),
      loop_(std::move(loop)),
      scratch_(new char[kScratchSize]),
      telemetry_(parts.cells),
      router_(*loop_, parts.clock, *this, {parts.cells, parts.details, parts.latencies},
              std::move(world)),
      started_(parts.clock.now()),
      now_(started_) {
  configure_loads();
}

Worker::~Worker() {
  CHECK(!thread_.joinable());
  for (auto& client : clients_) {
    if (client) client->close("the proxy ends");
  }
}

base::Result<> Worker::listen(base::net::UniqueFd fd, const Entrance& entrance) {
  const int raw = fd.get();
  auto listener = std::make_unique<Listener>(*this, std::move(fd), entrance);
  listener->set_keepalive(world().settings.timeouts.keepalive);
  const auto watched = loop_->watch(raw, *listener, 0);  // see accept_when_warm
  if (!watched) return watched.error();
  listeners_.push_back(std::move(listener));
  return base::Done{};
}

void Worker::listen_too(base::net::UniqueFd fd, const Entrance& entrance) {
  auto shared = std::make_shared<base::net::UniqueFd>(std::move(fd));
  loop_->post([this, shared, entrance] {
    if (draining_) return;
    const int raw = shared->get();
    auto listener = std::make_unique<Listener>(*this, std::move(*shared), entrance);
    listener->set_keepalive(world().settings.timeouts.keepalive);
    if (const auto watched = loop_->watch(raw, *listener, accepting_ ? uint32_t{EPOLLIN} : 0u);
        !watched) {
      return base::log::error("socket_not_watched", {{"error", watched.error().context}});
    }
    listeners_.push_back(std::move(listener));
  });
}

void Worker::start() {
  thread_ = std::thread([this] {
    const std::string name = "worker-" + std::to_string(parts_.index);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    // A request must find its link, up or not.
    router_.start(parts_.clock.now());
    loop_->run(*this);
    listeners_.clear();
  });
}

void Worker::install(World world, uint64_t number) {
  {
    const std::lock_guard lock(world_mutex_);
    const bool waits = next_world_.has_value();
    next_world_ = std::move(world);
    next_number_ = number;
    if (waits) return;
  }
  loop_->post([this] { take_world(); });
}

void Worker::take_world() {
  std::optional<World> world;
  uint64_t number = 0;
  {
    const std::lock_guard lock(world_mutex_);
    world.swap(next_world_);
    number = next_number_;
  }
  if (!world) return;
  loop_->set_policy(world->settings.loop);
  router_.install(std::move(*world), now_);
  configure_loads();
  const base::Duration keepalive = this->world().settings.timeouts.keepalive;
  for (const auto& listener : listeners_) listener->set_keepalive(keepalive);
  installed_.store(number, std::memory_order_release);
}

void Worker::configure_loads() {
  const InFlightLimits& most = world().settings.limits.in_flight;
  loads_.set_limits({most.proxy.requests, most.proxy.bytes},
                    {most.credential.requests, most.credential.bytes}, workers());
}

void Worker::drain() {
  loop_->post([this] {
    draining_ = true;
    stop_listening();
    lobby_.close_all();
    greetings_.close_all();
    departures_.close_all();
  });
}

// One of them may be among the events of this turn.
void Worker::stop_listening() {
  for (auto& listener : listeners_) closed_listeners_.push_back(std::move(listener));
  listeners_.clear();
}

void Worker::finish_all() {
  loop_->post([this] {
    for (auto& client : clients_) {
      if (client) client->finish();
    }
  });
}

void Worker::stop_and_join() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

void Worker::arrive(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                    const Entrance& entrance) {
  const std::vector<Network>& balancers = world().settings.balancers;
  if (!balancers.empty() && is_in(balancers, peer)) {
    greetings_.add(std::move(fd), peer, entrance);
  } else {
    admit(std::move(fd), peer, entrance);
  }
}

Client* Worker::admit(base::net::UniqueFd fd, const admission::ClientAddress& address,
                      const Entrance& entrance) {
  if (!parts_.connections.rates().take_client(address, now_)) {
    refuse(fd.get(), entrance, Failure::kConnectionRate);
    return nullptr;
  }
  if (parts_.connections.enter(address) != admission::Admission::kAdmitted) {
    refuse(fd.get(), entrance, Failure::kConnectionLimit);
    return nullptr;
  }
  std::unique_ptr<TlsChannel> channel;
  if (entrance.tls) {
    channel = open_channel(fd.get());
    if (!channel) {
      parts_.connections.leave(address);
      return nullptr;
    }
  }
  const int raw = fd.get();
  Client& admitted = seat(std::move(fd), address, entrance.open_cache);
  admitted.set_channel(std::move(channel));
  telemetry_.opened(admitted.telemetry_index());
  cells().connections_opened.add();
  cells().connections.add();
  expect_login(admitted);
  if (!loop_->watch(raw, admitted, EPOLLIN).ok()) {
    admitted.close("cannot be watched");
    return nullptr;
  }
  if (departures_.active()) departures_.see(admitted);
  return &admitted;
}

Client& Worker::seat(base::net::UniqueFd fd, const admission::ClientAddress& address,
                     base::CacheId open_cache) {
  Client::Identity identity;
  if (free_.empty()) {
    identity.index = static_cast<uint32_t>(clients_.size());
    clients_.emplace_back();
  } else {
    identity.index = free_.back();
    free_.pop_back();
  }
  identity.serial = next_serial_++;
  identity.address = address;
  identity.open_cache = open_cache;
  clients_[identity.index] = std::make_unique<Client>(*this, std::move(fd), identity, now_);
  return *clients_[identity.index];
}

// Mostly the last to come is the last that must have said who it is; not so those taken over.
void Worker::expect_login(const Client& client) {
  if (client.is_authenticated()) return cells().authenticated.add();
  const Stranger stranger{client.identity().index, client.identity().serial,
                          client.opened() + world().settings.timeouts.authenticate};
  auto place = strangers_.end();
  while (place != strangers_.begin() && stranger.deadline < std::prev(place)->deadline) --place;
  strangers_.insert(place, stranger);
}

void Worker::refuse(int fd, const Entrance& entrance, Failure failure) {
  cells().connections_refused.add();
  cells().failure(failure).add();
  if (entrance.tls) return;
  const std::string text = "SERVER_ERROR " + std::string(refusal_of(failure)) + "\r\n";
  [[maybe_unused]] const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

std::unique_ptr<TlsChannel> Worker::open_channel(int fd) {
  const TlsContextPtr& context = world().settings.tls;
  SslPtr ssl = context == nullptr ? nullptr : context->open(fd);
  if (!ssl) {
    base::log::error("tls_connection_refused", {{"hint", "out of memory"}});
    return nullptr;
  }
  return std::make_unique<TlsChannel>(context, std::move(ssl), fd);
}

void Worker::in_next_turn(const Client& client, void (Client::*step)()) {
  const uint32_t index = client.identity().index, serial = client.identity().serial;
  loop_->post([this, index, serial, step] {
    if (Client* const found = find(index, serial)) (found->*step)();
  });
}

void Worker::retire(Client& client, const char* reason) {
  base::log::debug("client_closed", {{"reason", reason}});
  cells().connections.sub();
  cells().connections_closed.add();
  vacate(client);
}

void Worker::vacate(Client& client) {
  const Client::Identity& identity = client.identity();
  parts_.connections.leave(identity.address);
  loads_.leave(client.load());
  telemetry_.leave(client.telemetry_index());
  if (client.session().account != nullptr) client.session().account->return_connection();
  if (client.is_authenticated()) cells().authenticated.sub();
  dead_.push_back(std::move(clients_[identity.index]));
  free_.push_back(identity.index);
}

Client* Worker::find(uint32_t index, uint32_t serial) {
  if (index >= clients_.size() || !clients_[index]) return nullptr;
  Client* const client = clients_[index].get();
  return client->identity().serial == serial ? client : nullptr;
}

void Worker::on_authenticated(Client& client) {
  cells().authenticated.add();
  telemetry_.authenticated(client.identity().address, client.session().cache, now_);
}

void Worker::request_flush(FlushRequest request, uint32_t index, uint32_t serial,
                           route::Ticket ticket) {
  request.done = [this, index, serial, ticket](std::string answer) {
    loop_->post([this, index, serial, ticket, answer = std::move(answer)] {
      if (Client* client = find(index, serial)) client->finish_flush(ticket, answer);
    });
  };
  parts_.flushes.request_flush(std::move(request));
}

void Worker::begin_turn(Instant now) {
  now_ = now;
  if (rests_until_ && now >= *rests_until_) pace_.end_rest(now);
  rests_until_.reset();
  turn_.emplace(cells());
  cells().heartbeat_ns.set(static_cast<uint64_t>(now.ns));
}

void Worker::tick(Instant now) {
  router_.tick(now);
  lobby_.tick();
  if (accepting_ && !doors_shut_) {
    for (const auto& listener : listeners_) listener->on_tick();
  }
  greetings_.tick(now);
  tell_spent(now);
  departures_.tick();
  close_late_strangers(now);
  if (world().settings.timeouts.idle > base::Duration(0)) close_some_idle(now);
}

void Worker::tell_spent(Instant now) {
  const base::ThreadTime::Spent& spent = loop_->spent();
  parts_.details.ran_ns.set(static_cast<uint64_t>(spent.ran.count()));
  parts_.details.waited_ns.set(spent.waited ? static_cast<uint64_t>(spent.waited->count())
                                            : base::telemetry::kUnknownTime);
  parts_.details.spent_at_ns.set(static_cast<uint64_t>(now.ns));
}

void Worker::accept_when_warm() {
  if (accepting_ || doors_shut_ || (!router_.is_connected() && now_ - started_ < kWarmUp)) return;
  accepting_ = true;
  for (const auto& listener : listeners_) loop_->change(listener->fd(), *listener, EPOLLIN);
}

void Worker::close_late_strangers(Instant now) {
  for (; !strangers_.empty() && strangers_.front().deadline <= now; strangers_.pop_front()) {
    Client* const client = find(strangers_.front().index, strangers_.front().serial);
    if (client == nullptr || client->is_authenticated()) continue;
    cells().failure(Failure::kAuthTimeout).add();
    client->close("did not authenticate in time");
  }
}

void Worker::close_some_idle(Instant now) {
  const size_t checks = std::min(kIdleChecksPerTick, clients_.size());
  for (size_t i = 0; i < checks; ++i) {
    idle_cursor_ = (idle_cursor_ + 1) % clients_.size();
    Client* const client = clients_[idle_cursor_].get();
    if (client == nullptr || now - client->active() <= world().settings.timeouts.idle) continue;
    client->close("idle");
  }
}

void Worker::end_turn() {
  const bool has_guests = lobby_.serve();
  for (bool busy = true; busy;) {
    busy = router_.flush();
    ending_.swap(dirty_);
    for (Client* client : ending_) client->end_turn();
    busy = busy || !ending_.empty();
    ending_.clear();
  }
  router_.end_turn();
  accept_when_warm();
  closed_listeners_.clear();
  dead_.clear();
  greetings_.end_turn();
  if (pace_.is_touched()) pace_.end_turn(now_, parts_.clock.now());
  turn_.reset();
  if (has_guests || is_listener_waiting_) await_time(has_guests);
}

// Strangers wait for it, as guests or in the kernel.
void Worker::await_time(bool has_guests) {
  if (!pace_.may_accept()) {
    rests_until_ = pace_.rests_until();
    return loop_->wake_by(*rests_until_);
  }
  is_listener_waiting_ = false;
  if (accepting_) {
    for (const auto& listener : listeners_) listener->on_time();
  }
  if (has_guests) loop_->post([] {});  // the next turn begins at once
}

}  // namespace proxy
