// Departures: how all clients of a worker leave it without any of them missing an answer.
//
// Two ways: they move to another process that takes over (plain ones; those by TLS, whose state
// lies in OpenSSL, are closed between two requests), or all are closed between two requests because
// the proxy ends. Either way a client goes when nothing that it has begun is left, and a few at a
// time: neither a worker's turn nor those who have to come back are flooded.
//
// What moves is put into an Outbox, from which whoever speaks to the other process takes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/net/fd.h"
#include "base/time/clock.h"
#include "proxy/handover/record.h"

namespace proxy {

class Client;
class Worker;

// A client between two processes.
struct Departed {
  base::net::UniqueFd fd;
  handover::ClientRecord record;
};

// Thread: any. Owner: the hand-over.
class Outbox {
 public:
  void put(Departed departed) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(departed));
  }
  std::vector<Departed> take() {
    const std::lock_guard lock(mutex_);
    return std::move(waiting_);
  }

 private:
  std::mutex mutex_;
  std::vector<Departed> waiting_;  // guarded by mutex_
};

using OutboxPtr = std::shared_ptr<Outbox>;

// Thread: the worker's. Owner: the worker.
class Departures {
 public:
  explicit Departures(Worker& worker) : worker_(worker) {}

  // How long a client may take to a boundary once it has been told to move: a backend has answered by
  // then or is given up. Who has none afterwards is closed.
  static base::Duration patience(base::Duration request_timeout) {
    return std::max(kLeastPatience, request_timeout + kMargin);
  }

  // Everybody moves; a part of them at each look().
  void move_to(OutboxPtr outbox);
  // Everybody is closed between two requests; a part of them at each tick.
  void close_all();
  // Nobody leaves any more who has not left.
  void stop();
  bool moves_to(const OutboxPtr& outbox) const { return outbox_ == outbox; }
  bool active() const { return how_ != How::kNobody; }

  // Starts the leaving of up to `count` more clients.
  void look(size_t count);
  // A client has come although everybody leaves.
  void see(Client& client);
  // A client that leaves has come to a boundary.
  void take(Client& client);
  void tick();

 private:
  struct Told {
    uint32_t index = 0, serial = 0;
    base::Instant at;
  };
  enum class How : uint8_t { kNobody, kMove, kClose };
  static constexpr base::Duration kLeastPatience = std::chrono::seconds(2);
  static constexpr base::Duration kMargin = std::chrono::milliseconds(500);
  static constexpr size_t kClosedPerTick = 256;
  static constexpr size_t kTlsClosedPerTick = 64;  // each comes back with a full handshake

  void tell(Client& client);
  void close_late();

  Worker& worker_;
  How how_ = How::kNobody;
  OutboxPtr outbox_;
  size_t cursor_ = 0;        // clients below it have been looked at
  size_t close_cursor_ = 0;  // the same for those that are closed
  std::deque<Told> told_;    // to move, or to be closed because they cannot
};

}  // namespace proxy
