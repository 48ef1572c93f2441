#include "agent/action/text_peer.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/net/arrival.h"

namespace agent::action {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

constexpr size_t kMaxAnswer = 1u << 20;
constexpr size_t kNonsense = std::string_view::npos;
constexpr size_t kChunk = 16 << 10;
constexpr base::Duration kFirstBeat = std::chrono::milliseconds(2);
constexpr base::Duration kLastBeat = std::chrono::milliseconds(64);
constexpr base::Duration kTick = std::chrono::milliseconds(100);

bool is_path(const std::string& address) {
  return !address.empty() && address.front() == '/';
}

}  // namespace

size_t one_line(std::string_view input) {
  const size_t end = input.find("\r\n");
  if (end == std::string_view::npos) return input.size() > 2048 ? kNonsense : 0;
  return end + 2;
}

TextPeer::TextPeer(boost::asio::any_io_executor executor, std::string name, std::string address,
                   uint16_t port, base::Timers& timers)
    : name_(std::move(name)),
      address_(std::move(address)),
      port_(port),
      timers_(timers),
      protocol_(AF_UNSPEC, 0),
      socket_(std::move(executor)) {}

void TextPeer::begin() {
  answer_ = 0;
  waited_ = base::Duration(0);
  request_.clear();
  sent_ = 0;
  input_.clear();
  failed_ = boost::system::error_code();
  late_ = false;
}

void TextPeer::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  fd_.reset();
  request_.clear();
  sent_ = 0;
  input_.clear();
}

// The reactor is told of every byte that comes on a socket that it knows, wanted or not. So it knows
// ours only while somebody waits for it.
void TextPeer::watch() {
  socket_.assign(protocol_, fd_.get(), failed_);
  if (failed_) {
    fd_.reset();
  } else {
    fd_.release();
  }
}

void TextPeer::unwatch() {
  if (!socket_.is_open()) return;
  boost::system::error_code failed;
  const int fd = socket_.release(failed);
  if (!failed) fd_.reset(fd);
}

std::string TextPeer::place() const {
  return name_ + " at " + address_ + (is_path(address_) ? "" : ":" + std::to_string(port_));
}

base::Error TextPeer::gone(const std::string& what) const {
  return base::Error(base::ErrorCode::kUnavailable, place() + ": " + what, base::Origin::kBackend,
                     base::Retry::kIfUnsent);
}

base::Error TextPeer::late(const char* what) const {
  return base::Error(base::ErrorCode::kTimeout, place() + " " + what + " in time",
                     base::Origin::kBackend, base::Retry::kIfUnsent);
}

// What is under way then ends with an error, and what is begun later fails.
std::unique_ptr<base::Alarm> TextPeer::close_at(base::Instant deadline) {
  return timers_.alarm(deadline, [this] {
    late_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
}

boost::asio::awaitable<void> TextPeer::run_connect() {
  if (is_path(address_)) {
    const boost::asio::local::stream_protocol::endpoint endpoint(address_);
    protocol_ = endpoint.protocol();
    co_await socket_.async_connect(endpoint, redirect_error(use_awaitable, failed_));
    co_return;
  }
  const auto address = boost::asio::ip::make_address(address_, failed_);
  if (failed_) co_return;
  const boost::asio::ip::tcp::endpoint endpoint(address, port_);
  protocol_ = endpoint.protocol();
  co_await socket_.async_connect(endpoint, redirect_error(use_awaitable, failed_));
  if (failed_) co_return;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), failed_);
  const int on = 1;  // a kernel that does not stamp does no harm
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

boost::asio::awaitable<base::Result<>> TextPeer::connect(base::Instant deadline) {
  close();
  begin();
  {
    const auto alarm = close_at(deadline);
    co_await run_connect();
  }
  unwatch();
  if (!failed_ && !late_) co_return base::Done{};
  const std::string what = failed_.message();
  close();
  if (late_) co_return late("did not accept a connection");
  co_return gone(what);
}

bool TextPeer::has_ended() const {
  return failed_ || late_ || answer_ != 0 || input_.size() > kMaxAnswer;
}

boost::asio::awaitable<void> TextPeer::run_watched(const std::string& request,
                                                   const AnswerEnd& end) {
  co_await boost::asio::async_write(socket_, boost::asio::buffer(request),
                                    redirect_error(use_awaitable, failed_));
  char chunk[4096];
  while (!has_ended()) {
    const size_t got = co_await socket_.async_read_some(boost::asio::buffer(chunk),
                                                        redirect_error(use_awaitable, failed_));
    input_.append(chunk, got);
    answer_ = end(input_);
  }
}

// What the socket takes of it now.
void TextPeer::send_some() {
  const std::string_view rest = std::string_view(request_).substr(sent_);
  if (rest.empty()) return;
  const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) {
    sent_ += static_cast<size_t>(sent);
  } else if (errno != EAGAIN && errno != EINTR) {
    failed_.assign(errno, boost::system::system_category());
  }
}

