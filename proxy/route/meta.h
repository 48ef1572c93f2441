// Meta: clients' meta commands (mg ms md ma me), passed on with what is the proxy's business changed.
//
// Backends speak the same protocol, so flags and their errors are memcached's own. Changed are the
// key (stored key there, the client's own in a `k` of the reply), cas tokens (masked both ways),
// quiet mode (the proxy needs every reply to match them in order, and hides what memcached would
// have hidden), base64 keys (decoded here, since a stored key holds their digest), and for a
// credential without the write capability the flags of a get that change the item. P and L, which
// are meant for proxies, go no further.
#pragma once

#include <string_view>

#include "base/memcache/buffer.h"
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
  std::string_view error;   // a whole reply; empty: none
};
// Refused are a line that memcached would not follow and flags in a number or form that it would answer
// without having read the value of an ms: what comes next on a connection that clients share must
// never be a client's bytes.
MetaFlags read_meta_flags(base::memcache::Command command, std::string_view arguments);

// Appends `request` for `key`, with its value if it has one.
void append_meta_upstream(base::memcache::Buffer& out, const base::memcache::Request& request,
                          const base::memcache::StoredKey& key, uint64_t cas_mask, bool may_write);

// As append_answer.
Outcome append_meta_answer(base::memcache::Buffer& out, const Pending& pending,
                           std::string_view key, const base::memcache::MetaReply& reply,
                           uint64_t cas_mask);

}  // namespace proxy::route
