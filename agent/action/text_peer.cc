#include "agent/action/text_peer.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace agent::action {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

constexpr size_t kMaxAnswer = 1u << 20;
constexpr size_t kNonsense = std::string_view::npos;

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
      socket_(std::move(executor)) {}

void TextPeer::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  input_.clear();
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
  late_ = false;
  failed_ = boost::system::error_code();
  return timers_.alarm(deadline, [this] {
    late_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
}

boost::asio::awaitable<void> TextPeer::run_connect() {
  if (is_path(address_)) {
    const boost::asio::local::stream_protocol::endpoint endpoint(address_);
    co_await socket_.async_connect(endpoint, redirect_error(use_awaitable, failed_));
    co_return;
  }
  const auto address = boost::asio::ip::make_address(address_, failed_);
  if (failed_) co_return;
  const boost::asio::ip::tcp::endpoint endpoint(address, port_);
  co_await socket_.async_connect(endpoint, redirect_error(use_awaitable, failed_));
  if (failed_) co_return;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), failed_);
}

boost::asio::awaitable<base::Result<>> TextPeer::connect(base::Instant deadline) {
  close();
  {
    const auto alarm = close_at(deadline);
    co_await run_connect();
  }
  if (!failed_ && !late_) co_return base::Done{};
  const std::string what = failed_.message();
  close();
  if (late_) co_return late("did not accept a connection");
  co_return gone(what);
}

boost::asio::awaitable<void> TextPeer::run_exchange(const std::string& request,
                                                    const AnswerEnd& end) {
  co_await boost::asio::async_write(socket_, boost::asio::buffer(request),
                                    redirect_error(use_awaitable, failed_));
  while (!failed_ && !late_) {
    answer_ = end(input_);
    if (answer_ != 0 || input_.size() > kMaxAnswer) co_return;
    char chunk[4096];
    const size_t got = co_await socket_.async_read_some(boost::asio::buffer(chunk),
                                                        redirect_error(use_awaitable, failed_));
    input_.append(chunk, got);
  }
}

boost::asio::awaitable<base::Result<std::string>> TextPeer::exchange(std::string request,
                                                                     AnswerEnd end,
                                                                     base::Instant deadline) {
  if (!connected()) co_return gone("not connected");
  answer_ = 0;
  input_.clear();
  {
    const auto alarm = close_at(deadline);
    co_await run_exchange(request, end);
  }
  const bool whole = answer_ != 0 && answer_ != kNonsense;
  if (whole && input_.size() == answer_) co_return std::exchange(input_, {});
  const bool nonsense = answer_ == kNonsense || input_.size() > kMaxAnswer;
  const boost::system::error_code failed = failed_;
  close();
  if (whole) {
    // Which of it answers what was asked is not known.
    co_return base::Error(base::ErrorCode::kInvalid, name_ + " answered more than was asked",
                          base::Origin::kBackend);
  }
  if (nonsense) {
    co_return base::Error(base::ErrorCode::kInvalid, name_ + " answered nonsense",
                          base::Origin::kBackend);
  }
  if (late_ || failed == boost::asio::error::operation_aborted) co_return late("did not answer");
  co_return gone(failed.message());
}

}  // namespace agent::action
