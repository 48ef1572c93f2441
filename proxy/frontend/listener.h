// Listener: accepts connections for one worker.
//
// Each worker has its own listening sockets (SO_REUSEPORT: the kernel spreads connections), so no
// connection is ever handed from thread to thread. The Unix socket, of which there can be only one, is
// shared by all workers. Accepts are paced per turn. When descriptors run
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
  void on_ready(uint32_t events) override;
  int fd() const { return fd_.get(); }

 private:
  bool accept_one();
  void refuse_for_want_of_descriptors();

  Worker& worker_;
  base::net::UniqueFd fd_;
  base::net::UniqueFd spare_;
  const Entrance entrance_;
};

}  // namespace proxy
