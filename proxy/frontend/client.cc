#include "proxy/frontend/client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proxy/frontend/worker.h"

namespace proxy {

using base::Instant;
using base::memcache::Fate;
using base::memcache::Parsed;
using base::memcache::ParseState;
using base::memcache::Protocol;
using base::memcache::Request;
using base::telemetry::Failure;
using route::Ticket;

namespace {

constexpr size_t kReadSize = 64 * 1024;
// What somebody may send before saying who it is.
constexpr uint32_t kStrangersValue = 4096;
constexpr size_t kStrangersLine = 2048;

}  // namespace

Client::Client(Worker& worker, base::net::UniqueFd fd, const Identity& identity, Instant now)
    : worker_(worker),
      identity_(identity),
      fd_(std::move(fd)),
      events_(EPOLLIN),
      opened_(now),
      active_(now),
      replies_(worker.buffers()) {
  telemetry_index_ = worker_.telemetry().enter(identity_.address);
  base::memcache::AsciiLimits limits;
  limits.line = kStrangersLine;
  limits.value = limits.buffered = kStrangersValue;
  ascii_.set_limits(limits);
  binary_limits_.value = binary_limits_.buffered = kStrangersValue;
  session_.is_open = identity_.open_cache != 0;
  if (!session_.is_open) return;
  session_.authenticated = true;
  session_.cache = identity_.open_cache;
  session_.may_write = session_.may_flush = true;
  widen_limits();
}

void Client::widen_limits() {
  ascii_.set_limits({});
  binary_limits_ = {};
}

void Client::on_ready(uint32_t events) {
  if (closed()) return;
  if (session_.authenticated) return serve(events);
  using Time = Worker::StrangersTime;
  const Time time(worker_, tls_ == nullptr ? Time::kShortStep : Time::kHandshakeStep);
  serve(events);
}

void Client::serve(uint32_t events) {
  if (tls_ != nullptr) {
    events = tls_->resumed_by(events);
    // What a client objects to in the handshake is worth reading even when it has gone.
    if (tls_->is_shaking_hands() && wants_input()) return receive();
  }
  if ((events & EPOLLHUP) != 0 && (events & EPOLLERR) == 0 && !wants_input()) {
    // The other end of a Unix socket was closed: what it had sent before is still there, and obeyed when
    // its turn comes. Nobody takes what waits to be sent: sending it says so.
    unwatch();
    return out_.empty() ? void() : mark_dirty();
  }
  if ((events & EPOLLERR) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return close_broken(error);
  }
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && wants_input()) receive();
  if (!closed() && (events & EPOLLOUT) != 0) mark_dirty();
}

void Client::receive() {
  const bool straight = in_.empty();
  char* const into = straight ? worker_.scratch() : in_.reserve(kReadSize);
  const size_t room = straight ? Worker::kScratchSize : in_.room();
  const ssize_t got =
      tls_ == nullptr ? ::recv(fd_.get(), into, room, 0) : tls_->receive(into, room);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return update_events();
  if (got < 0) return close_broken(errno);
  if (got == 0) {
    input_ended_ = true;
    if (!in_.empty()) consume_held();
    if (!closed()) update_events();
    return finish_after_input();
  }
  active_ = worker_.now();
  worker_.cells().bytes_read.add(static_cast<uint64_t>(got));
  worker_.telemetry().add_bytes(telemetry_index_, static_cast<uint64_t>(got));
  if (straight) {
    const std::string_view input(into, static_cast<size_t>(got));
    const size_t used = consume(input);
    if (!closed() && used < input.size() && !finishing_) {
      in_ = worker_.buffers().take();
      in_.append(input.substr(used));
    }
  } else {
    in_.commit(static_cast<size_t>(got));
    consume_held();
  }
  if (worker_.loads().is_on() && !closed()) settle_load();
  update_events();
  if (tls_ != nullptr) read_again_if_buffered();
}

// No event will tell of bytes that the channel has taken from the socket already.
void Client::read_again_if_buffered() {
  if (closed() || !wants_input() || !tls_->has_buffered() || tls_->is_coming_back) return;
  tls_->is_coming_back = true;
  worker_.in_next_turn(*this, &Client::read_on);
}

// What its channel has kept.
void Client::read_on() {
  tls_->is_coming_back = false;
  if (wants_input()) receive();
}

// Obeys what is complete in `input`; the number of bytes that were used up.
size_t Client::consume(std::string_view input) {
  find_room();
  size_t used = 0;
  counted_ = 0;
  while (used < input.size() && !closed() && may_read()) {
    if (swallow_ > 0) {
      const uint64_t gone = std::min<uint64_t>(swallow_, input.size() - used);
      swallow_ -= gone;
      used += gone;
      continue;
    }
    if (!take_one(input.substr(used), used)) break;
  }
  if (!closed()) count_read(used);
  return used;
}

// What was obeyed counts, not what has arrived: so a stats shows the same however its bytes came.
void Client::count_read(size_t used) {
  if (session_.row != nullptr) session_.row->add(tenant::Count::kBytesRead, used - counted_);
  counted_ = used;
}

// The same with what was held back.
void Client::consume_held() {
  const size_t used = consume(in_.view());
  if (closed()) return;
  if (finishing_) {
    in_.clear();
  } else {
    in_.consume(used);
  }
  if (in_.empty()) worker_.buffers().give(std::move(in_));
}

