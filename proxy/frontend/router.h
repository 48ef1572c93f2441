// Router: one worker's way to the backends, and the judge of what may be answered.
//
// Sending: the key's slot names the backend; a moving slot, a fence or a backend that is away is
// answered at once. Replying: a backend's reply reaches the client only if, at that moment, the key's
// slot still has the owner and since under which the request was sent, the cache its generation, and
// the fence confirms the backend. Otherwise a read is a miss and a write a SERVER_ERROR, never the
// value. This is the whole of invariant 2 on the request path; whatever stops this process between
// any two instructions, the judgement comes after the reply's arrival.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/memcache/request.h"
#include "base/telemetry/segment.h"
#include "proxy/backend/link.h"
#include "proxy/frontend/key_telemetry.h"
#include "proxy/frontend/slow_telemetry.h"
#include "proxy/frontend/world.h"
#include "proxy/route/answer.h"

namespace proxy {

class Client;

// Finds the connections that replies are for. Thread: the worker's. Implemented by the worker.
class ClientTable {
 public:
  virtual ~ClientTable() = default;
  // Null when that connection is gone.
  virtual Client* find(uint32_t index, uint32_t serial) = 0;
};

// A worker's part of the telemetry segment.
struct RouterCells {
  base::telemetry::WorkerBlock& worker;
  base::telemetry::DetailBlock& details;
  base::telemetry::LatencyWriter& latencies;
};

// Thread: the worker's. Owner: the worker.
class Router final : public LinkOwner {
 public:
  Router(Loop& loop, base::Clock& clock, ClientTable& clients, RouterCells cells, World world);

  const World& world() const { return world_; }
  uint32_t world_number() const { return number_; }
  // Connects to the backends of the first World; before the first request, on the worker's thread.
  void start(base::Instant now);
  // Whether every backend of the World has answered.
  bool is_connected() const;
  size_t connected_backends() const;
  // Takes effect for every request and reply from here on; requests in flight for slots that move
  // are answered before this returns.
  void install(World world, base::Instant now);

  // Sends one key of `request`. `pending` has its cache, generation, client and ticket filled in. On a
  // failure nothing was sent and the caller answers (answer_failure).
  std::optional<base::telemetry::Failure> send(const base::memcache::Request& request,
                                               std::string_view key, route::Pending& pending,
                                               bool may_touch, base::Instant now);
  // A miss or an error, by what failed and by policy. `flags`: a meta get's. `arrived`: the size of a
  // value that may not be shown, but has come.
  void answer_failure(Client& client, const route::Pending& pending, std::string_view key,
                      std::string_view flags, base::telemetry::Failure failure, size_t arrived = 0);

  void tick(base::Instant now);
  // Takes what the backends have sent. Among thousands of clients that are ready too it would be
  // their turn so seldom that no fence record is young when it is read.
  void hear();
  // Requests sent and replies received so far.
  uint64_t messages() const { return messages_; }
  // Sends what the turn gathered. True if there was something.
  bool flush();
  // When replies have been sent as far as they could.
  void end_turn();

  void on_reply(Link& link, const route::Pending& pending, std::string_view key,
                const base::memcache::MetaReply& reply, base::Instant now) override;
  void on_lost(Link& link, const route::Pending& pending, std::string_view key,
               base::telemetry::Failure failure) override;
  void on_record(Link& link, const ring::FenceRecord& record, base::Instant asked) override;
  void on_dirty(Link& link) override { dirty_.push_back(&link); }

 private:
  std::optional<base::telemetry::Failure> judge(const Link& link, const route::Pending& pending,
                                                base::Instant now) const;
  // Of the slot that `pending` is for; `backend` owns it.
  base::memcache::CasTokens tokens_of(const route::Pending& pending, uint16_t backend) const;
  bool still_stands(const route::Pending& pending, uint16_t backend) const;
  void answer_moved();
  void configure_links(base::Instant now);
  void configure_samples();
  void sample_key(const route::Pending& pending, std::string_view key, route::Outcome outcome,
                  size_t bytes);
  void sample_slow(Link& link, Client& client, const route::Pending& pending, std::string_view key,
                   std::optional<base::telemetry::Failure> failure, base::Instant now);

  ClientTable& clients_;
  base::telemetry::WorkerBlock& cells_;
  base::telemetry::DetailBlock& details_;
  KeyTelemetry keys_;
  SlowTelemetry slow_;
  std::unique_ptr<char[]> scratch_;
  LinkContext context_;
  World world_;
  uint32_t number_ = 1;
  uint64_t messages_ = 0;
  ring::FenceRecord known_;  // world_.known()
  ring::FenceRecord seen_;   // the newest any backend has shown
  std::array<std::unique_ptr<Link>, base::telemetry::kMaxBackends> links_;
  std::vector<Link*> dirty_;
};

}  // namespace proxy
