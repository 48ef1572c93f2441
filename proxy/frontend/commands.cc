// What a Client does for each command of an authenticated connection.
#include <unistd.h>

#include <string>

#include "base/memcache/ascii_writer.h"
#include "base/memcache/client_key.h"
#include "base/memcache/stored_key.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/worker.h"
#include "proxy/route/meta.h"
#include "proxy/route/translate.h"

namespace proxy {

namespace ascii = base::memcache::ascii;
namespace binary = base::memcache::binary;
using base::memcache::Buffer;
using base::memcache::Command;
using base::memcache::Protocol;
using base::memcache::Request;
using base::telemetry::Failure;
using route::Kind;
using route::Outcome;
using route::Pending;
using route::ReplyQueue;
using route::Ticket;
using tenant::Count;

namespace {

// What clients gate features on; everything 1.6.18 offers to a client is here.
constexpr std::string_view kVersion = "1.6.18-mcguard";
// Key and value together.
constexpr size_t kMostItemBytes = 1'048'576;
constexpr int64_t kMostRelativeDelay = 60 * 60 * 24 * 30;

struct Counted {
  Count hit, miss;
};

std::optional<Counted> counted(Command command) {
  switch (command) {
    case Command::kGet:
    case Command::kMetaGet:
      return Counted{Count::kGetHits, Count::kGetMisses};
    case Command::kGat:
    case Command::kTouch:
      return Counted{Count::kTouchHits, Count::kTouchMisses};
    case Command::kCas:
      return Counted{Count::kCasHits, Count::kCasMisses};
    case Command::kIncr:
    case Command::kMetaArithmetic:
      return Counted{Count::kIncrHits, Count::kIncrMisses};
    case Command::kDecr:
      return Counted{Count::kDecrHits, Count::kDecrMisses};
    case Command::kDelete:
    case Command::kMetaDelete:
      return Counted{Count::kDeleteHits, Count::kDeleteMisses};
    default:
      return std::nullopt;
  }
}

std::optional<Count> command_count(Command command) {
  switch (route::kind_of(command)) {
    case Kind::kRead:
      return Count::kCommandGet;
    case Kind::kStore:
      return Count::kCommandSet;
    case Kind::kDelete:
      return Count::kCommandDelete;
    case Kind::kTouch:
      return Count::kCommandTouch;
    default:
      return std::nullopt;
  }
}

}  // namespace

void Client::count(Command command, Outcome outcome) {
  const bool hit = outcome == Outcome::kDone;
  const Kind kind = route::kind_of(command);
  if (kind == Kind::kRead) {
    (hit ? worker_.cells().get_hits : worker_.cells().get_misses).add();
  }
  if (session_.row == nullptr || outcome == Outcome::kError) return;
  if (kind == Kind::kStore && hit) session_.row->add(Count::kTotalItems);
  if (command == Command::kCas && outcome == Outcome::kExists) {
    return session_.row->add(Count::kCasBadval);
  }
  if (const auto pair = counted(command)) session_.row->add(hit ? pair->hit : pair->miss);
}

void Client::obey(const Request& request) {
  worker_.cells().requests[size_t(base::memcache::operation_of(request.command))].add(
      std::max<uint32_t>(1, request.key_count));
  worker_.telemetry().add_request(telemetry_index_);
  if (route::is_meta(request.command)) return obey_meta(request);
  if (route::kind_of(request.command) != Kind::kNone) return obey_keyed(request);
  switch (request.command) {
    case Command::kFlushAll:
      return obey_flush(request);
    case Command::kStats:
      return obey_stats(request);
    case Command::kSaslMechanisms:
    case Command::kSaslAuth:
    case Command::kSaslStep:
      return obey_sasl(request);
    default:
      return obey_plain(request);
  }
}

Pending Client::pending_of(const Request& request, bool in_group) const {
  Pending pending;
  pending.client = identity_.index;
  pending.client_serial = identity_.serial;
  pending.cache = session_.cache;
  pending.generation = session_.generation;
  pending.opaque = request.opaque;
  pending.command = request.command;
  pending.protocol = request.protocol;
  pending.leg = route::leg_of(route::kind_of(request.command));
  pending.opcode = request.opcode;
  pending.quiet = request.quiet;
  pending.with_cas = request.with_cas;
  pending.with_key = request.with_key;
  pending.binary_key = request.binary_key;
  pending.in_group = in_group;
  return pending;
}

// A meta command's flags say how the rest is to be taken.
void Client::obey_meta(const Request& request) {
  const route::MetaFlags flags = route::read_meta_flags(request.command, request.arguments);
  if (!flags.error.empty()) return answer_ascii(flags.error);
  Request copy = request;
  copy.quiet = flags.quiet;
  std::string key;
  if (flags.base64_key) {
    auto decoded = base::memcache::decode_client_key(request.key);
    if (!decoded) return answer_ascii(route::undecodable_key(request.command, flags));
    key = std::move(*decoded);
    copy.key = key;
    copy.binary_key = true;
  }
  obey_keyed(copy);
}

void Client::obey_keyed(const Request& request) {
  const Kind kind = route::kind_of(request.command);
  if (const auto what = command_count(request.command)) {
    session_.row->add(*what, request.key_count);
  }
  if (route::is_write(kind) && !session_.may_write) {
    worker_.cells().failure(Failure::kNoCapability).add();
    const Ticket ticket = replies_.open();
    route::append_not_permitted(reply_target(ticket), pending_of(request, false), request.key,
                                request.arguments);
    return finish_reply(ticket, 0);
  }
  if (kind == Kind::kStore && request.key.size() + request.value.size() > kMostItemBytes) {
    return refuse_too_large(request);
  }
  if (request.key_count > 1) return obey_group(request);
  send_key(request, request.key, replies_.open(), false);
}

void Client::obey_group(const Request& request) {
  const char* const end = request.more_keys.data() + request.more_keys.size();
  std::string_view keys(request.key.data(), static_cast<size_t>(end - request.key.data()));
  const Ticket first = replies_.next();
  const Sent sent = send_some_keys(request, first, keys);
  if (sent == Sent::kAll) return;
  group_ = std::make_unique<Group>(Group{request, first, std::string(keys)});
  group_->request.key = group_->request.more_keys = group_->request.arguments = {};
  if (sent == Sent::kManyAtOnce) come_back_for_keys();
}

// As many as may be sent now, and END after the last; `keys` is what is left of them. After an error
// nothing of what follows is answered.
Client::Sent Client::send_some_keys(const Request& request, Ticket first, std::string_view& keys) {
  for (size_t sent = 0; !replies_.has_group_failed(first); ++sent) {
    std::string_view rest = keys;
    const std::string_view key = base::memcache::take_word(rest);
    if (key.empty()) break;
    if (sent == kMostKeysAtOnce) return Sent::kManyAtOnce;
    if (!may_send_key()) return Sent::kNoRoom;
    keys = rest;
    send_key(request, key, replies_.open(ReplyQueue::Place::kInGroup), true);
  }
  const Ticket last = replies_.open(ReplyQueue::Place::kEndsGroup);
  reply_target(last).append(ascii::kEnd);
  finish_reply(last, 0);
  return Sent::kAll;
}

void Client::send_held_keys() {
  if (group_ == nullptr || group_->comes_back || !refresh_session()) return;
  find_room();
  std::string_view held = std::string_view(group_->keys).substr(group_->sent);
  const Sent sent = send_some_keys(group_->request, group_->first, held);
  group_->sent = group_->keys.size() - held.size();
  if (sent == Sent::kAll) group_.reset();
  if (sent == Sent::kManyAtOnce) come_back_for_keys();
}

void Client::come_back_for_keys() {
  group_->comes_back = true;
  worker_.in_next_turn(*this, &Client::send_on);
}

void Client::send_on() {
  group_->comes_back = false;
  send_held_keys();
  if (!closed()) mark_dirty();
}

void Client::send_key(const Request& request, std::string_view key, Ticket ticket, bool in_group) {
  Pending pending = pending_of(request, in_group);
  pending.ticket = ticket;
  Router& router = worker_.router();
  std::optional<Failure> failure;
  if (session_.is_flushing && pending.leg == base::telemetry::Leg::kWrite) {
    failure = Failure::kFenced;
  } else if (replies_.outstanding() > most_outstanding_) {
    failure = why_no_room();
  } else {
    // While a flush is not complete a read changes nothing either (gat, and a meta get that vivifies).
    const bool may_change = session_.may_write && !session_.is_flushing;
    failure = router.send(request, key, pending, may_change, worker_.now());
  }
  if (failure) router.answer_failure(*this, pending, key, request.arguments, *failure);
}

void Client::refuse_too_large(const Request& request) {
  drop_old_value(request);
  worker_.cells().failure(Failure::kTooLarge).add();
  const Ticket ticket = replies_.open();
  route::append_too_large(reply_target(ticket), pending_of(request, false));
  finish_reply(ticket, 0);
}

// As memcached: a set that is too large to be kept must not leave the old value to be read.
void Client::drop_old_value(const Request& request) {
  const bool is_meta = request.command == Command::kMetaSet;
  const bool replaces = request.command == Command::kSet || is_meta;
  if (!replaces || !session_.may_write || session_.is_flushing || request.key.empty()) return;
  std::string key(request.key);
  if (is_meta && !request.binary_key) {
    const route::MetaFlags flags = route::read_meta_flags(request.command, request.arguments);
    if (!flags.error.empty()) return;  // memcached keeps the old value then
    if (flags.base64_key) {
      auto decoded = base::memcache::decode_client_key(key);
      if (!decoded) return;
      key = std::move(*decoded);
    }
  }
  Request remove;
  remove.command = Command::kDelete;
  remove.key = key;
  Pending pending = pending_of(remove, false);
  pending.client = route::kNobody;
  worker_.router().send(remove, key, pending, true, worker_.now());
}

void Client::answer_ascii(std::string_view text) {
  const Ticket ticket = replies_.open();
  reply_target(ticket).append(text);
  finish_reply(ticket, 0);
}

void Client::answer_status(const Request& request, binary::Status status, std::string_view text) {
  const Ticket ticket = replies_.open();
  binary::append_body(reply_target(ticket), request, status, text);
  finish_reply(ticket, 0);
}

void Client::answer_success(const Request& request, std::string_view text) {
  if (request.quiet) return;
  if (request.protocol == Protocol::kBinary) {
    return answer_status(request, binary::Status::kSuccess, {});
  }
  answer_ascii(text);
}

void Client::obey_plain(const Request& request) {
  const bool is_binary = request.protocol == Protocol::kBinary;
  switch (request.command) {
    case Command::kNoop:
      return answer_success(request, ascii::kNoop);
    case Command::kVerbosity:
      return answer_success(request, ascii::kOk);
    case Command::kQuit:
      if (is_binary) answer_success(request, {});
      return finish();
    case Command::kVersion: {
      if (is_binary) return answer_status(request, binary::Status::kSuccess, kVersion);
      const Ticket ticket = replies_.open();
      ascii::append_version(reply_target(ticket), kVersion);
      return finish_reply(ticket, 0);
    }
    default:
      return answer_ascii(ascii::kError);
  }
}

void Client::obey_flush(const Request& request) {
  session_.row->add(Count::kCommandFlush);
  const bool is_binary = request.protocol == Protocol::kBinary;
  if (!session_.may_flush) {
    worker_.cells().failure(Failure::kNoCapability).add();
    // What memcached -F answers; memjs, Dalli and pylibmc report it as a refusal.
    if (is_binary) {
      return answer_status(request, binary::Status::kAuthError, "flush_all not allowed");
    }
    return request.quiet ? void() : answer_ascii(ascii::kFlushNotAllowed);
  }
  flush_request_ = request;
  ask_for_flush();
}

void Client::ask_for_flush() {
  FlushRequest flush;
  flush.cache = session_.cache;
  flush.credential = session_.user;
  const int64_t exptime = flush_request_.exptime;
  flush.delay_s = exptime <= kMostRelativeDelay
                      ? std::max<int64_t>(0, exptime)
                      : std::max<int64_t>(0, exptime - worker_.wall_seconds());
  waits_for_flush_ = true;
  const Ticket ticket = replies_.open();
  worker_.request_flush(std::move(flush), identity_.index, identity_.serial, ticket);
}

void Client::finish_flush(Ticket ticket, std::string_view answer) {
  waits_for_flush_ = false;
  const Request& request = flush_request_;
  const bool done = answer == ascii::kOk;
  if (request.protocol == Protocol::kBinary) {
    if (!done) {
      binary::append_error(reply_target(ticket), request, binary::Status::kTemporaryFailure,
                           answer.substr(0, answer.find('\r')));
    } else if (!request.quiet) {
      binary::append_success(reply_target(ticket), request);
    }
  } else if (!request.quiet) {
    reply_target(ticket).append(answer);
  }
  finish_reply(ticket, 0);
}

void Client::obey_stats(const Request& request) {
  const bool is_binary = request.protocol == Protocol::kBinary;
  std::string_view arguments = request.arguments;
  const std::string_view what = is_binary ? request.key : base::memcache::take_word(arguments);
  const Ticket ticket = replies_.open();
  Buffer& out = reply_target(ticket);
  if (what == "reset") {
    session_.account->reset();
    if (is_binary) {
      binary::append_stat(out, request, {}, {});
    } else {
      out.append(ascii::kReset);
    }
  } else if (what.empty()) {
    worker_.show_stats(out, request, session_);
  } else if (what == "proxy") {
    worker_.show_proxy_stats(out, request);
  } else if (what == "settings" || what == "items" || what == "slabs" || what == "sizes" ||
             what == "conns") {
    // They describe a server and all its tenants; a cache has none of its own.
    if (is_binary) {
      binary::append_stat(out, request, {}, {});
    } else {
      out.append(ascii::kEnd);
    }
  } else if (is_binary) {
    binary::append_error(out, request, binary::Status::kNotFound);
  } else {
    out.append(ascii::kError);
  }
  finish_reply(ticket, 0);
}

}  // namespace proxy
