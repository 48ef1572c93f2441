// EchoPath: how echoes over UDP pass a link, so that they meet what its connections meet.
//
// A datagram from the asking side draws its fate from the link's faults: it is passed on, held for a
// while, or lost; what a lost packet costs a connection is a retransmission, but nobody sends a
// datagram again. Answers go back undisturbed, to whoever asked last, and a stall holds both ways.
// What the datagrams say is not looked at. Bounded: more than kMostHeld each way are lost.
#pragma once

#include <netinet/in.h>

#include <map>
#include <optional>
#include <string>

#include "base/net/fd.h"
#include "base/time/clock.h"
#include "cli/forwarder/faults.h"
#include "cli/forwarder/link.h"

namespace cli {

// Thread: the forwarder's loop. Owner: the forwarder's link.
class EchoPath {
 public:
  static constexpr size_t kMostHeld = 64;

  // Nothing when a socket cannot be had: a link serves without echoes as well.
  static std::optional<EchoPath> open(const LinkPlace& listen, const LinkPlace& echo);

  int asker_fd() const { return asker_.get(); }
  int responder_fd() const { return responder_.get(); }

  void read_asker(const LinkName& link, FaultSet& faults, base::Instant now);
  void read_responder(base::Instant now);
  // Sends what is due.
  void pass_on(base::Instant now);
  // When the next may leave.
  std::optional<base::Instant> due() const;

 private:
  using Held = std::multimap<base::Instant, std::string>;  // datagrams may overtake each other

  EchoPath(base::net::UniqueFd asker, base::net::UniqueFd responder)
      : asker_(std::move(asker)), responder_(std::move(responder)) {}

  base::net::UniqueFd asker_;      // bound where the link listens
  base::net::UniqueFd responder_;  // connected to where its echoes lead
  sockaddr_in asked_by_{};
  Held questions_, answers_;
};

}  // namespace cli
