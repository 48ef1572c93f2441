// Lobby: accepted connections that wait until the worker has time for them.
//
// Normally it is empty and everybody walks through. In a storm more connect than can be served, and
// each gives up after a time that we do not know. Served in the order of their arrival, all would
// have waited until just before they give up: the work would be done for those who have left, and a
// proxy that is busy with that never gets out of it. So the newest is served first, one that has left
// costs nothing but its place, and when the room is full the one that has waited longest is told to
// come back later, quickly and cheaply. Who has closed the sending half alone cannot be told from one
// that has left, and is taken for that: clients give up by the thousand, and hardly any half-closes
// before it has logged in.
//
// How many are let in: while strangers have time left (admission/accept_pace.h), and no more a
// second than limits.connection_rate.proxy says.
#pragma once

#include <cstdint>
#include <deque>

#include "base/net/fd.h"
#include "base/telemetry/cells.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/admission/rate.h"
#include "proxy/frontend/listener.h"

namespace proxy {

class Worker;

// Thread: the worker's. Owner: the worker. Invariant: waiting_ is in the order of arrival.
class Lobby {
 public:
  explicit Lobby(Worker& worker) : worker_(worker) {}

  void enter(base::net::UniqueFd fd, const admission::ClientAddress& peer,
             const Entrance& entrance);
  // Once a turn: lets in who may come in. True when more could be let in as soon as there is time.
  bool serve();
  // Ends those who have waited longer than a stranger may take.
  void tick();
  void let_all_in();
  void close_all() { waiting_.clear(); }
  bool is_empty() const { return waiting_.empty(); }

 private:
  static constexpr size_t kMost = 1024;
  static constexpr base::Duration kBurst = std::chrono::milliseconds(50);

  struct Guest {
    base::net::UniqueFd fd;
    admission::ClientAddress peer;
    Entrance entrance;
    base::Instant since;
  };

  // A handshake takes as long as many requests: one a turn.
  bool has_time_for(const Entrance& entrance) const;
  bool is_allowed();
  void let_in(Guest guest);
  static bool has_left(const Guest& guest);
  void turn_away(const Guest& guest, base::telemetry::Failure why);

  Worker& worker_;
  std::deque<Guest> waiting_;
  admission::Rate rate_;
  bool has_let_in_tls_ = false;  // in this turn
};

}  // namespace proxy
