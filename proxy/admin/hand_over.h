// HandOver: the old process's side of a planned replacement (docs/architecture.md "Handing over").
//
// The new process says when it reaches the backends; then this side seals its state, lets the
// workers' clients go at request boundaries, in batches that the new process acknowledges one by one,
// and ends the conversation when none is left. Who owns a client is exact at every moment: a batch is
// the new process's when its acknowledgement is in our socket, ours before. If the new process dies,
// stands still or talks nonsense, the conversation is shut, what was acknowledged before is
// counted as gone, the rest comes back, the other process is killed, and all goes on as before.
//
// Invariant: from the seal until either this process has no client left and the new one has confirmed,
// or the new one has certainly ended, nobody obeys an acting call. So an acknowledgement never comes
// from one process while the other still serves by something older.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/timers.h"
#include "proxy/admin/control.h"
#include "proxy/admin/flushes.h"
#include "proxy/admin/state_dir.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/frontend/departures.h"
#include "proxy/frontend/worker.h"
#include "proxy/handover/channel.h"
#include "proxy/handover/listening.h"
#include "proxy/handover/peer.h"

namespace proxy::admin {

struct HandOverParts {
  base::Timers& timers;
  Control& control;
  StateDir& state;
  Flushes& flushes;
  const admission::ConnectionCounts& connections;
  std::vector<Worker*> workers;
  std::vector<handover::Listening> listening;
  std::vector<int> sockets;  // of listening; the workers'
  base::Duration patience;   // for each client to come to a boundary (Departures::patience)
  std::string metrics;       // the name of its metrics port
  int lock = -1;             // the descriptor that holds this process's lock; -1: none
};

// Thread: admin. Owner: app.
class HandOver {
 public:
  // Connects to the new process. kUnavailable, kPermission.
  static base::Result<std::unique_ptr<HandOver>> begin(HandOverParts parts,
                                                       const std::string& socket);
  int64_t peer_pid() const { return peer_.pid(); }

  // True: the new process is the proxy now, this one is to let go of its names and end. False: it
  // goes on as before.
  boost::asio::awaitable<bool> run();
  // This process is to end by itself: the hand-over fails, unless the state is sealed already.
  void cancel() { is_cancelled_ = true; }
  // After run() came true: the new process is to end too, as this one had been told.
  boost::asio::awaitable<void> pass_on_quit();

 private:
  struct Batch {
    uint32_t number = 0;
    size_t worker = 0;
    base::Instant sent;
    std::vector<Departed> clients;
  };
  using Step = boost::asio::awaitable<base::Result<>>;

  HandOver(HandOverParts parts, handover::Channel channel, handover::Peer peer)
      : parts_(std::move(parts)),
        channel_(std::move(channel)),
        peer_(std::move(peer)),
        leftover_(parts_.workers.size()) {
    for (size_t i = 0; i < parts_.workers.size(); ++i) {
      outboxes_.push_back(std::make_shared<Outbox>());
    }
  }

  base::Instant now() { return parts_.timers.clock().now(); }
  void introduce();
  Step seal();
  Step move_all();
  Step conclude();
  Step wait_for(handover::FrameType type, base::Duration patience);
  base::Result<> take_acknowledgements();
  base::Result<> acknowledge(std::string_view number);
  void send_batches();
  bool is_all_gone();
  boost::asio::awaitable<bool> resume(base::Error why);
  void take_back();

  HandOverParts parts_;
  handover::Channel channel_;
  handover::Peer peer_;
  std::vector<OutboxPtr> outboxes_;  // by worker
  uint64_t writes_at_hello_ = 0;
  uint32_t next_number_ = 1;
  std::deque<Batch> unacknowledged_;
  std::vector<std::vector<Departed>> leftover_;  // by worker: taken from its outbox, not yet sent
  uint64_t moved_ = 0;
  base::Instant acknowledged_;  // the last time
  bool is_cancelled_ = false;
  bool is_sealed_ = false, is_moving_ = false, is_confirmed_ = false;
};

}  // namespace proxy::admin
