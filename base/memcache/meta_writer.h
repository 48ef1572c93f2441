// Requests to a memcached backend in its meta protocol, appended to a Buffer.
//
// Each function writes one whole command line (a value and its CR LF follow an `ms` from the
// caller, who may copy or gather it). Keys come in two pieces (stored_key.h), so nothing is joined
// first. What is asked for comes back in a MetaReply (meta_reply.h) in any order of flags.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/memcache/buffer.h"
#include "base/memcache/stored_key.h"

namespace base::memcache::meta {

// Which parts of an item a reply shall show.
struct Want {
  bool value = false;  // v
  bool flags = false;  // f
  bool cas = false;    // c
  bool ttl = false;    // t
  bool size = false;   // s
  bool key = false;    // k
};

// mg: a get, or a get-and-touch when `touch` has an exptime (T).
struct Get {
  Want want;
  std::optional<int64_t> touch = {};
  bool quiet = false;  // q: no reply for a miss
  std::optional<uint32_t> opaque = {};
};
void append_get(Buffer& out, KeyPieces key, const Get& options);

// ms: set, add, replace, append, prepend; cas with any of them.
enum class StoreMode : char {
  kSet = 'S',
  kAdd = 'E',
  kReplace = 'R',
  kAppend = 'A',
  kPrepend = 'P',
};
struct Store {
  StoreMode mode = StoreMode::kSet;
  uint32_t flags = 0;
  int64_t exptime = 0;
  std::optional<uint64_t> cas = {};  // C: only if the item's is this
  bool return_cas = false;
  bool quiet = false;  // q: no reply for success
  std::optional<uint32_t> opaque = {};
};
void append_store(Buffer& out, KeyPieces key, uint32_t value_length, const Store& options);

// md
struct Delete {
  std::optional<uint64_t> cas = {};
  bool quiet = false;
  std::optional<uint32_t> opaque = {};
};
void append_delete(Buffer& out, KeyPieces key, const Delete& options);

// ma: the reply's value is the new number in decimal.
struct Arithmetic {
  bool decrement = false;
  uint64_t delta = 1;
  std::optional<uint64_t> initial = {};  // J with N: create when there is none
  int64_t exptime = 0;                   // of the created item
  std::optional<uint64_t> cas = {};
  bool return_cas = false;
  bool quiet = false;
  std::optional<uint32_t> opaque = {};
};
void append_arithmetic(Buffer& out, KeyPieces key, const Arithmetic& options);

// mg with only T: touch. HD or EN.
void append_touch(Buffer& out, KeyPieces key, int64_t exptime);

// mn: a barrier; the reply is MN.
void append_noop(Buffer& out);

}  // namespace base::memcache::meta
