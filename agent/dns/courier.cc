#include "agent/dns/courier.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "agent/dns/change.h"
#include "base/core/rng.h"

namespace agent::dns {
namespace {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using base::Error;
using base::ErrorCode;

constexpr base::Duration kFirstPause = std::chrono::milliseconds(250);
constexpr base::Duration kLongestPause = std::chrono::seconds(2);
// No answer of ours has more; a larger one is cut and so is not authentic.
constexpr size_t kLargestAnswer = 4096;

Error not_sent(const std::string& what) {
  return Error(ErrorCode::kUnavailable, what, base::Origin::kBackend, base::Retry::kSafe);
}

// `taken`: the server may have got an UPDATE.
Error failure(const std::string& what, bool taken) {
  if (!taken) return not_sent(what);
  return Error(ErrorCode::kUnknown, what + "; whether the change happened is unknown",
               base::Origin::kBackend, base::Retry::kIfUnsent);
}

}  // namespace

std::string to_string(const ServerPlace& place) {
  const std::string port = ":" + std::to_string(place.port);
  return is_ipv4(place.address) ? place.address + port : "[" + place.address + "]" + port;
}

struct Courier::Letter {
  SignedMessage message;
  int id = 0;
  std::optional<Answer> answer;
  std::string doubt;  // why what came for it is no answer

  // True when it is answered now.
  bool take(std::string_view bytes, const Key& key, base::WallTime now) {
    const Heading heading = heading_of(bytes);
    if (answer || heading.id != id || !heading.is_answer) return false;
    const auto authentic = verify(bytes, key, now, message.mac);
    const auto decoded = authentic ? decode_answer(*authentic) : authentic.error();
    if (decoded) {
      answer = *decoded;
    } else {
      doubt =
          "answered " + std::string(to_string(heading.code)) + ", but " + decoded.error().context;
    }
    return decoded.ok();
  }
};

// Letters under way over UDP. Sends them again while its coroutine waits for answers.
class Courier::Round {
 public:
  Round(Courier& courier, std::vector<Letter>& letters, base::Instant deadline)
      : courier_(courier),
        letters_(letters),
        socket_(courier.executor_),
        deadline_(courier.timers_.alarm(deadline, [this] { end(); })) {}

  asio::awaitable<void> run(ServerPlace server, Kind kind) {
    const auto address = asio::ip::make_address(server.address, failed_);
    if (!failed_) socket_.connect(asio::ip::udp::endpoint(address, server.port), failed_);
    if (!failed_) socket_.non_blocking(true, failed_);
    if (failed_) co_return;
    send_open();
    arm(kFirstPause);
    std::array<char, kLargestAnswer> datagram;
    while (!failed_ && !answered() && !(kind == Kind::kQuestion && doubted())) {
      const size_t size = co_await socket_.async_receive(asio::buffer(datagram),
                                                         redirect_error(use_awaitable, failed_));
      if (failed_) break;
      for (Letter& letter : letters_) {
        letter.take(std::string_view(datagram.data(), size), courier_.key_,
                    courier_.timers_.clock().wall());
      }
    }
    again_.reset();
  }

  bool answered() const {
    return std::all_of(letters_.begin(), letters_.end(),
                       [](const Letter& letter) { return letter.answer.has_value(); });
  }
  // The kernel said that nobody listens there, or that there is no way, and nothing left before that.
  bool certainly_not_taken() const {
    const bool refused = failed_ && failed_ != asio::error::operation_aborted && !late_;
    return sent_ == 0 || (sent_ == 1 && refused);
  }
  std::string why() const {
    for (const Letter& letter : letters_) {
      if (!letter.doubt.empty()) return letter.doubt;
    }
    return late_ ? "did not answer in time" : failed_.message();
  }

 private:
  bool doubted() const {
    return std::any_of(letters_.begin(), letters_.end(),
                       [](const Letter& letter) { return !letter.doubt.empty(); });
  }
  void end() {
    late_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  }
  // What the network does not take is lost, as it might have been further on; but a refusal counts.
  void send_open() {
    for (const Letter& letter : letters_) {
      if (letter.answer) continue;
      boost::system::error_code refused;
      socket_.send(asio::buffer(letter.message.bytes), 0, refused);
      if (refused && sent_ == 0) {
        failed_ = refused;
        return;
      }
    }
    ++sent_;
  }
  void arm(base::Duration pause) {
    const base::Instant when = courier_.timers_.clock().now() + pause;
    again_ = courier_.timers_.alarm(when, [this, pause] {
      if (!socket_.is_open()) return;
      send_open();
      arm(std::min(2 * pause, kLongestPause));
    });
  }

