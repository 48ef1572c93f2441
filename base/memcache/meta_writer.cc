#include "base/memcache/meta_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/memcache/decimal.h"

namespace base::memcache::meta {
namespace {

// Room for a command's word, all its flags and the line's end, beside the key.
constexpr size_t kRoom = 192;

char* start(Buffer& out, char verb, KeyPieces key) {
  char* at = out.reserve(key.size() + kRoom);
  *at++ = 'm';
  *at++ = verb;
  *at++ = ' ';
  // A reserved key has no head, a digest no tail; memcpy from a null view is undefined.
  if (!key.head.empty()) std::memcpy(at, key.head.data(), key.head.size());
  at += key.head.size();
  if (!key.tail.empty()) std::memcpy(at, key.tail.data(), key.tail.size());
  return at + key.tail.size();
}

char* put_flag(char* at, char flag) {
  *at++ = ' ';
  *at++ = flag;
  return at;
}

template <class Number>
char* put_flag(char* at, char flag, Number number) {
  return write_decimal(put_flag(at, flag), number);
}

char* put_exptime(char* at, char flag, int64_t exptime) {
  constexpr int64_t kLatest = std::numeric_limits<int32_t>::max();
  return put_flag(at, flag, std::clamp(exptime, int64_t{-1}, kLatest));
}

void finish(Buffer& out, char* at) {
  *at++ = '\r';
  *at++ = '\n';
  out.commit_to(at);
}

}  // namespace

void append_get(Buffer& out, KeyPieces key, const Get& options) {
  char* at = start(out, 'g', key);
  if (options.want.flags) at = put_flag(at, 'f');
  if (options.want.cas) at = put_flag(at, 'c');
  if (options.want.ttl) at = put_flag(at, 't');
  if (options.want.size) at = put_flag(at, 's');
  if (options.want.key) at = put_flag(at, 'k');
  if (options.touch) at = put_exptime(at, 'T', *options.touch);
  if (options.opaque) at = put_flag(at, 'O', *options.opaque);
  if (options.quiet) at = put_flag(at, 'q');
  if (options.want.value) at = put_flag(at, 'v');
  finish(out, at);
}

void append_store(Buffer& out, KeyPieces key, uint32_t value_length, const Store& options) {
  char* at = start(out, 's', key);
  *at++ = ' ';
  at = write_decimal(at, value_length);
  if (options.mode != StoreMode::kSet) {
    at = put_flag(at, 'M');
    *at++ = static_cast<char>(options.mode);
  }
  if (options.flags != 0) at = put_flag(at, 'F', options.flags);
  if (options.exptime != 0) at = put_exptime(at, 'T', options.exptime);
  if (options.cas) at = put_flag(at, 'C', *options.cas);
  if (options.opaque) at = put_flag(at, 'O', *options.opaque);
  if (options.return_cas) at = put_flag(at, 'c');
  if (options.quiet) at = put_flag(at, 'q');
  finish(out, at);
}

void append_delete(Buffer& out, KeyPieces key, const Delete& options) {
  char* at = start(out, 'd', key);
  if (options.cas) at = put_flag(at, 'C', *options.cas);
  if (options.opaque) at = put_flag(at, 'O', *options.opaque);
  if (options.quiet) at = put_flag(at, 'q');
  finish(out, at);
}

void append_arithmetic(Buffer& out, KeyPieces key, const Arithmetic& options) {
  char* at = start(out, 'a', key);
  if (options.decrement) {
    at = put_flag(at, 'M');
    *at++ = 'D';
  }
  if (options.delta != 1) at = put_flag(at, 'D', options.delta);
  if (options.initial) {
    at = put_flag(at, 'J', *options.initial);
    at = put_exptime(at, 'N', options.exptime);
  }
  if (options.cas) at = put_flag(at, 'C', *options.cas);
  if (options.opaque) at = put_flag(at, 'O', *options.opaque);
  if (options.return_cas) at = put_flag(at, 'c');
  if (options.quiet) at = put_flag(at, 'q');
  at = put_flag(at, 'v');
  finish(out, at);
}

void append_touch(Buffer& out, KeyPieces key, int64_t exptime) {
  finish(out, put_exptime(start(out, 'g', key), 'T', exptime));
}

void append_noop(Buffer& out) {
  out.append("mn\r\n");
}

}  // namespace base::memcache::meta
