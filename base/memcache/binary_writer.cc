#include "base/memcache/binary_writer.h"

#include <cstring>

#include "base/memcache/big_endian.h"
#include "base/memcache/binary_parser.h"

namespace base::memcache::binary {
namespace {

struct Head {
  Status status = Status::kSuccess;
  size_t extras = 0;
  size_t key = 0;
  size_t value = 0;    // written here
  size_t follows = 0;  // appended or gathered by the caller
  uint64_t cas = 0;
};

// Reserves header and body as far as this file writes it, and fills the header in.
char* put_header(Buffer& out, const Request& request, const Head& head) {
  char* const at = out.reserve(kBinaryHeaderSize + head.extras + head.key + head.value);
  at[0] = static_cast<char>(kBinaryResponseMagic);
  at[1] = static_cast<char>(request.opcode);
  store_u16(at + 2, static_cast<uint16_t>(head.key));
  at[4] = static_cast<char>(head.extras);
  at[5] = 0;
  store_u16(at + 6, static_cast<uint16_t>(head.status));
  store_u32(at + 8, static_cast<uint32_t>(head.extras + head.key + head.value + head.follows));
  std::memcpy(at + 12, &request.opaque, 4);
  store_u64(at + 16, head.cas);
  return at + kBinaryHeaderSize;
}

char* put(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

std::string_view status_text(Status status) {
  switch (status) {
    case Status::kSuccess:
    case Status::kAuthContinue:
      return {};
    case Status::kNotFound:
      return "Not found";
    case Status::kExists:
      return "Data exists for key.";
    case Status::kTooLarge:
      return "Too large.";
    case Status::kInvalid:
      return "Invalid arguments";
    case Status::kNotStored:
      return "Not stored.";
    case Status::kNonNumeric:
      return "Non-numeric server-side value for incr or decr";
    case Status::kAuthError:
      return "Auth failure.";
    case Status::kUnknownCommand:
      return "Unknown command";
    case Status::kOutOfMemory:
      return "Out of memory";
    case Status::kTemporaryFailure:
      return "Temporary failure";
  }
  return {};
}

Status not_stored(Command command) {
  if (command == Command::kAdd) return Status::kExists;
  if (command == Command::kReplace) return Status::kNotFound;
  return Status::kNotStored;
}

void append_success(Buffer& out, const Request& request, uint64_t cas) {
  out.commit_to(put_header(out, request, {.cas = cas}));
}

void append_error(Buffer& out, const Request& request, Status status) {
  append_error(out, request, status, status_text(status));
}

void append_error(Buffer& out, const Request& request, Status status, std::string_view text) {
  append_body(out, request, status, text);
}

void append_value_header(Buffer& out, const Request& request, std::string_view key, uint32_t flags,
                         size_t value_length, uint64_t cas) {
  if (!request.with_key) key = {};
  char* at = put_header(out, request,
                        {.extras = 4, .key = key.size(), .follows = value_length, .cas = cas});
  store_u32(at, flags);
  out.commit_to(put(at + 4, key));
}

void append_miss(Buffer& out, const Request& request, std::string_view key) {
  if (!request.with_key) return append_error(out, request, Status::kNotFound);
  char* const at = put_header(out, request, {.status = Status::kNotFound, .key = key.size()});
  out.commit_to(put(at, key));
}

void append_counter(Buffer& out, const Request& request, uint64_t number, uint64_t cas) {
  char* const at = put_header(out, request, {.value = 8, .cas = cas});
  store_u64(at, number);
  out.commit_to(at + 8);
}

void append_body(Buffer& out, const Request& request, Status status, std::string_view body) {
  char* const at = put_header(out, request, {.status = status, .value = body.size()});
  out.commit_to(put(at, body));
}

void append_stat(Buffer& out, const Request& request, std::string_view name,
                 std::string_view value) {
  char* const at = put_header(out, request, {.key = name.size(), .value = value.size()});
  out.commit_to(put(put(at, name), value));
}

}  // namespace base::memcache::binary
