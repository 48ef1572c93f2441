// Client: one connection of a memcache client.
//
// A plain state machine over bytes (STYLE §12). What arrives is parsed where it was received (the
// worker's shared buffer) and only an unfinished command is kept, so an idle connection holds no
// memory but this object. Commands with keys go through the router; their replies come back by ticket
// and leave in order, once per turn.
//
// The connection stops being read while its replies pile up (kSoftOutput, or too many outstanding),
// and is closed when they exceed limits.in_flight_bytes: a client that does not read must not fill our
// memory. For the same reason the keys of one get are not all sent at once (Group). It waits, without
// disturbing others, while its flush_all is with the agent.
//
// Files: client.cc moves bytes, client_load.cc counts what is in flight, commands.cc obeys commands,
// session.cc knows who it is, leaving.cc lets it go at a request's boundary, to another process or for
// good.
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
#include "proxy/admission/loads.h"
#include "proxy/backend/loop.h"
#include "proxy/frontend/tls_channel.h"
#include "proxy/handover/record.h"
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

  // Replies, called by the router: write into reply_target(), then finish.
  base::memcache::Buffer& reply_target(route::Ticket ticket);
  void finish_reply(route::Ticket ticket, size_t value_size);
  void fail_group(route::Ticket ticket);
  void count(base::memcache::Command command, route::Outcome outcome);
  // Whether the kernel has the reply of `ticket`, and all before it.
  bool has_sent(route::Ticket ticket) const { return replies_.has_left(ticket) && out_.empty(); }
  // The agent's answer to this client's flush_all.
  void finish_flush(route::Ticket ticket, std::string_view answer);

  // At the end of a turn: sends, goes on reading what was held back, closes when done.
  void end_turn();
  // No further request is read; closes once what has begun is answered.
  void finish();
  void close(const char* reason);

  // What becomes of it at the next boundary between two requests.
  enum class Leaving : uint8_t {
    kNo,
    kMoves,  // to another process: nothing more is read, it goes once its replies are there
    kCloses  // it goes on until nothing that has begun is left, then it is closed
  };
  void leave(Leaving how);
  bool is_tls() const { return tls_ != nullptr; }
  // Its socket and all that is to know of it; it is closed to us from here on.
  base::net::UniqueFd pack(handover::ClientRecord& record);
  // The other way round, for a client that was just made. `returns`: of a pack() of this process.
  void unpack(handover::ClientRecord record, bool returns);

  // Another process may still hold it: closing it here does not end the events that it is watched for.
  void note_shared_socket() { shares_socket_ = true; }

  bool closed() const { return !fd_.valid(); }
  const Identity& identity() const { return identity_; }
  const Session& session() const { return session_; }
  base::Instant opened() const { return opened_; }
  base::Instant active() const { return active_; }
  bool is_authenticated() const { return session_.authenticated; }
  bool is_dirty = false;  // in the worker's list for the end of the turn

 private:
  // client.cc
  void serve(uint32_t events);
  void receive();
  void read_again_if_buffered();
  size_t consume(std::string_view input);
  void consume_held();
  void read_on();
  bool take_one(std::string_view input, size_t& used);
  void count_read(size_t used);
  bool has_answered_all() const { return replies_.empty() && out_.empty() && group_ == nullptr; }
  bool on_parse_error(const base::memcache::Parsed& parsed, const base::memcache::Request& request);
  bool may_read() const {
    return !finishing_ && !waits_for_flush_ && !waits_for_replies_ && leaving_ != Leaving::kMoves &&
           !is_congested();
  }
  bool wants_input() const { return may_read() && !input_ended_; }
  void finish_after_input();
  bool is_congested() const;
  bool send_output();
  void close_broken(int error);
  void unwatch();
  void update_events();
  void mark_dirty();

  // client_load.cc
  void find_room();
  void settle_load();
  base::telemetry::Failure why_no_room() const;

  // leaving.cc
  bool try_to_leave();
  bool may_move() const;
  bool is_between_requests() const;

  // commands.cc
  void obey(const base::memcache::Request& request);
  void obey_meta(const base::memcache::Request& request);
  void obey_keyed(const base::memcache::Request& request);
  void obey_group(const base::memcache::Request& request);
  enum class Sent : uint8_t { kAll, kNoRoom, kManyAtOnce };
  Sent send_some_keys(const base::memcache::Request& request, route::Ticket first,
                      std::string_view& keys);
  void send_held_keys();
  void come_back_for_keys();
  void send_on();
  bool may_send_key() const;
  void send_key(const base::memcache::Request& request, std::string_view key, route::Ticket ticket,
                bool in_group);
  route::Pending pending_of(const base::memcache::Request& request, bool in_group) const;
  void drop_old_value(const base::memcache::Request& request);
  void refuse_too_large(const base::memcache::Request& request);
  void obey_flush(const base::memcache::Request& request);
  void ask_for_flush();
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
  std::optional<base::telemetry::Failure> accept_login(const tenant::LoginResult& login);
  void refuse_login(const base::memcache::Request& request,
                    base::telemetry::Failure why = base::telemetry::Failure::kAuthFailed);
  void answer_stranger(const base::memcache::Request& request);
  bool refresh_session();
  bool enter_cache(const tenant::Cache& cache);
  void widen_limits();

  static constexpr size_t kSoftOutput = 1u << 20;
  static constexpr uint16_t kFirstOutstanding = 4;
  static constexpr uint16_t kMostOutstanding = 4096;
  // A get of so many keys is sent whole at once, even by a client that begins: 32 MiB at most come back.
  static constexpr size_t kFirstKeys = 32;
  // Of one get in one turn, so that keys that are answered at once do not keep everybody else waiting.
  static constexpr size_t kMostKeysAtOnce = 1024;
  static constexpr int kMostTries = 5;

  Worker& worker_;
  // Constant after construction.
  const Identity identity_;

  base::net::UniqueFd fd_;
  std::unique_ptr<TlsChannel> tls_;  // over fd_; null: plain
  uint32_t events_ = 0;
  base::Instant opened_, active_;
  bool input_ended_ = false;  // nothing more comes; what has come may still have to be obeyed
  bool finishing_ = false;
  bool shares_socket_ = false;
  bool is_watched_ = true;  // by the loop, for events_
  bool waits_for_flush_ = false;
  bool waits_for_replies_ = false;  // a stats, whose counters are to have all before it
  Leaving leaving_ = Leaving::kNo;
  uint8_t failed_tries_ = 0;
  // How many requests may be outstanding. Nobody knows how large a reply will be, so a client begins with
  // few and has one more for each reply: twice as many after each round trip.
  uint16_t window_ = kFirstOutstanding;
  uint32_t typical_reply_ = 4096;           // bytes; how large replies have been lately, at most
  bool is_short_of_bytes_ = false;          // why most_outstanding_ is what it is
  uint64_t most_outstanding_ = UINT64_MAX;  // requests beyond are refused
  admission::Loads::Part load_;
  int32_t telemetry_index_ = -1;           // in the block's client table
  base::memcache::Request flush_request_;  // while waits_for_flush_; its views are dead
  // The rest of a get of several keys, held back. A key takes its ticket when it is sent, and END after
  // the last: nothing else is obeyed in between.
  struct Group {
    base::memcache::Request request;  // its views are dead
    route::Ticket first;              // of its keys
    std::string keys;                 // separated by spaces
    size_t sent = 0;                  // bytes of keys
    bool comes_back = false;          // in the next turn, and not before
  };
  std::unique_ptr<Group> group_;
  uint64_t swallow_ = 0;  // bytes of a refused value still to come
  size_t counted_ = 0;    // of the input at hand, in the cache's counters
  base::memcache::Protocol protocol_ = base::memcache::Protocol::kUnknown;
  base::memcache::AsciiParser ascii_;
  base::memcache::BinaryLimits binary_limits_;
  Session session_;
  route::ReplyQueue replies_;
  base::memcache::Buffer in_;  // a command that has not arrived whole, or waits
  base::memcache::Buffer out_;

 public:
  // For the worker's bookkeeping of what is in flight, and of client addresses.
  admission::Loads::Part& load() { return load_; }
  int32_t telemetry_index() const { return telemetry_index_; }
};

}  // namespace proxy
