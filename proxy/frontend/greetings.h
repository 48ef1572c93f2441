// Greetings: connections whose PROXY protocol header has not arrived whole.
//
// A balancer at a configured address says who the client is before the client's first byte. Until
// then nobody knows whom to count, so the connection is no Client yet: it waits here, is looked at
// without being read past the header, and then enters the worker under the real address, by TLS or
// plain. Bounded in number and in time; what is malformed is closed and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/net/fd.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/backend/loop.h"
#include "proxy/frontend/departures.h"
#include "proxy/frontend/listener.h"

namespace proxy {

class Worker;

// Thread: the worker's. Owner: the worker.
class Greetings {
 public:
  explicit Greetings(Worker& worker) : worker_(worker) {}

  // `peer`: the balancer's address; stands for a client that it does not name.
  void add(base::net::UniqueFd fd, const admission::ClientAddress& peer, const Entrance& entrance);
  // One that another process, which may still hold the socket, had begun with: `head` is what it has read
  // of the header.
  void take_over(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                 const Entrance& entrance, std::string head);
  void tick(base::Instant now);
  // Nothing that ended in this turn is needed any more.
  void end_turn() { ended_.clear(); }
  void close_all();
  // All of them go to another process.
  void move_to(Outbox& outbox);

 private:
  static constexpr size_t kMost = 4096;

  class Greeting final : public Loop::Source {
   public:
    Greeting(Greetings& all, base::net::UniqueFd fd, const admission::ClientAddress& peer,
             const Entrance& entrance, base::Instant deadline)
        : all_(all), fd_(std::move(fd)), peer_(peer), entrance_(entrance), deadline_(deadline) {}
    void on_ready(uint32_t events) override;

   private:
    friend class Greetings;
    Greetings& all_;
    base::net::UniqueFd fd_;
    const admission::ClientAddress peer_;
    const Entrance entrance_;
    const base::Instant deadline_;
    std::string head_;  // of the header, as far as it has come
    bool shares_socket_ = false;
  };

  Greeting* begin(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                  const Entrance& entrance);
  void end(Greeting& greeting);
  void fail(Greeting& greeting, const char* why);

  Worker& worker_;
  std::unordered_map<int, std::unique_ptr<Greeting>> waiting_;  // by descriptor
  std::vector<std::unique_ptr<Greeting>> ended_;  // may be among the events of this turn
};

}  // namespace proxy
