// Link: one worker's connection to one backend, shared by all its clients.
//
// Idea: requests of a turn are gathered in one output buffer and sent with one system call; replies
// are matched to requests by order alone. The link is up only after the backend has *answered*: a
// stopped process still accepts connections. Each connection begins with a read of the fence record
// and repeats it every kFenceInterval, so the answers say at the same time that the backend lives and
// whether this proxy may still serve from it.
//
//   idle → connecting → probing → up → (lost) → down → connecting …
//
// A request older than the deadline at the head of the queue means a stuck backend: the connection is
// given up, everything in flight fails at once, and new requests are refused until it answers again.
// Nothing is ever sent twice: a read that got no reply is a miss or an error like a write's, since the
// client knows better whether its answer is still worth a second request, and repeats multiply load
// just when there is too much of it.
//
// No more waits than the limits say, and less when what waits has grown old (health/overload.h).
//
// Replies that come when the record has grown old wait for it to be read again
// (backend/confirmation_wait.h), since a worker that stood still is no reason to refuse anything. Records
// that come late behind large replies are read on another connection as well (backend/fence_probe.h).
//
// The clock is read again after each receive: a reply must be judged by a time that is certainly
// later than the moment the backend made it, however long this process was stopped in between.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/memcache/buffer.h"
#include "base/memcache/meta_reply.h"
#include "base/net/fd.h"
#include "base/telemetry/segment.h"
#include "base/time/clock.h"
#include "proxy/backend/confirmation_wait.h"
#include "proxy/backend/fence_probe.h"
#include "proxy/backend/loop.h"
#include "proxy/config/config.h"
#include "proxy/health/backoff.h"
#include "proxy/health/overload.h"
#include "proxy/ring/fence.h"
#include "proxy/route/in_flight.h"

namespace proxy {

class Link;

// Thread: the worker's. Implemented by the router.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  // `key` and `reply` are valid during the call, and the request is the front of link.in_flight().
  // `now` is later than the reply's arrival.
  virtual void on_reply(Link& link, const route::Pending& pending, std::string_view key,
                        const base::memcache::MetaReply& reply, base::Instant now) = 0;
  // Called while the request is the front of link.in_flight().
  virtual void on_lost(Link& link, const route::Pending& pending, std::string_view key,
                       base::telemetry::Failure failure) = 0;
  // What the backend's record says was read into link.fence(); tell what all backends together say.
  virtual void on_record(Link& link, const ring::FenceRecord& record, base::Instant asked) = 0;
  // Output is waiting: call link.flush() before the turn ends.
  virtual void on_dirty(Link& link) = 0;
};

// What all links of a worker share.
struct LinkContext {
  Loop& loop;
  base::Clock& clock;
  LinkOwner& owner;
  base::telemetry::LatencyWriter& latencies;
  char* scratch;  // for receiving
  size_t scratch_size;
  // May change on reload.
  base::Duration connect_timeout;
  base::Duration request_timeout;
  base::Duration queue_target;
  base::Duration keepalive;
  BackendQueue queue;
};

// Thread: the worker's. Owner: the router. Invariant: in_flight_ is empty unless connected.
class Link final : public Loop::Source, public FenceProbe::Reader {
 public:
  Link(LinkContext& context, uint16_t index, std::string id, base::telemetry::BackendCells& cells)
      : context_(context), index_(index), id_(std::move(id)), cells_(cells) {}
  ~Link() override;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  uint16_t index() const { return index_; }
  const std::string& id() const { return id_; }
  bool is_up() const { return state_ == State::kUp; }
  // Up, and what waits for it is within the limits.
  bool takes_requests() const {
    return is_up() && in_flight_.size() < most_requests_ && out_.size() < most_bytes_;
  }
  base::telemetry::Failure why_not() const;
  const ring::FenceWatch& fence() const { return fence_; }
  base::telemetry::BackendCells& cells() { return cells_; }

  // Connects, or reconnects if the address changed. An empty address: none; one that begins with '/'
  // is a Unix socket, whose port means nothing.
  void set_endpoint(const std::string& address, uint16_t port, base::Instant now);

  // Append one request here, then call sent().
  base::memcache::Buffer& out() { return out_; }
  void sent(const route::Pending& pending, std::string_view key, std::string_view flags = {});
  route::InFlight& in_flight() { return in_flight_; }

  void tick(base::Instant now);
  void flush();
  void on_ready(uint32_t events) override;
  // Takes what has arrived, if anything has.
  void hear();

 private:
  enum class State : uint8_t { kIdle, kDown, kConnecting, kProbing, kUp };

  void connect(base::Instant now);
  void on_connected(base::Instant now);
  void ask_fence(base::Instant now);
  void receive();
  // Whether what has arrived, all of it in in_, still has to wait for the record.
  bool waits_for_record(base::Instant now);
  void take_buffered(base::Instant now);
  // Whether the oldest request has been waiting for too long.
  bool is_front_late(base::Instant now);
  // What the nth reply that has arrived is to a wait.
  ConfirmationWait::Kind kind_of(size_t n, const base::memcache::MetaReply& reply,
                                 base::Instant now);
  void note_in_flight();
  // Bytes used of `input`, or nothing when the connection was given up.
  bool take_replies(std::string_view input, size_t& used, base::Instant now);
  void take_reply(const base::memcache::MetaReply& reply, base::Instant now);
  static base::telemetry::LatencyKind latency_kind(const route::Pending& pending);
  static bool has_lost_step(const route::Pending& pending, const base::memcache::MetaReply& reply);
  void take_fence(const base::memcache::MetaReply& reply, int64_t asked_ns, base::Instant now);
  void take_record(const std::optional<ring::FenceRecord>& record, base::Instant asked,
                   base::Instant now);
  void want_probe(base::Instant now);
  void on_probed(const std::optional<ring::FenceRecord>& record, base::Instant asked,
                 base::Instant now) override;
  void lose(base::telemetry::Failure failure, const char* reason);
  void want_events(uint32_t events);
  void watch_queue(base::Instant now);
  void take_limits();

  LinkContext& context_;
  const uint16_t index_;
  const std::string id_;
  base::telemetry::BackendCells& cells_;

  State state_ = State::kIdle;
  std::string address_;
  uint16_t port_ = 0;
  base::net::UniqueFd fd_;
  uint32_t events_ = 0;
  bool is_dirty_ = false;
  health::Backoff backoff_;
  health::Overload overload_;
  size_t most_requests_ = 0;  // as of the last tick
  size_t most_bytes_ = 0;
  base::Instant at_;          // down: when to connect; connecting, probing: when to give up
  base::Instant next_fence_;  // up
  base::Instant own_record_;  // up: when the last was asked for that came on this connection
  ring::FenceWatch fence_;
  std::unique_ptr<FenceProbe> probe_;  // null: never wanted
  ConfirmationWait wait_;
  route::InFlight in_flight_;
  base::memcache::MetaReplyParser parser_;
  base::memcache::Buffer out_;
  base::memcache::Buffer in_;  // the unfinished end of what was received, or all that waits
};

}  // namespace proxy
