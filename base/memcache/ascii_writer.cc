#include "base/memcache/ascii_writer.h"

#include <cstring>

#include "base/memcache/decimal.h"

namespace base::memcache::ascii {
namespace {

char* put(char* out, std::string_view text) {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// "VALUE " key " " flags " " length, without the line's end.
char* put_value(char* out, std::string_view key, uint32_t flags, size_t length) {
  out = put(out, "VALUE ");
  out = put(out, key);
  *out++ = ' ';
  out = write_decimal(out, flags);
  *out++ = ' ';
  return write_decimal(out, length);
}

// Four numbers' room is more than any line below needs beside its texts.
constexpr size_t kRoom = 4 * kMaxDecimalLength + 32;

}  // namespace

void append_value_header(Buffer& out, std::string_view key, uint32_t flags, size_t length) {
  char* at = put_value(out.reserve(key.size() + kRoom), key, flags, length);
  out.commit_to(put(at, "\r\n"));
}

void append_value_header(Buffer& out, std::string_view key, uint32_t flags, size_t length,
                         uint64_t cas) {
  char* at = put_value(out.reserve(key.size() + kRoom), key, flags, length);
  *at++ = ' ';
  at = write_decimal(at, cas);
  out.commit_to(put(at, "\r\n"));
}

void append_number(Buffer& out, uint64_t number) {
  char* at = write_decimal(out.reserve(kRoom), number);
  out.commit_to(put(at, "\r\n"));
}

void append_version(Buffer& out, std::string_view version) {
  char* at = put(out.reserve(version.size() + kRoom), "VERSION ");
  at = put(at, version);
  out.commit_to(put(at, "\r\n"));
}

void append_stat(Buffer& out, std::string_view name, std::string_view value) {
  char* at = put(out.reserve(name.size() + value.size() + kRoom), "STAT ");
  at = put(at, name);
  *at++ = ' ';
  at = put(at, value);
  out.commit_to(put(at, "\r\n"));
}

void append_stat(Buffer& out, std::string_view name, uint64_t value) {
  char digits[kMaxDecimalLength];
  const char* const end = write_decimal(digits, value);
  append_stat(out, name, std::string_view(digits, static_cast<size_t>(end - digits)));
}

void append_server_error(Buffer& out, std::string_view text) {
  char* at = put(out.reserve(text.size() + kRoom), "SERVER_ERROR ");
  at = put(at, text);
  out.commit_to(put(at, "\r\n"));
}

}  // namespace base::memcache::ascii
