#include "cli/forwarder/forwarder.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>

#include "base/core/check.h"
#include "cli/forwarder/echo_path.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

// Event tags: 0 is the wake-up; else an id, twice for the two ends of a connection or an echo path.
constexpr uint64_t kWakeupTag = 0;
constexpr base::Duration kForever = 1h;

uint64_t proxy_tag(uint64_t id) {
  return id * 2;
}
uint64_t backend_tag(uint64_t id) {
  return id * 2 + 1;
}

bool same(const LinkSpec& a, const LinkSpec& b) {
  return a.listen == b.listen && a.target == b.target && a.name.cluster == b.name.cluster &&
         a.name.proxy == b.name.proxy && a.name.backend == b.name.backend;
}

}  // namespace

struct Forwarder::Link {
  LinkSpec spec;
  base::net::UniqueFd fd;
  uint64_t id = 0;
  std::optional<EchoPath> echo;
  uint64_t echo_id = 0;  // of its tags
};

// Invariant: link outlives it (dropping a link drops its connections first).
struct Forwarder::Connection {
  uint64_t id = 0;
  Link* link = nullptr;
  LinkEnd proxy;
  LinkEnd backend;
};

Forwarder::Forwarder(const base::Clock& clock, uint64_t seed)
    : clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      faults_(seed) {
  CHECK(epoll_.valid() && wakeup_.valid());
  register_fd(wakeup_.get(), kWakeupTag, EPOLLIN);
}

Forwarder::~Forwarder() = default;

void Forwarder::register_fd(int fd, uint64_t tag, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Forwarder::run() {
  std::vector<epoll_event> events(256);
  while (!stopped_) {
    const base::Duration wait = until_next_due();
    timespec patience{};
    patience.tv_sec = wait / 1s;
    patience.tv_nsec = (wait % 1s).count();
    const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     &patience, nullptr);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) on_event(events[i].data.u64, events[i].events);
    settle_all();
  }
}

void Forwarder::stop() {
  call([this] { stopped_ = true; });
}

void Forwarder::call(const std::function<void()>& work) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back([&] {
      work();
      done.set_value();
    });
  }
  const uint64_t one = 1;
  CHECK(::write(wakeup_.get(), &one, sizeof one) == sizeof one);
  done.get_future().wait();
}

void Forwarder::run_posted() {
  uint64_t ignored = 0;
  (void)!::read(wakeup_.get(), &ignored, sizeof ignored);
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  for (const auto& work : posted) work();
}

void Forwarder::on_event(uint64_t tag, uint32_t events) {
  if (tag == kWakeupTag) return run_posted();
  if (const auto listener = listeners_.find(tag); listener != listeners_.end()) {
    return accept_from(*listener->second);
  }
  if (const auto echo = echoes_.find(tag / 2); echo != echoes_.end()) {
    Link& link = *echo->second;
    if (tag == proxy_tag(link.echo_id)) {
      return link.echo->read_asker(link.spec.name, faults_, clock_.now());
    }
    return link.echo->read_responder(clock_.now());
  }
  const auto found = connections_.find(tag / 2);
  if (found == connections_.end()) return;  // dropped earlier in this turn
  Connection& connection = *found->second;
  LinkEnd& end = tag == proxy_tag(connection.id) ? connection.proxy : connection.backend;
  if (events & EPOLLERR) return drop(connection.id);
  if (events & (EPOLLIN | EPOLLHUP)) on_readable(connection, end);
}

void Forwarder::accept_from(Link& link) {
  base::net::UniqueFd fd(::accept4(link.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return;
  auto target = begin_connect(link.spec.target);
  if (!target) return;  // closes the proxy's end, as a refused connection would
  auto connection = std::make_unique<Connection>();
  connection->id = next_id_++;
  connection->link = &link;
  connection->proxy.fd = std::move(fd);
  connection->backend.fd = std::move(*target);
  register_fd(connection->proxy.fd.get(), proxy_tag(connection->id), 0);
  register_fd(connection->backend.fd.get(), backend_tag(connection->id), 0);
  const uint64_t id = connection->id;
  connections_.emplace(id, std::move(connection));
}

void Forwarder::on_readable(Connection& connection, LinkEnd& from) {
  const bool from_proxy = &from == &connection.proxy;
  LinkEnd& to = from_proxy ? connection.backend : connection.proxy;
  if (from.read_closed || to.out.full()) return;
  std::string chunk;
  if (read_chunk(from, chunk) == Flow::kBroken) return drop(connection.id);
  if (chunk.empty()) return;
  const base::Duration held =
      from_proxy ? faults_.draw_delay(connection.link->spec.name) : base::Duration::zero();
  to.out.push(std::move(chunk), clock_.now() + held);
}

void Forwarder::settle_all() {
  // One instant for the whole turn: a chunk that becomes due while we look is left for the next,
  // and until_next_due() waits for it.
  now_ = clock_.now();
  std::vector<uint64_t> over;
  for (const auto& [id, connection] : connections_) {
    if (!settle(*connection)) over.push_back(id);
  }
  for (const uint64_t id : over) drop(id);
  for (const auto& [id, link] : echoes_) {
    if (!faults_.stalled(link->spec.name)) link->echo->pass_on(now_);
  }
}

bool Forwarder::settle(Connection& connection) {
  const bool stalled = faults_.stalled(connection.link->spec.name);
  LinkEnd& proxy = connection.proxy;
  LinkEnd& backend = connection.backend;
  if (!pass_on(proxy, backend, stalled) || !pass_on(backend, proxy, stalled)) return false;
  if (proxy.write_closed && backend.write_closed) return false;
  // Only after both have written: what was too full to be read for may have been emptied just now.
  listen_for(proxy, backend, proxy_tag(connection.id), stalled);
  listen_for(backend, proxy, backend_tag(connection.id), stalled);
  return true;
}

bool Forwarder::pass_on(LinkEnd& end, const LinkEnd& other, bool stalled) {
  if (!stalled && write_ready(end, now_) == Flow::kBroken) return false;
  if (!other.read_closed || !end.out.empty() || end.write_closed) return true;
  if (::shutdown(end.fd.get(), SHUT_WR) != 0) return errno == ENOTCONN;
  end.write_closed = true;
  return true;
}

void Forwarder::listen_for(LinkEnd& end, const LinkEnd& other, uint64_t tag, bool stalled) {
  uint32_t events = 0;
  if (!end.read_closed && !other.out.full()) events |= EPOLLIN;
  if (!stalled && !end.out.ready(now_).empty()) events |= EPOLLOUT;
  set_interest(end, tag, events);
}

void Forwarder::set_interest(LinkEnd& end, uint64_t tag, uint32_t events) {
  if (end.deaf) return;
  if (end.read_closed && end.write_closed) {
    // epoll would report the hang-up of a finished end for as long as the other is busy.
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, end.fd.get(), nullptr) == 0);
    end.deaf = true;
    return;
  }
  if (events == end.interest) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, end.fd.get(), &event) == 0);
  end.interest = events;
}

