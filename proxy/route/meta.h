// Meta: clients' meta commands (mg ms md ma me), passed on with what is the proxy's business changed.
//
// Backends speak the same protocol, so flags and their errors are memcached's own. Changed are the
// key (stored key there, the client's own in a `k` of the reply), cas tokens (base/memcache/cas_tokens.h),
// quiet mode (the proxy needs every reply to match them in order, and hides what memcached would
// have hidden), base64 keys (decoded here, since a stored key holds their digest), and for a
// credential without the write capability the flags of a get that change the item. P and L, which
// are meant for proxies, go no further.
#pragma once

#include <string_view>

#include "base/memcache/buffer.h"
#include "base/memcache/cas_tokens.h"
#include "base/memcache/meta_reply.h"
#include "base/memcache/request.h"
#include "base/memcache/stored_key.h"
#include "proxy/route/answer.h"
#include "proxy/route/in_flight.h"

namespace proxy::route {

inline bool is_meta(base::memcache::Command command) {
  return command >= base::memcache::Command::kMetaGet;
}

// What the proxy itself reads among the flags.
struct MetaFlags {
  bool quiet = false;       // q
  bool base64_key = false;  // b
  bool all_known = true;    // to memcached 1.6.18
  std::string_view error;   // a whole reply; empty: none
};
// Refused are a line that memcached would not follow and flags in a number or form that it would answer
// without having read the value of an ms: what comes next on a connection that clients share must
// never be a client's bytes.
MetaFlags read_meta_flags(base::memcache::Command command, std::string_view arguments);
// The whole reply to a key that is not base64 though its flags say so; what is wrong with those is told
// first.
std::string_view undecodable_key(base::memcache::Command command, const MetaFlags& flags);

// Appends `request` for `key`, with its value if it has one.
void append_meta_upstream(base::memcache::Buffer& out, const base::memcache::Request& request,
                          const base::memcache::StoredKey& key,
                          const base::memcache::CasTokens& tokens, bool may_write);

// Takes into `pending` what the flags of `request` say about the item: exptime and effect.
void note_meta_effect(Pending& pending, const base::memcache::Request& request, bool may_write);

// The flags of the client's that must be kept until `request` is answered, because a miss shows them.
inline std::string_view echoed_flags(const base::memcache::Request& request) {
  const bool shows = request.command == base::memcache::Command::kMetaGet && !request.quiet;
  return shows ? request.arguments : std::string_view();
}

// A reply of the proxy's own without a value: `code` and, as memcached shows them on every outcome, the
// opaque and the key if the client's `flags` ask for them.
void append_meta_status(base::memcache::Buffer& out, const Pending& pending,
                        base::memcache::MetaCode code, std::string_view key,
                        std::string_view flags);

// As append_answer.
Outcome append_meta_answer(base::memcache::Buffer& out, const Pending& pending,
                           std::string_view key, const base::memcache::MetaReply& reply,
                           const base::memcache::CasTokens& tokens);

}  // namespace proxy::route
