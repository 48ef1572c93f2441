// Replies of the binary protocol: header, extras, key and the texts memcached sends with a status.
//
// Each function appends to a Buffer. Opcode and opaque come from the Request. A get's value follows
// from the caller, so that it can be streamed or gathered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/buffer.h"
#include "base/memcache/request.h"

namespace base::memcache::binary {

enum class Status : uint16_t {
  kSuccess = 0x00,
  kNotFound = 0x01,
  kExists = 0x02,
  kTooLarge = 0x03,
  kInvalid = 0x04,
  kNotStored = 0x05,
  kNonNumeric = 0x06,
  kAuthError = 0x20,
  kAuthContinue = 0x21,
  kUnknownCommand = 0x81,
  kOutOfMemory = 0x82,
  kTemporaryFailure = 0x86,  // a backend that is away; memcached itself never sends it
};

// The body memcached sends with an error ("Not found", "Data exists for key.", …); empty for
// success.
std::string_view status_text(Status status);

// What memcached answers when the condition of a storage command does not hold (a backend's NS):
// add: kExists, replace: kNotFound, others: kNotStored.
Status not_stored(Command command);

// A reply without extras: the answer of set, delete, flush, noop, quit, append …
void append_success(Buffer& out, const Request& request, uint64_t cas = 0);
// An error with its status text as the body.
void append_error(Buffer& out, const Request& request, Status status);
// An error with another body.
void append_error(Buffer& out, const Request& request, Status status, std::string_view text);
// The head of a get or gat hit: header, flags and, when the request asks for it, the key.
// `value_length` bytes follow from the caller.
void append_value_header(Buffer& out, const Request& request, std::string_view key, uint32_t flags,
                         size_t value_length, uint64_t cas);
// The miss of a getk or gatk carries the key instead of a text; others carry "Not found".
void append_miss(Buffer& out, const Request& request, std::string_view key);
// The new value of incr or decr: 8 bytes, big endian.
void append_counter(Buffer& out, const Request& request, uint64_t number, uint64_t cas);
// A success with a body: version, SASL mechanisms, "Authenticated".
void append_body(Buffer& out, const Request& request, Status status, std::string_view body);
// One statistic; the list ends with append_stat of an empty name and value.
void append_stat(Buffer& out, const Request& request, std::string_view name,
                 std::string_view value);

}  // namespace base::memcache::binary
