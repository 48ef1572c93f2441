// Listener: accepts connections for one worker.
//
// Each worker has its own listening sockets (SO_REUSEPORT: the kernel spreads connections), so no
// connection is ever handed from thread to thread. The Unix socket, of which there can be only one, is
// shared by all workers. Accepts are paced: while those who are new have used up their share of
// the worker's time, the rest wait in the kernel's queue, and it is not looked at. When descriptors run
// out, a spare one is given up to accept and refuse: a connection that cannot be served must not stay
// in the kernel's queue, where it would wake the loop for ever.
#pragma once

#include <string>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "proxy/backend/loop.h"
#include "proxy/config/config.h"

namespace proxy {

class Worker;

// What a listening socket leads to.
struct Entrance {
  base::CacheId open_cache = 0;  // 0: clients must authenticate
  bool tls = false;
};

// Binds and listens. `port` 0 takes any free one and is set to it. The first socket of a port must be
// `exclusive`: it fails with kExists while another process listens, which SO_REUSEPORT alone hides.
base::Result<base::net::UniqueFd> open_listening_socket(const std::string& address, uint16_t& port,
                                                        bool exclusive);

// Thread: the worker's. Owner: the worker.
class Listener final : public Loop::Source {
 public:
  Listener(Worker& worker, base::net::UniqueFd fd, const Entrance& entrance);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  void on_ready(uint32_t events) override;
  // Of those who come from now on.
  void set_keepalive(base::Duration patience);
  // The worker's, while it accepts: that there is time for strangers again, and a tick has passed.
  void on_time();
  void on_tick();
  int fd() const { return fd_.get(); }

 private:
  bool accept_one();
  bool refuse_for_want_of_descriptors();
  void refuse(base::net::UniqueFd client);
  // What is awaited with nobody looking at the socket.
  enum class Rest : uint8_t { kNo, kForTime, kForDescriptors };
  void rest(Rest rest);

  Worker& worker_;
  base::net::UniqueFd fd_;
  Rest rest_ = Rest::kNo;
  const Entrance entrance_;
};

}  // namespace proxy
