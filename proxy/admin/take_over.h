// TakeOver: the new process's side of a planned replacement (docs/architecture.md "Handing over").
//
// It runs before the admin thread's loop, step by step and with deadlines: connect, read the state,
// reach the backends, then ask for the seal and take what comes. Until confirm() has returned
// success this process obeys nobody and has none of the old one's names (control socket, metrics port,
// telemetry file), so that it can vanish at any moment and the old one goes on. Afterwards it goes on,
// whatever fails.
//
// A client is acknowledged before anything is read from it, and is given to a worker only if the
// acknowledgement could be sent: otherwise it is still the old process's. If the old one dies in
// between, what has arrived is everything there is, and this process goes on alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"
#include "proxy/admin/control.h"
#include "proxy/admin/state_dir.h"
#include "proxy/frontend/worker.h"
#include "proxy/handover/channel.h"
#include "proxy/handover/listening.h"
#include "proxy/handover/peer.h"

namespace proxy::admin {

// Thread: admin, before its loop runs. Owner: app.
class TakeOver {
 public:
  // `control_socket`: of the old process. `fence`: the highest on disk, which shows that this
  // process reads the same state.
  static base::Result<std::unique_ptr<TakeOver>> begin(const std::string& control_socket,
                                                       uint64_t fence, base::Clock& clock);

  // A socket of this kind that nobody has taken yet; not valid: none is left.
  base::net::UniqueFd take_socket(const handover::Listening& wanted);

  // When the workers run: everything until the old process has no client left.
  base::Result<> take_all(Control& control, StateDir& state, std::vector<Worker*> workers,
                          base::CacheId open_cache);
  // From here on the proxy is this process, unless this fails; returns when the old one has let go of
  // its names, or is late with it.
  base::Result<> confirm();

  // Tries a moment: what the old process has let go of may be taken a little longer.
  base::Result<> insist(const std::function<base::Result<>()>& attempt);

  // What the old process has promised to clients (Flushes::keep_promises).
  const std::vector<std::string>& promises() const { return promises_; }
  // The descriptor that holds the lock; -1: the old one had none. For the life of the process.
  int lock() const { return lock_.get(); }
  // The name of the old process's metrics port; empty: it does not say.
  const std::string& metrics_there() const { return metrics_there_; }
  // Whether the old process had been told to end when it could only hand over: so this one is to.
  bool is_quit_wanted() const { return is_quit_wanted_; }
  uint64_t connections() const { return connections_; }

 private:
  TakeOver(base::Clock& clock, handover::Channel channel, handover::Peer peer)
      : clock_(clock), channel_(std::move(channel)), peer_(std::move(peer)) {}

  base::Result<handover::Frame> receive(base::Duration patience);
  base::Result<> expect_introduction();
  void hear_last_words();
  base::Result<> wait_warm(const Control& control);
  base::Result<> take_state(Control& control, StateDir& state, bool changed);
  base::Result<> take_clients(handover::Frame frame, std::vector<Worker*>& workers,
                              base::CacheId open_cache);
  base::Result<> say(handover::FrameType type, std::string_view body);

  base::Clock& clock_;
  handover::Channel channel_;
  handover::Peer peer_;
  std::vector<handover::Listening> listening_;
  std::vector<base::net::UniqueFd> sockets_;  // of listening_; not valid: taken
  base::net::UniqueFd lock_;
  std::vector<std::string> fenced_there_;
  std::vector<std::string> promises_;
  std::string metrics_there_;
  uint64_t connections_ = 0;
  std::vector<uint64_t> given_;  // clients, by worker
  bool is_quit_wanted_ = false;
  bool is_alone_ = false;  // the old process died after the seal
};

}  // namespace proxy::admin
