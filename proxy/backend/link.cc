#include "proxy/backend/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/telemetry/log.h"
#include "proxy/backend/connecting.h"
#include "proxy/backend/fence_read.h"

namespace proxy {

using base::Instant;
using base::memcache::MetaCode;
using base::memcache::MetaReply;
using base::memcache::ParseState;
using base::telemetry::Failure;
using base::telemetry::Leg;

namespace {

constexpr uint32_t kLargestReply = 16u << 20;  // memcached's -I is 1 MiB unless somebody raised it
constexpr size_t kReadSize = 64 * 1024;
// By then records come too late soon; connecting and asking take a while.
constexpr base::Duration kLateRecord = ring::kFenceWindow / 2;

}  // namespace

Link::~Link() {
  if (fd_.valid()) context_.loop.forget(fd_.get());
}

void Link::set_endpoint(const std::string& address, uint16_t port, Instant now) {
  if (address == address_ && port == port_) return;
  address_ = address;
  port_ = port;
  if (fd_.valid()) lose(Failure::kBackendReset, "its address changed");
  state_ = address_.empty() ? State::kIdle : State::kDown;
  backoff_.reset();
  if (state_ == State::kDown) connect(now);
}

void Link::connect(Instant now) {
  cells_.connects.add();
  fd_ = begin_connecting(address_, port_, context_.keepalive);
  if (!fd_.valid() || !context_.loop.watch(fd_.get(), *this, EPOLLOUT).ok()) {
    fd_.reset();
    cells_.connect_failures.add();
    state_ = State::kDown;
    at_ = now + std::max(backoff_.lost(now), health::kFirstDelay);
    return;
  }
  events_ = EPOLLOUT;
  state_ = State::kConnecting;
  at_ = now + context_.connect_timeout;
}

void Link::on_connected(Instant now) {
  const int error = connect_error(fd_.get());
  if (error != 0) return lose(Failure::kBackendDown, std::strerror(error));
  parser_ = base::memcache::MetaReplyParser(kLargestReply);
  state_ = State::kProbing;
  want_events(EPOLLIN);
  ask_fence(now);
}

void Link::ask_fence(Instant now) {
  append_fence_read(out_);
  route::Pending pending;
  pending.leg = Leg::kFence;
  pending.sent_ns = now.ns;
  sent(pending, {});
  next_fence_ = now + ring::kFenceInterval;
}

void Link::sent(const route::Pending& pending, std::string_view key, std::string_view flags) {
  in_flight_.push(pending, key, flags);
  cells_.requests.add();
  cells_.in_flight.set(in_flight_.size());
  if (is_dirty_) return;
  is_dirty_ = true;
  context_.owner.on_dirty(*this);
}

void Link::tick(Instant now) {
  switch (state_) {
    case State::kIdle:
      return;
    case State::kDown:
      if (now >= at_) connect(now);
      return;
    case State::kConnecting:
    case State::kProbing:
      if (now >= at_) lose(Failure::kBackendTimeout, "it does not answer");
      return;
    case State::kUp:
      break;
  }
  if (wait_.is_on() && (wait_.is_over(now) || is_front_late(now))) {
    wait_.end();
    // What has arrived is not late, but may have come after the turn began.
    take_buffered(context_.clock.now());
    if (state_ != State::kUp) return;
  }
  if (is_front_late(now)) return lose(Failure::kBackendTimeout, "a request waited too long");
  cells_.oldest_in_flight_ns.set(
      in_flight_.empty() ? 0 : static_cast<uint64_t>(in_flight_.front().sent_ns));
  watch_queue(now);
  if (now >= next_fence_) ask_fence(now);
  if (now - own_record_ > kLateRecord) want_probe(now);
  if (probe_) probe_->tick(now);
}

void Link::want_probe(Instant now) {
  if (!probe_) probe_ = std::make_unique<FenceProbe>(context_.loop, context_.clock, *this);
  probe_->want(address_, port_, now);
}

void Link::on_probed(const std::optional<ring::FenceRecord>& record, Instant asked, Instant now) {
  if (state_ != State::kUp) return;
  take_record(record, asked, now);
  if (!wait_.is_on() || fence_.is_stale(now)) return;
  wait_.end();
  take_buffered(now);
}

bool Link::is_front_late(Instant now) {
  return !in_flight_.empty() &&
         now - Instant{in_flight_.front().sent_ns} > context_.request_timeout;
}

ConfirmationWait::Kind Link::kind_of(size_t n, const MetaReply& reply, Instant now) {
  using Kind = ConfirmationWait::Kind;
  if (n >= in_flight_.size() || has_lost_step(in_flight_.nth(n), reply)) return Kind::kLostStep;
  const route::Pending& pending = in_flight_.nth(n);
  const bool is_young = now - Instant{pending.sent_ns} <= ring::kFenceWindow;
  return pending.leg == Leg::kFence && is_young ? Kind::kYoungRecord : Kind::kOther;
}

void Link::watch_queue(Instant now) {
  const auto oldest =
      in_flight_.empty() ? base::Duration(0) : now - Instant{in_flight_.front().sent_ns};
  const bool was_on = overload_.is_on();
  overload_.set_target(context_.queue_target);
  overload_.on_tick(now, oldest, in_flight_.size());
  take_limits();
  if (overload_.is_on() == was_on) return;
  if (was_on) {
    base::log::warn("backend_keeps_up", {{"backend", id_}, {"in_flight", in_flight_.size()}});
  } else {
    base::log::warn("backend_overloaded", {{"backend", id_}, {"in_flight", in_flight_.size()}});
  }
}

void Link::take_limits() {
  most_bytes_ = context_.queue.bytes == 0 ? SIZE_MAX : context_.queue.bytes;
  most_requests_ = context_.queue.requests == 0 ? SIZE_MAX : context_.queue.requests;
  most_requests_ = std::min(most_requests_, overload_.most());
}

Failure Link::why_not() const {
  if (!is_up()) return Failure::kBackendDown;
  return in_flight_.size() >= overload_.most() ? Failure::kOverload : Failure::kQueueFull;
}

void Link::flush() {
  is_dirty_ = false;
  if (!fd_.valid() || state_ == State::kConnecting) return;
  while (!out_.empty()) {
    const std::string_view bytes = out_.view();
    const ssize_t wrote = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) return want_events(EPOLLIN | EPOLLOUT);
    if (wrote < 0) return lose(Failure::kBackendReset, std::strerror(errno));
    cells_.bytes_sent.add(static_cast<uint64_t>(wrote));
    out_.consume(static_cast<size_t>(wrote));
  }
  in_flight_.mark_flushed(context_.clock.now().ns);
  if (out_.capacity() > 4 * kReadSize) out_.release();
  want_events(EPOLLIN);
}

