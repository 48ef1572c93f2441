// Mesh: the agent's part in the mesh of echoes: it asks its targets and answers its peers.
//
// Whoever has neither links that carry echoes nor peers has no mesh, and opens no socket. A socket that
// cannot be had is logged and costs the echoes only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "agent/coord/region.h"
#include "agent/mesh/prober.h"
#include "agent/mesh/responder.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::mesh {

// Thread: the control thread's. Owner: app.
class Mesh {
 public:
  using Sink = std::function<void(const std::vector<series::Sample>&)>;
  struct Wishes {
    std::function<base::Duration()> pace;  // between two echoes of a target
    std::function<bool()> is_urgent;       // many are wanted now
  };
  Mesh(const coord::Region& region, base::Timers& timers, Wishes wishes, Sink sink);

  void start(const boost::asio::any_io_executor& executor, base::Gate& gate);
  void stop();

  // Null: there is none.
  const EchoProber* prober() const { return prober_.get(); }
  const EchoResponder* responder() const { return responder_.get(); }

 private:
  // Constant after construction.
  const coord::Region& region_;
  base::Timers& timers_;
  const Wishes wishes_;
  const Sink sink_;

  std::unique_ptr<EchoProber> prober_;
  std::unique_ptr<EchoResponder> responder_;
};

}  // namespace agent::mesh