  Courier& courier_;
  std::vector<Letter>& letters_;
  asio::ip::udp::socket socket_;
  boost::system::error_code failed_;
  int sent_ = 0;
  bool late_ = false;
  std::unique_ptr<base::Alarm> deadline_;
  std::unique_ptr<base::Alarm> again_;
};

std::vector<Courier::Letter> Courier::letters_of(std::vector<std::string> messages) const {
  std::vector<Letter> letters;
  auto id = static_cast<uint16_t>(base::random_u64());
  for (std::string& message : messages) {
    Letter letter;
    set_id(message, id);
    letter.id = id++;
    letter.message = sign(std::move(message), key_, timers_.clock().wall());
    letters.push_back(std::move(letter));
  }
  return letters;
}

asio::awaitable<base::Result<>> Courier::by_udp(ServerPlace server, std::vector<Letter>& letters,
                                                Kind kind, base::Instant deadline) {
  Round round(*this, letters, deadline);
  co_await round.run(server, kind);
  if (round.answered()) co_return base::Done{};
  const bool taken = kind == Kind::kUpdate && !round.certainly_not_taken();
  co_return failure(to_string(server) + ": " + round.why(), taken);
}

asio::awaitable<base::Result<>> Courier::by_tcp(ServerPlace server, Letter& letter, Kind kind,
                                                base::Instant deadline) {
  asio::ip::tcp::socket socket(executor_);
  bool late = false;
  const auto end = [&] {
    late = true;
    boost::system::error_code ignored;
    socket.close(ignored);
  };
  const auto alarm = timers_.alarm(deadline, end);
  boost::system::error_code failed;
  const auto address = asio::ip::make_address(server.address, failed);
  const std::string where = to_string(server) + " by TCP: ";
  if (!failed) {
    const asio::ip::tcp::endpoint endpoint(address, server.port);
    co_await socket.async_connect(endpoint, redirect_error(use_awaitable, failed));
  }
  const std::string& message = letter.message.bytes;
  std::string framed{static_cast<char>(message.size() >> 8),
                     static_cast<char>(message.size() & 0xff)};
  framed += message;
  if (!failed) {
    co_await asio::async_write(socket, asio::buffer(framed), redirect_error(use_awaitable, failed));
  }
  // A server acts on whole messages only.
  if (failed) co_return not_sent(where + (late ? "took nothing in time" : failed.message()));
  const bool taken = kind == Kind::kUpdate;
  std::array<unsigned char, 2> length{};
  co_await asio::async_read(socket, asio::buffer(length), redirect_error(use_awaitable, failed));
  std::string bytes(size_t{length[0]} << 8 | length[1], '\0');
  if (!failed) {
    co_await asio::async_read(socket, asio::buffer(bytes), redirect_error(use_awaitable, failed));
  }
  if (failed) {
    co_return failure(where + (late ? "did not answer in time" : failed.message()), taken);
  }
  if (letter.take(bytes, key_, timers_.clock().wall())) co_return base::Done{};
  const std::string why = letter.doubt.empty() ? "answered something else" : letter.doubt;
  co_return failure(where + why, taken);
}

asio::awaitable<base::Result<std::vector<Answer>>> Courier::ask(ServerPlace server,
                                                                std::vector<std::string> questions,
                                                                base::Instant deadline) {
  std::vector<Letter> letters = letters_of(std::move(questions));
  const base::Result<> asked = co_await by_udp(server, letters, Kind::kQuestion, deadline);
  if (!asked) co_return asked.error();
  std::vector<Answer> answers;
  for (Letter& letter : letters) {
    if (letter.answer->truncated) {
      letter.answer.reset();
      const base::Result<> again = co_await by_tcp(server, letter, Kind::kQuestion, deadline);
      if (!again) co_return again.error();
    }
    answers.push_back(std::move(*letter.answer));
  }
  co_return answers;
}

asio::awaitable<base::Result<Answer>> Courier::tell(ServerPlace server, std::string update,
                                                    base::Instant deadline) {
  std::vector<std::string> messages;
  messages.push_back(std::move(update));
  std::vector<Letter> letters = letters_of(std::move(messages));
  Letter& letter = letters.front();
  if (letter.message.bytes.size() > 65535) co_return not_sent("the change is too large");
  base::Result<> told;
  if (letter.message.bytes.size() > kLargestDatagram) {
    told = co_await by_tcp(server, letter, Kind::kUpdate, deadline);
  } else {
    told = co_await by_udp(server, letters, Kind::kUpdate, deadline);
  }
  if (!told) co_return told.error();
  co_return std::move(*letter.answer);
}

}  // namespace agent::dns