void Forwarder::drop(uint64_t connection_id) {
  connections_.erase(connection_id);
}

void Forwarder::drop_connections_of(const std::string& link) {
  std::erase_if(connections_,
                [&](const auto& entry) { return entry.second->link->spec.name.id == link; });
}

base::Duration Forwarder::until_next_due() const {
  base::Duration wait = kForever;
  for (const auto& [id, connection] : connections_) {
    if (faults_.stalled(connection->link->spec.name)) continue;
    for (const LinkEnd* end : {&connection->proxy, &connection->backend}) {
      const auto due = end->out.due();
      // What is due already waits for its socket, which epoll tells.
      if (due && *due > now_) wait = std::min(wait, *due - now_);
    }
  }
  for (const auto& [id, link] : echoes_) {
    const auto due = link->echo->due();
    if (due && *due > now_ && !faults_.stalled(link->spec.name)) {
      wait = std::min(wait, *due - now_);
    }
  }
  return wait;
}

base::Result<> Forwarder::set_links(const std::vector<LinkSpec>& wanted) {
  std::map<std::string, std::unique_ptr<Link>> opened;
  for (const LinkSpec& spec : wanted) {
    const auto present = links_.find(spec.name.id);
    if (present != links_.end() && same(present->second->spec, spec)) continue;
    auto fd = listen_at(spec.listen);
    if (!fd) {
      return base::Error(fd.code(), "link " + spec.name.id + ": " + fd.error().context);
    }
    auto link = std::make_unique<Link>();
    link->spec = spec;
    link->spec.listen.port = bound_port(fd->get());
    link->fd = std::move(*fd);
    opened.insert_or_assign(spec.name.id, std::move(link));
  }
  std::erase_if(links_, [&](const auto& entry) {
    const bool keep = !opened.contains(entry.first) &&
                      std::any_of(wanted.begin(), wanted.end(), [&](const LinkSpec& spec) {
                        return spec.name.id == entry.first;
                      });
    if (keep) return false;
    drop_connections_of(entry.first);
    listeners_.erase(entry.second->id * 2);
    close_echo(*entry.second);
    return true;
  });
  for (auto& [id, link] : opened) {
    link->id = next_id_++;
    register_fd(link->fd.get(), link->id * 2, EPOLLIN);
    listeners_.emplace(link->id * 2, link.get());
    links_.emplace(id, std::move(link));
  }
  // A link that only leads its echoes elsewhere keeps its connections.
  for (const LinkSpec& spec : wanted) {
    Link& link = *links_.at(spec.name.id);
    if (link.echo && link.spec.echo == spec.echo) continue;
    close_echo(link);
    link.spec.echo = spec.echo;
    open_echo(link);
  }
  return {};
}

// Only once the link that it may take the place of is gone. Without one the link says so by naming none.
void Forwarder::open_echo(Link& link) {
  if (!link.spec.echo) return;
  link.echo = EchoPath::open(link.spec.listen, *link.spec.echo);
  if (!link.echo) return;
  link.echo_id = next_id_++;
  register_fd(link.echo->asker_fd(), proxy_tag(link.echo_id), EPOLLIN);
  register_fd(link.echo->responder_fd(), backend_tag(link.echo_id), EPOLLIN);
  echoes_.emplace(link.echo_id, &link);
}

void Forwarder::close_echo(Link& link) {
  echoes_.erase(link.echo_id);
  link.echo.reset();
}

std::vector<LinkSpec> Forwarder::links() const {
  std::vector<LinkSpec> all;
  for (const auto& [id, link] : links_) {
    all.push_back(link->spec);
    if (!link->echo) all.back().echo.reset();
  }
  return all;
}

}  // namespace cli