void Link::on_ready(uint32_t events) {
  if (!fd_.valid()) return;
  if (state_ == State::kConnecting) return on_connected(context_.clock.now());
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
  if (fd_.valid() && (events & EPOLLOUT) != 0) flush();
}

void Link::hear() {
  if (state_ == State::kProbing || state_ == State::kUp) receive();
}

void Link::receive() {
  const bool straight = in_.empty();
  char* const into = straight ? context_.scratch : in_.reserve(kReadSize);
  const size_t room = straight ? context_.scratch_size : in_.room();
  const ssize_t got = ::recv(fd_.get(), into, room, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    return lose(Failure::kBackendReset,
                got == 0 ? "it closed the connection" : std::strerror(errno));
  }
  const Instant now = context_.clock.now();
  cells_.bytes_received.add(static_cast<uint64_t>(got));
  cells_.last_reply_ns.set(static_cast<uint64_t>(now.ns));
  if (!straight) in_.commit(static_cast<size_t>(got));
  const std::string_view received(into, static_cast<size_t>(got));
  if (wait_.is_on() || (fence_.is_stale(now) && wait_.may_begin())) {
    if (straight) in_.append(received);
    if (!waits_for_record(now)) take_buffered(now);
    return;
  }
  if (!straight) return take_buffered(now);
  size_t used = 0;
  if (!take_replies(received, used, now)) return;
  in_.append(received.substr(used));
  note_in_flight();
}

bool Link::waits_for_record(Instant now) {
  if (!wait_.is_on()) {
    ask_fence(now);
    if (probe_) probe_->ask(now);
    wait_.begin(kLargestReply, now);
  }
  MetaReply reply;
  const ConfirmationWait::Sight sight = wait_.look(
      in_.view(), reply, [&](size_t n, const MetaReply& one) { return kind_of(n, one, now); });
  if (sight == ConfirmationWait::Sight::kNotYet) return true;
  wait_.end();
  // What is broken is for take_replies() to find, in its turn.
  if (sight == ConfirmationWait::Sight::kFound) {
    take_fence(reply, in_flight_.nth(wait_.seen()).sent_ns, now);
  }
  return false;
}

