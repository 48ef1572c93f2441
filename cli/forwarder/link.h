// A link of a game-day region: where a proxy connects instead of to its backend, and the connections
// that pass through it. Sockets and queues only; what is held back and when is decided above.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "cli/forwarder/delay_queue.h"
#include "cli/forwarder/faults.h"

namespace cli {

struct LinkPlace {
  std::string address;
  uint16_t port = 0;
  friend bool operator==(const LinkPlace&, const LinkPlace&) = default;
};
struct LinkSpec {
  LinkName name;
  LinkPlace listen;  // port 0: any free one
  LinkPlace target;
  std::optional<LinkPlace> echo;  // where UDP datagrams to `listen` are carried (echo_path.h)
};

// A listening, non-blocking socket. kExists when the port is taken.
base::Result<base::net::UniqueFd> listen_at(const LinkPlace& place);
// A non-blocking socket on its way to `place`.
base::Result<base::net::UniqueFd> begin_connect(const LinkPlace& place);
// The same for datagrams: bound there, and connected to there.
base::Result<base::net::UniqueFd> datagrams_at(const LinkPlace& place);
base::Result<base::net::UniqueFd> datagrams_to(const LinkPlace& place);
uint16_t bound_port(int fd);

// One end of a connection: its socket, and what is to be written to it.
struct LinkEnd {
  base::net::UniqueFd fd;
  DelayQueue out;
  bool read_closed = false;   // it has sent all it will
  bool write_closed = false;  // it was told that no more comes
  uint32_t interest = 0;      // as registered with epoll
  bool deaf = false;          // finished, and no longer registered
};

enum class Flow { kGoesOn, kBroken };
// Reads one chunk; empty when there is nothing (or the end: read_closed is then set).
Flow read_chunk(LinkEnd& from, std::string& chunk);
// Writes what may leave by now.
Flow write_ready(LinkEnd& to, base::Instant now);

}  // namespace cli
