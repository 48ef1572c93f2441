// Any bytes from a client: what goes to a backend for them is one line that memcached follows, and the
// value that it announces, whatever the client wrote. More words or a longer line, and memcached
// answers without having read the value, or closes a connection that other clients share.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/check.h"
#include "base/memcache/ascii_parser.h"
#include "base/memcache/binary_parser.h"
#include "base/memcache/client_key.h"
#include "base/memcache/stored_key.h"
#include "base/memcache/word.h"
#include "proxy/route/meta.h"
#include "proxy/route/translate.h"

namespace {

namespace route = proxy::route;
using base::memcache::Buffer;
using base::memcache::Parsed;
using base::memcache::ParseState;
using base::memcache::Request;

constexpr size_t kLongestLine = 2048;
constexpr size_t kMostWords = 19;  // and the end, which memcached counts too

void check_upstream(const Request& request, std::string_view key, bool may_write) {
  const base::memcache::StoredKey stored(0xffffff, 0x3fffffff, 0xffffff, key);
  Buffer out;
  const base::memcache::CasTokens tokens({1, 2}, 3, 4, 5, 6);
  route::append_upstream(out, request, stored, tokens, may_write);
  const std::string_view bytes = out.view();
  const size_t end = bytes.find('\n');
  CHECK(end != std::string_view::npos && end > 0 && bytes[end - 1] == '\r');
  CHECK(end < kLongestLine);
  size_t words = 0;
  std::string_view rest = bytes.substr(0, end - 1);
  while (!base::memcache::take_word(rest).empty()) ++words;
  CHECK(words >= 2 && words <= kMostWords);
  const bool stores = route::kind_of(request.command) == route::Kind::kStore;
  const std::string_view behind = bytes.substr(end + 1);
  CHECK(stores ? behind == std::string(request.value) + "\r\n" : behind.empty());
}

void obey(Request request) {
  if (route::kind_of(request.command) == route::Kind::kNone) return;
  std::string key(request.key);
  if (route::is_meta(request.command)) {
    const route::MetaFlags flags = route::read_meta_flags(request.command, request.arguments);
    if (!flags.error.empty()) return;
    if (flags.base64_key) {
      const auto decoded = base::memcache::decode_client_key(key);
      if (!decoded) return;
      key = *decoded;
      request.binary_key = true;
    }
  }
  if (key.empty()) return;
  check_upstream(request, key, true);
  check_upstream(request, key, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool is_binary =
      base::memcache::detect_protocol(input) == base::memcache::Protocol::kBinary;
  base::memcache::AsciiParser parser;
  while (!input.empty()) {
    Request request;
    const Parsed parsed =
        is_binary ? base::memcache::parse_binary(input, request, {}) : parser.parse(input, request);
    if (parsed.state == ParseState::kNeedMore) break;
    if (parsed.state == ParseState::kError) {
      if (parsed.fate == base::memcache::Fate::kClose) break;
      input.remove_prefix(std::min(input.size(), parsed.consumed + size_t(parsed.swallow)));
      continue;
    }
    if (!request.value_follows) obey(request);
    input.remove_prefix(parsed.consumed);
  }
  return 0;
}
