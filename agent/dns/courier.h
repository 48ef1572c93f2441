// Courier: brings signed messages to one name server and its authentic answers back.
//
// UDP, sent again until it is answered; TCP for what is too large. Each call has a socket of its own with
// a port that nobody can guess, connected, so that the kernel drops what comes from elsewhere. Whatever
// is not an answer to what was asked, signed with the key, is none.
//
// Questions and UPDATEs differ in what silence means: nothing was changed by a question; an UPDATE that
// left may be taken by the server even after everybody gave up.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/dns/message.h"
#include "agent/dns/tsig.h"
#include "base/core/result.h"
#include "base/time/timers.h"

namespace agent::dns {

struct ServerPlace {
  std::string address;  // numeric
  uint16_t port = 53;
};
std::string to_string(const ServerPlace& place);  // "10.0.0.53:53", "[::1]:53"

// Thread: one executor's. Owner: the switch.
class Courier {
 public:
  Courier(boost::asio::any_io_executor executor, base::Timers& timers, Key key)
      : executor_(std::move(executor)), timers_(timers), key_(std::move(key)) {}

  // All at once; answers in the order of the questions. kUnavailable: one has no authentic answer.
  boost::asio::awaitable<base::Result<std::vector<Answer>>> ask(ServerPlace server,
                                                                std::vector<std::string> questions,
                                                                base::Instant deadline);
  // kUnavailable: the server certainly did not get it. kUnknown: it may have.
  boost::asio::awaitable<base::Result<Answer>> tell(ServerPlace server, std::string update,
                                                    base::Instant deadline);
  const Key& key() const { return key_; }

 private:
  enum class Kind { kQuestion, kUpdate };
  struct Letter;
  class Round;

  std::vector<Letter> letters_of(std::vector<std::string> messages) const;
  boost::asio::awaitable<base::Result<>> by_udp(ServerPlace server, std::vector<Letter>& letters,
                                                Kind kind, base::Instant deadline);
  boost::asio::awaitable<base::Result<>> by_tcp(ServerPlace server, Letter& letter, Kind kind,
                                                base::Instant deadline);

  boost::asio::any_io_executor executor_;
  base::Timers& timers_;
  const Key key_;
};

}  // namespace agent::dns
