// Translation: one client request, one key of it, as memcached's meta protocol.
//
// Clients speak two protocols, backends one; whatever differs between a command's text and binary
// form is decided here and in answer.h, so that sending and matching know nothing of commands.
#pragma once

#include "base/memcache/buffer.h"
#include "base/memcache/cas_tokens.h"
#include "base/memcache/request.h"
#include "base/memcache/stored_key.h"
#include "base/telemetry/segment.h"

namespace proxy::route {

// What a command does to an item.
enum class Kind : uint8_t { kNone, kRead, kStore, kDelete, kTouch, kArithmetic };
Kind kind_of(base::memcache::Command command);
// Whether it needs the write capability. A gat without it is served as a get.
bool is_write(Kind kind);

inline base::telemetry::Leg leg_of(Kind kind) {
  return kind == Kind::kRead ? base::telemetry::Leg::kRead : base::telemetry::Leg::kWrite;
}

// Appends the request for `key`. `tokens` are those of the key's slot. `may_touch` is false for a gat
// without the write capability. Precondition: kind_of(request.command) is not kNone.
void append_upstream(base::memcache::Buffer& out, const base::memcache::Request& request,
                     const base::memcache::StoredKey& key, const base::memcache::CasTokens& tokens,
                     bool may_touch);

}  // namespace proxy::route