void TextPeer::read_all(const AnswerEnd& end) {
  char chunk[kChunk];
  base::net::ArrivalControl control{};
  iovec part{chunk, sizeof chunk};
  while (!has_ended()) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) failed_.assign(errno, boost::system::system_category());
    if (got == 0) failed_ = boost::asio::error::eof;
    if (got <= 0) return;
    waited_ = base::net::waited_in_kernel(message, timers_.clock().wall());
    input_.append(chunk, static_cast<size_t>(got));
    answer_ = end(input_);
  }
}

boost::asio::awaitable<void> TextPeer::run_at_beats(const AnswerEnd& end, base::Instant deadline,
                                                    Look look) {
  const base::Duration last = look == Look::kAtTicks ? kTick : kLastBeat;
  base::Duration beat = look == Look::kAtTicks ? kTick : kFirstBeat;
  while (!has_ended()) {
    const base::Instant now = timers_.clock().now();
    late_ = now >= deadline;
    if (late_) co_return;
    const base::Instant next = base::next_beat(now + beat / 2, beat);
    try {
      co_await timers_.wait_until(std::min(next, deadline));
    } catch (const boost::system::system_error&) {
      close();  // cancelled: the answer would be taken for the next one's
      throw;
    }
    beat = std::min(2 * beat, last);
    has_answered(end);
  }
}

void TextPeer::send_now(std::string request) {
  begin();
  request_ = std::move(request);
  send_some();
}

base::Duration TextPeer::took_since(base::Instant began) const {
  const base::Duration passed = timers_.clock().now() - began;
  return passed - std::min(waited_, passed);
}

bool TextPeer::has_answered(const AnswerEnd& end) {
  if (!has_ended()) send_some();
  read_all(end);
  return has_ended();
}

boost::asio::awaitable<base::Result<std::string>> TextPeer::finish(AnswerEnd end,
                                                                   base::Instant deadline) {
  has_answered(end);
  co_await run_at_beats(end, deadline, Look::kAtBeats);
  co_return conclude();
}

boost::asio::awaitable<base::Result<std::string>> TextPeer::exchange(std::string request,
                                                                     AnswerEnd end,
                                                                     base::Instant deadline,
                                                                     Look look) {
  if (!connected()) co_return gone("not connected");
  if (look != Look::kAtOnce) {
    send_now(std::move(request));
    co_await run_at_beats(end, deadline, look);
  } else {
    begin();
    const auto alarm = close_at(deadline);
    watch();
    if (!failed_) co_await run_watched(request, end);
    unwatch();
  }
  co_return conclude();
}

base::Result<std::string> TextPeer::conclude() {
  const bool whole = answer_ != 0 && answer_ != kNonsense;
  if (whole && input_.size() == answer_) return std::exchange(input_, {});
  const bool nonsense = answer_ == kNonsense || input_.size() > kMaxAnswer;
  const boost::system::error_code failed = failed_;
  close();
  if (whole) {
    // Which of it answers what was asked is not known.
    return base::Error(base::ErrorCode::kInvalid, name_ + " answered more than was asked",
                       base::Origin::kBackend);
  }
  if (nonsense) {
    return base::Error(base::ErrorCode::kInvalid, name_ + " answered nonsense",
                       base::Origin::kBackend);
  }
  if (late_ || failed == boost::asio::error::operation_aborted) return late("did not answer");
  return gone(failed.message());
}

}  // namespace agent::action