// False when the input holds no complete command.
bool Client::take_one(std::string_view input, size_t& used) {
  if (protocol_ == Protocol::kUnknown) protocol_ = base::memcache::detect_protocol(input);
  Request request;
  const Parsed parsed = protocol_ == Protocol::kBinary
                            ? base::memcache::parse_binary(input, request, binary_limits_)
                            : ascii_.parse(input, request);
  if (parsed.state == ParseState::kNeedMore) return false;
  if (request.command == base::memcache::Command::kStats && parsed.state == ParseState::kComplete) {
    waits_for_replies_ = !has_answered_all();
    if (waits_for_replies_) return false;
    count_read(used + parsed.consumed);
  }
  used += parsed.consumed;
  if (parsed.state == ParseState::kError) return on_parse_error(parsed, request);
  if (!refresh_session()) return false;
  if (session_.authenticated) {
    obey(request);
  } else {
    obey_stranger(request);
  }
  return true;
}

bool Client::on_parse_error(const Parsed& parsed, const Request& request) {
  worker_.cells().failure(Failure::kProtocol).add();
  worker_.telemetry().add_request(telemetry_index_);  // its client gave us the work all the same
  swallow_ = parsed.swallow;
  const bool knows_status = protocol_ == Protocol::kBinary && parsed.status != 0;
  if (!refresh_session()) return false;
  if (!session_.authenticated && parsed.fate != Fate::kClose) {
    answer_stranger(request);
  } else if (knows_status) {
    const auto status = static_cast<base::memcache::binary::Status>(parsed.status);
    if (status == base::memcache::binary::Status::kTooLarge) drop_old_value(request);
    answer_status(request, status, base::memcache::binary::status_text(status));
  } else if (protocol_ == Protocol::kAscii) {
    if (parsed.fate == Fate::kSwallow) drop_old_value(request);
    if (!parsed.reply.empty()) answer_ascii(parsed.reply);
  }
  if (parsed.fate == Fate::kClose) finish();
  return parsed.fate != Fate::kClose;
}

base::memcache::Buffer& Client::reply_target(Ticket ticket) {
  if (out_.capacity() == 0) out_ = worker_.buffers().take();
  return replies_.target(ticket, out_);
}

void Client::finish_reply(Ticket ticket, size_t value_size) {
  typical_reply_ = std::max<uint32_t>(static_cast<uint32_t>(value_size) + 64,
                                      typical_reply_ - typical_reply_ / 64);
  if (window_ < kMostOutstanding) ++window_;
  replies_.finish(ticket, out_);
  mark_dirty();
}

void Client::fail_group(Ticket ticket) {
  replies_.fail_group(ticket, out_);
  mark_dirty();
}

void Client::mark_dirty() {
  if (is_dirty) return;
  is_dirty = true;
  worker_.on_dirty(*this);
}

// False when the connection is closed.
bool Client::send_output() {
  while (!out_.empty()) {
    const std::string_view bytes = out_.view();
    const ssize_t wrote = tls_ == nullptr
                              ? ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL)
                              : tls_->send(bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) break;
    if (wrote < 0) {
      close_broken(errno);
      return false;
    }
    active_ = worker_.now();
    worker_.cells().bytes_written.add(static_cast<uint64_t>(wrote));
    worker_.telemetry().add_bytes(telemetry_index_, static_cast<uint64_t>(wrote));
    if (session_.row != nullptr) {
      session_.row->add(tenant::Count::kBytesWritten, static_cast<uint64_t>(wrote));
    }
    out_.consume(static_cast<size_t>(wrote));
  }
  const uint64_t most = worker_.world().settings.limits.in_flight_bytes;
  if (most != 0 && out_.size() + replies_.held_bytes() > most) {
    worker_.cells().failure(Failure::kMemoryLimit).add();
    close("does not read its replies");
    return false;
  }
  if (out_.empty()) worker_.buffers().give(std::move(out_));
  return true;
}

void Client::end_turn() {
  is_dirty = false;
  if (closed() || !send_output()) return;
  send_held_keys();
  if (closed()) return;
  if (has_answered_all()) waits_for_replies_ = false;
  if (may_read() && !in_.empty()) consume_held();
  if (closed()) return;
  finish_after_input();
  if (worker_.loads().is_on()) settle_load();
  if (finishing_ && has_answered_all()) return close("finished");
  if (leaving_ != Leaving::kNo && try_to_leave()) return;
  update_events();
  if (tls_ != nullptr) read_again_if_buffered();
}

// Once all that came is obeyed, as far as it is whole.
void Client::finish_after_input() {
  if (input_ended_ && may_read()) finish();
}

void Client::finish() {
  if (closed()) return;
  finishing_ = true;
  mark_dirty();  // closes at the end of the turn if nothing is outstanding
}

void Client::close(const char* reason) {
  if (closed()) return;
  worker_.retire(*this, reason);
  if (tls_ != nullptr)
    tls_->shut_down(worker_.now() - opened_ >= worker_.world().settings.timeouts.authenticate);
  if (shares_socket_) unwatch();
  fd_.reset();
}

void Client::unwatch() {
  if (is_watched_) worker_.loop().forget(fd_.get());
  is_watched_ = false;
}

void Client::close_broken(int error) {
  // What the kernel says after timeouts.keepalive: its own reason, or what a router had to say.
  const bool has_vanished = error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
  if (!has_vanished) return close("reset by client");
  worker_.cells().failure(Failure::kClientVanished).add();
  close("its host does not answer");
}

void Client::update_events() {
  if (closed()) return;
  uint32_t events = (wants_input() ? EPOLLIN : 0u) | (out_.empty() ? 0u : EPOLLOUT);
  if (tls_ != nullptr) events |= tls_->wanted_events();
  if (!is_watched_) {
    if (!wants_input()) return;
    is_watched_ = worker_.loop().watch(fd_.get(), *this, events).ok();
    if (!is_watched_) return close("cannot be watched");
    events_ = events;
  }
  if (events == events_) return;
  events_ = events;
  worker_.loop().change(fd_.get(), *this, events);
}

}  // namespace proxy
