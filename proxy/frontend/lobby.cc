#include "proxy/frontend/lobby.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "proxy/frontend/worker.h"

namespace proxy {

using base::telemetry::Failure;

void Lobby::enter(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                  const Entrance& entrance) {
  if (waiting_.empty() && has_time_for(entrance) && is_allowed()) {
    return let_in({std::move(fd), peer, entrance, worker_.now()});
  }
  if (waiting_.size() >= kMost) {
    turn_away(waiting_.front(), Failure::kStrangerLimit);
    waiting_.pop_front();
  }
  waiting_.push_back({std::move(fd), peer, entrance, worker_.now()});
}

bool Lobby::serve() {
  while (!waiting_.empty() && has_time_for(waiting_.back().entrance)) {
    const Worker::StrangersTime time(worker_);
    if (has_left(waiting_.back())) {
      worker_.cells().failure(Failure::kClientVanished).add();
      waiting_.pop_back();
      continue;
    }
    if (!is_allowed()) {
      has_let_in_tls_ = false;
      return false;
    }
    Guest guest = std::move(waiting_.back());
    waiting_.pop_back();
    let_in(std::move(guest));
  }
  has_let_in_tls_ = false;
  return !waiting_.empty();
}

void Lobby::let_all_in() {
  for (Guest& guest : std::exchange(waiting_, {})) let_in(std::move(guest));
}

void Lobby::let_in(Guest guest) {
  has_let_in_tls_ = has_let_in_tls_ || guest.entrance.tls;
  worker_.arrive(std::move(guest.fd), guest.peer, guest.entrance);
}

bool Lobby::has_time_for(const Entrance& entrance) const {
  return worker_.may_accept() && !(entrance.tls && has_let_in_tls_);
}

void Lobby::tick() {
  const base::Instant late = worker_.now() - worker_.world().settings.timeouts.authenticate;
  for (; !waiting_.empty() && waiting_.front().since < late; waiting_.pop_front()) {
    turn_away(waiting_.front(), Failure::kConnectionRate);
  }
}

// The rate is the proxy's; the kernel spreads connections evenly over its workers.
bool Lobby::is_allowed() {
  const uint64_t limit = worker_.world().settings.limits.connection_rate.proxy;
  const uint64_t mine = limit == 0 ? 0 : std::max<uint64_t>(1, limit / worker_.workers());
  return rate_.take(worker_.now(), mine, kBurst);
}

bool Lobby::has_left(const Guest& guest) {
  pollfd state{guest.fd.get(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0;
}

void Lobby::turn_away(const Guest& guest, Failure why) {
  if (has_left(guest)) {
    worker_.cells().failure(Failure::kClientVanished).add();
  } else {
    worker_.refuse(guest.fd.get(), guest.entrance, why);
  }
}

}  // namespace proxy