void Link::take_buffered(Instant now) {
  size_t used = 0;
  if (!take_replies(in_.view(), used, now)) return;
  in_.consume(used);
  if (in_.capacity() > 4 * kReadSize) in_.release();
  note_in_flight();
}

void Link::note_in_flight() {
  cells_.in_flight.set(in_flight_.size());
  if (in_flight_.empty()) cells_.oldest_in_flight_ns.set(0);
}

bool Link::take_replies(std::string_view input, size_t& used, Instant now) {
  MetaReply reply;
  while (used < input.size()) {
    const auto parsed = parser_.parse(input.substr(used), reply);
    if (parsed.state == ParseState::kNeedMore) return true;
    if (parsed.state == ParseState::kError || reply.value_follows || in_flight_.empty()) {
      lose(Failure::kBackendError, "it answered nonsense");
      return false;
    }
    const bool lost_step = has_lost_step(in_flight_.front(), reply);
    take_reply(reply, now);
    if (lost_step) {
      lose(Failure::kBackendError, "it refused a store without reading its value");
      return false;
    }
    used += parsed.consumed;
  }
  return true;
}

base::telemetry::LatencyKind Link::latency_kind(const route::Pending& pending) {
  if (pending.leg == Leg::kFence) return base::telemetry::LatencyKind::fence();
  return base::memcache::operation_of(pending.command);
}

void Link::take_reply(const MetaReply& reply, Instant now) {
  const route::Pending& pending = in_flight_.front();
  const base::Duration waited(now.ns - pending.sent_ns);
  base::telemetry::record_latency(context_.latencies, cells_, latency_kind(pending), waited, now);
  overload_.on_reply(waited);
  if (pending.leg == Leg::kFence) {
    take_fence(reply, pending.sent_ns, now);
  } else {
    context_.owner.on_reply(*this, pending, in_flight_.front_key(), reply, now);
  }
  in_flight_.pop();
}

// memcached has not read the value of this store: it will take it for commands, and every reply from
// here on is somebody else's. Nothing a client sends should get here (route/meta.cc).
bool Link::has_lost_step(const route::Pending& pending, const MetaReply& reply) {
  return pending.leg == Leg::kWrite && reply.code == MetaCode::kClientError &&
         (reply.text == "options flags too long" || reply.text == "bad data chunk");
}

void Link::take_fence(const MetaReply& reply, int64_t asked_ns, Instant now) {
  own_record_ = Instant{asked_ns};
  take_record(fence_record_of(reply), own_record_, now);
  if (state_ != State::kProbing) return;
  state_ = State::kUp;
  backoff_.answered(now);
  overload_.reset();
  take_limits();
  cells_.connected.set(1);
  base::log::info("backend_up", {{"backend", id_}});
}

void Link::take_record(const std::optional<ring::FenceRecord>& record, Instant asked, Instant now) {
  fence_.read(asked, record);
  if (!fence_.is_stale(now)) wait_.on_confirmed();
  if (record) context_.owner.on_record(*this, *record, asked);
}

// Closes the connection, fails everything in flight and plans the next attempt.
void Link::lose(Failure failure, const char* reason) {
  const bool was_up = state_ == State::kUp;
  const Instant now = context_.clock.now();
  context_.loop.forget(fd_.get());
  fd_.reset();
  if (probe_) probe_->close();
  events_ = 0;
  out_.clear();
  out_.release();
  in_.clear();
  in_.release();
  fence_.reset();
  wait_.reset();
  state_ = State::kDown;
  at_ = now + backoff_.lost(now);
  cells_.connected.set(0);
  cells_.oldest_in_flight_ns.set(0);
  if (was_up) {
    base::log::warn("backend_down",
                    {{"backend", id_}, {"reason", reason}, {"in_flight", in_flight_.size()}});
  } else {
    cells_.connect_failures.add();
  }
  // The owner answers clients, which does not come back here: what a client sends next is read at
  // the earliest at the end of the turn.
  for (; !in_flight_.empty(); in_flight_.pop()) {
    const route::Pending& pending = in_flight_.front();
    if (pending.leg == Leg::kFence) continue;
    cells_.failures.add();
    context_.owner.on_lost(*this, pending, in_flight_.front_key(), failure);
  }
  cells_.in_flight.set(0);
}

void Link::want_events(uint32_t events) {
  if (events == events_) return;
  events_ = events;
  context_.loop.change(fd_.get(), *this, events);
}

}  // namespace proxy
