// Client: one connection of a memcache client.
//
// A plain state machine over bytes (STYLE §12). What arrives is parsed where it was received (the
// worker's shared buffer) and only an unfinished command is kept, so an idle connection holds no
// memory but this object. Commands with keys go through the router; their replies come back by ticket
// and leave in order, once per turn.
//
// The connection stops being read while its replies pile up (kSoftOutput, or too many outstanding),
// and is closed when they exceed limits.in_flight_bytes: a client that does not read must not fill our
// memory. It waits, without disturbing others, while its flush_all is with the agent.
//
// Files: client.cc moves bytes, commands.cc obeys commands, session.cc knows who it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/memcache/ascii_parser.h"
#include "base/memcache/binary_parser.h"
#include "base/memcache/binary_writer.h"
#include "base/memcache/buffer.h"
#include "base/memcache/request.h"
#include "base/net/fd.h"
#include "base/telemetry/segment.h"
#include "proxy/admission/connection_counts.h"
#include "proxy/backend/loop.h"
#include "proxy/frontend/tls_channel.h"
#include "proxy/route/answer.h"
#include "proxy/route/in_flight.h"
#include "proxy/route/reply_queue.h"
#include "proxy/tenant/accounts.h"
#include "proxy/tenant/login.h"

namespace proxy {

class Worker;

// Who is at the other end, and what it may do under the present configuration.
struct Session {
  bool authenticated = false;
  bool is_open = false;  // by the open listener: no credential
  std::string user;
  uint64_t proof = 0;  // hash of the verifier it proved itself against
  base::CacheId cache = 0;
  // As of `world`; refreshed at the first request after a change.
  uint32_t world = 0;
  base::Generation generation = 0;
  bool is_flushing = false;  // its cache's last flush is not complete yet: no writes
  bool may_write = false, may_flush = false;
  tenant::Account* account = nullptr;
  tenant::CountRow* row = nullptr;
};

// Thread: the worker's. Owner: the worker; stays allocated until the end of the turn it closes in.
// Invariant: while closed() nothing refers to it but the worker's list of the dead.
class Client final : public Loop::Source {
 public:
  struct Identity {
    uint32_t index = 0;
    uint32_t serial = 0;
    admission::ClientAddress address{};
    base::CacheId open_cache = 0;  // 0: must authenticate
  };
  Client(Worker& worker, base::net::UniqueFd fd, const Identity& identity, base::Instant now);

  // Before the first event: speaks through it instead of to the socket. Null: plain.
  void set_channel(std::unique_ptr<TlsChannel> channel) { tls_ = std::move(channel); }

  void on_ready(uint32_t events) override;
  // Reads what its channel has kept.
  void read_on();

  // Replies, called by the router: write into reply_target(), then finish.
  base::memcache::Buffer& reply_target(route::Ticket ticket);
  void finish_reply(route::Ticket ticket, size_t value_size);
  void fail_group(route::Ticket ticket);
  void count(base::memcache::Command command, route::Outcome outcome);
  // The agent's answer to this client's flush_all.
  void finish_flush(route::Ticket ticket, std::string_view answer);

  // At the end of a turn: sends, goes on reading what was held back, closes when done.
  void end_turn();
  // No further request is read; closes once what has begun is answered.
  void finish();
  void close(const char* reason);

  bool closed() const { return !fd_.valid(); }
  const Identity& identity() const { return identity_; }
  const Session& session() const { return session_; }
  base::Instant opened() const { return opened_; }
  base::Instant active() const { return active_; }
  bool is_authenticated() const { return session_.authenticated; }
  bool is_dirty = false;  // in the worker's list for the end of the turn

 private:
  // client.cc
  void receive();
  void read_again_if_buffered();
  size_t consume(std::string_view input);
  void consume_held();
  bool take_one(std::string_view input, size_t& used);
  bool on_parse_error(const base::memcache::Parsed& parsed, const base::memcache::Request& request);
  bool may_read() const { return !finishing_ && !waits_for_flush_ && !is_congested(); }
  bool is_congested() const;
  bool send_output();
  void update_events();
  void mark_dirty();

  // commands.cc
  void obey(const base::memcache::Request& request);
  void obey_meta(const base::memcache::Request& request);
  void obey_keyed(const base::memcache::Request& request);
  void send_key(const base::memcache::Request& request, std::string_view key,
                route::ReplyQueue::Place place);
  route::Pending pending_of(const base::memcache::Request& request, bool in_group) const;
  void drop_old_value(const base::memcache::Request& request);
  void refuse_too_large(const base::memcache::Request& request);
  void obey_flush(const base::memcache::Request& request);
  void obey_stats(const base::memcache::Request& request);
  void obey_plain(const base::memcache::Request& request);
  void answer_status(const base::memcache::Request& request, base::memcache::binary::Status status,
                     std::string_view text);
  void answer_ascii(std::string_view text);
  // The same news in the client's protocol; a quiet command hears nothing.
  void answer_success(const base::memcache::Request& request, std::string_view ascii);

  // session.cc
  void obey_stranger(const base::memcache::Request& request);
  void obey_sasl(const base::memcache::Request& request);
  void obey_first_set(const base::memcache::Request& request);
  bool accept_login(const tenant::LoginResult& login);
  void refuse_login(const base::memcache::Request& request);
  void answer_stranger(const base::memcache::Request& request);
  bool refresh_session();
  bool enter_cache(const tenant::Cache& cache);
  void widen_limits();

  static constexpr size_t kSoftOutput = 1u << 20;
  static constexpr size_t kMostOutstanding = 4096;
  static constexpr int kMostTries = 5;

  Worker& worker_;
  // Constant after construction.
  const Identity identity_;
  const base::Instant opened_;

  base::net::UniqueFd fd_;
  std::unique_ptr<TlsChannel> tls_;  // over fd_; null: plain
  uint32_t events_ = 0;
  base::Instant active_;
  bool finishing_ = false;
  bool waits_for_flush_ = false;
  uint8_t failed_tries_ = 0;
  uint32_t typical_reply_ = 4096;          // bytes; how large replies have been lately, at most
  int32_t telemetry_index_ = -1;           // in the block's client table
  base::memcache::Request flush_request_;  // while waits_for_flush_; its views are dead
  uint64_t swallow_ = 0;                   // bytes of a refused value still to come
  base::memcache::Protocol protocol_ = base::memcache::Protocol::kUnknown;
  base::memcache::AsciiParser ascii_;
  base::memcache::BinaryLimits binary_limits_;
  Session session_;
  route::ReplyQueue replies_;
  base::memcache::Buffer in_;  // a command that has not arrived whole, or waits
  base::memcache::Buffer out_;

 public:
  // For the worker's bookkeeping of client addresses.
  int32_t telemetry_index() const { return telemetry_index_; }
};

}  // namespace proxy
