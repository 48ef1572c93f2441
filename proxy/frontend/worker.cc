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
constexpr std::string_view kTooManyConnections = "SERVER_ERROR too many open connections\r\n";

}  // namespace

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
      router_(*loop_, parts.clock, *this, parts.cells, std::move(world)),
      started_(parts.clock.now()),
      now_(started_) {}

Worker::~Worker() {
  CHECK(!thread_.joinable());
  for (auto& client : clients_) {
    if (client) client->close("the proxy ends");
  }
}

base::Result<> Worker::listen(base::net::UniqueFd fd, const Entrance& entrance) {
  const int raw = fd.get();
  auto listener = std::make_unique<Listener>(*this, std::move(fd), entrance);
  const auto watched = loop_->watch(raw, *listener, 0);  // see accept_when_warm
  if (!watched) return watched.error();
  listeners_.push_back(std::move(listener));
  return base::Done{};
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
  installed_.store(number, std::memory_order_release);
}

void Worker::drain() {
  loop_->post([this] {
    // One of them may be among the events of this turn.
    for (auto& listener : listeners_) closed_listeners_.push_back(std::move(listener));
    listeners_.clear();
    greetings_.close_all();
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

void Worker::admit(base::net::UniqueFd fd, const admission::ClientAddress& address,
                   const Entrance& entrance) {
  if (parts_.connections.enter(address) != admission::Admission::kAdmitted) {
    cells().connections_refused.add();
    cells().failures[size_t(Failure::kConnectionLimit)].add();
    if (entrance.tls) return;
    [[maybe_unused]] const ssize_t sent =
        ::send(fd.get(), kTooManyConnections.data(), kTooManyConnections.size(), MSG_NOSIGNAL);
    return;
  }
  std::unique_ptr<TlsChannel> channel;
  if (entrance.tls) {
    channel = open_channel(fd.get());
    if (!channel) return parts_.connections.leave(address);
  }
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
  identity.open_cache = entrance.open_cache;
  const int raw = fd.get();
  auto client = std::make_unique<Client>(*this, std::move(fd), identity, now_);
  client->set_channel(std::move(channel));
  Client& admitted = *client;
  clients_[identity.index] = std::move(client);
  cells().connections.add();
  cells().connections_opened.add();
  if (admitted.is_authenticated()) {
    cells().authenticated.add();
  } else {
    strangers_.push_back(
        {identity.index, identity.serial, now_ + world().settings.timeouts.authenticate});
  }
  if (!loop_->watch(raw, admitted, EPOLLIN).ok()) admitted.close("cannot be watched");
}

std::unique_ptr<TlsChannel> Worker::open_channel(int fd) {
  const TlsContextPtr& context = world().settings.tls;
  SslPtr ssl = context == nullptr ? nullptr : context->open(fd);
  if (!ssl) {
    base::log::error("tls_connection_refused", {{"hint", "out of memory"}});
    return nullptr;
  }
  return std::make_unique<TlsChannel>(context, std::move(ssl));
}

void Worker::read_again(Client& client) {
  const uint32_t index = client.identity().index, serial = client.identity().serial;
  loop_->post([this, index, serial] {
    if (Client* const found = find(index, serial)) found->read_on();
  });
}

void Worker::retire(Client& client, const char* reason) {
  const Client::Identity& identity = client.identity();
  base::log::debug("client_closed", {{"reason", reason}});
  parts_.connections.leave(identity.address);
  telemetry_.leave(client.telemetry_index());
  if (client.session().account != nullptr) client.session().account->return_connection();
  cells().connections.sub();
  cells().connections_closed.add();
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
  turn_.emplace(cells());
  cells().heartbeat_ns.set(static_cast<uint64_t>(now.ns));
}

void Worker::tick(Instant now) {
  router_.tick(now);
  greetings_.tick(now);
  close_late_strangers(now);
  if (world().settings.timeouts.idle > base::Duration(0)) close_some_idle(now);
}

void Worker::accept_when_warm() {
  if (accepting_ || (!router_.is_connected() && now_ - started_ < kWarmUp)) return;
  accepting_ = true;
  for (const auto& listener : listeners_) loop_->change(listener->fd(), *listener, EPOLLIN);
}

void Worker::close_late_strangers(Instant now) {
  for (; !strangers_.empty() && strangers_.front().deadline <= now; strangers_.pop_front()) {
    Client* const client = find(strangers_.front().index, strangers_.front().serial);
    if (client == nullptr || client->is_authenticated()) continue;
    cells().failures[size_t(Failure::kAuthTimeout)].add();
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
  for (bool busy = true; busy;) {
    busy = router_.flush();
    ending_.swap(dirty_);
    for (Client* client : ending_) client->end_turn();
    busy = busy || !ending_.empty();
    ending_.clear();
  }
  accept_when_warm();
  closed_listeners_.clear();
  dead_.clear();
  greetings_.end_turn();
  turn_.reset();
}

}  // namespace proxy
