// Replies of the text protocol, byte for byte as memcached 1.6.18 writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/buffer.h"

namespace base::memcache::ascii {

inline constexpr std::string_view kStored = "STORED\r\n";
inline constexpr std::string_view kNotStored = "NOT_STORED\r\n";
inline constexpr std::string_view kExists = "EXISTS\r\n";
inline constexpr std::string_view kNotFound = "NOT_FOUND\r\n";
inline constexpr std::string_view kDeleted = "DELETED\r\n";
inline constexpr std::string_view kTouched = "TOUCHED\r\n";
inline constexpr std::string_view kOk = "OK\r\n";
inline constexpr std::string_view kEnd = "END\r\n";
inline constexpr std::string_view kReset = "RESET\r\n";
inline constexpr std::string_view kNoop = "MN\r\n";
inline constexpr std::string_view kError = "ERROR\r\n";

inline constexpr std::string_view kUnauthenticated = "CLIENT_ERROR unauthenticated\r\n";
inline constexpr std::string_view kAuthFailure = "CLIENT_ERROR authentication failure\r\n";
inline constexpr std::string_view kBadTokenFormat =
    "CLIENT_ERROR bad authentication token format\r\n";
inline constexpr std::string_view kBadTermination = "CLIENT_ERROR bad command line termination\r\n";
inline constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format\r\n";
inline constexpr std::string_view kBadDataChunk = "CLIENT_ERROR bad data chunk\r\n";
inline constexpr std::string_view kBadDelta = "CLIENT_ERROR invalid numeric delta argument\r\n";
inline constexpr std::string_view kBadExptime = "CLIENT_ERROR invalid exptime argument\r\n";
inline constexpr std::string_view kBadDelete =
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
inline constexpr std::string_view kNonNumeric =
    "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
inline constexpr std::string_view kFlushNotAllowed = "CLIENT_ERROR flush_all not allowed\r\n";
// Ours: memcached reads lines of any length.
inline constexpr std::string_view kLineTooLong = "CLIENT_ERROR line too long\r\n";
inline constexpr std::string_view kTooLarge = "SERVER_ERROR object too large for cache\r\n";
inline constexpr std::string_view kOutOfMemory = "SERVER_ERROR out of memory storing object\r\n";

// "VALUE <key> <flags> <length>\r\n"; the value and its CR LF follow, from the caller.
void append_value_header(Buffer& out, std::string_view key, uint32_t flags, size_t length);
void append_value_header(Buffer& out, std::string_view key, uint32_t flags, size_t length,
                         uint64_t cas);
// "<number>\r\n", what incr and decr answer.
void append_number(Buffer& out, uint64_t number);
// "VERSION <version>\r\n"
void append_version(Buffer& out, std::string_view version);
// "STAT <name> <value>\r\n"
void append_stat(Buffer& out, std::string_view name, std::string_view value);
void append_stat(Buffer& out, std::string_view name, uint64_t value);
// "SERVER_ERROR <text>\r\n"
void append_server_error(Buffer& out, std::string_view text);

}  // namespace base::memcache::ascii
