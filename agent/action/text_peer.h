// TextPeer: a kept connection (TCP, Unix socket) to something that speaks memcache text, one
// exchange at a time.
//
// Whatever does not end in exactly one complete answer by its deadline closes the connection, since
// an answer that comes late, or that nobody asked for, would be taken for the next one's. It leaves
// out what the texts mean.
//
// Most exchanges are probes whose answer need not be known at once. To be woken for each would be the
// dearest part of them, so those look for their answer at beats, which all that asked at about the same
// time share. The kernel stamps when it came.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/timers.h"

namespace agent::action {

// How much of the input is one whole answer: 0 when more is needed, npos when it cannot be one.
using AnswerEnd = std::function<size_t(std::string_view input)>;
size_t one_line(std::string_view input);  // up to and with the first CR LF

// When the answer is looked for: as soon as it comes; or after 1 to 3 ms and then ever more seldom,
// up to every 64 ms; or at tenths of a second, at which the agent's loops are awake anyway: the
// first time after 50 to 150 ms.
enum class Look { kAtOnce, kAtBeats, kAtTicks };

// Thread: one executor's. Owner: the client that takes turns on it.
class TextPeer {
 public:
  // `address`: numeric, or the absolute path of a Unix socket; then `port` means nothing.
  TextPeer(boost::asio::any_io_executor executor, std::string name, std::string address,
           uint16_t port, base::Timers& timers);

  bool connected() const { return fd_.valid(); }
  // kUnavailable or kTimeout: nothing was sent.
  boost::asio::awaitable<base::Result<>> connect(base::Instant deadline);
  // kUnavailable: not connected, or the connection was gone; kTimeout: no whole answer by then;
  // kInvalid: nonsense, or more than was asked. Unless it was not connected, it is unknown what the
  // peer made of the request.
  boost::asio::awaitable<base::Result<std::string>> exchange(std::string request, AnswerEnd end,
                                                             base::Instant deadline,
                                                             Look look = Look::kAtOnce);
  // The same in parts, for one who asks many peers at once. send_now() needs connected(); after it
  // has_answered() looks once whether exchange is over, for good or ill, and finish() ends it: with an
  // answer that is there when it is called also after the deadline, since then the asker was late.
  void send_now(std::string request);
  bool has_answered(const AnswerEnd& end);
  boost::asio::awaitable<base::Result<std::string>> finish(AnswerEnd end, base::Instant deadline);
  // From `began` until the end of the last answer came, which may be before it was looked for. It was
  // looked for just now. Never negative, although the kernel stamps by a clock that may be set.
  base::Duration took_since(base::Instant began) const;
  void close();

 private:
  void begin();
  void watch();
  void unwatch();
  boost::asio::awaitable<void> run_connect();
  boost::asio::awaitable<void> run_watched(const std::string& request, const AnswerEnd& end);
  boost::asio::awaitable<void> run_at_beats(const AnswerEnd& end, base::Instant deadline,
                                            Look look);
  base::Result<std::string> conclude();
  void send_some();
  void read_all(const AnswerEnd& end);
  bool has_ended() const;
  std::unique_ptr<base::Alarm> close_at(base::Instant deadline);
  std::string place() const;
  base::Error gone(const std::string& what) const;
  base::Error late(const char* what) const;

  const std::string name_;
  const std::string address_;
  const uint16_t port_;
  base::Timers& timers_;
  boost::asio::generic::stream_protocol protocol_;
  boost::asio::generic::stream_protocol::socket socket_;  // open while it is watched
  base::net::UniqueFd fd_;                                // of the connection while it is not
  std::string request_;                                   // that was sent up to sent_
  size_t sent_ = 0;
  std::string input_;
  size_t answer_ = 0;         // length of a whole answer at the start of input_
  base::Duration waited_{0};  // of the end of the last answer, by the kernel's stamp
  boost::system::error_code failed_;
  bool late_ = false;  // the deadline came first, and closed the socket
};

}  // namespace agent::action
