#include "base/memcache/ascii_parser.h"
#include "base/memcache/stored_key.h"
#include "walk.h"

using base::memcache::AsciiLimits;
using base::memcache::AsciiParser;
using base::memcache::Request;

// The first byte says where the stream is cut; the rest is what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto make = [] {
    const AsciiLimits limits{.line = 4096, .value = 1000, .buffered = 100};
    return [parser = AsciiParser(limits)](std::string_view input, Request& request) mutable {
      return parser.parse(input, request);
    };
  };
  const auto inspect = [](const Request& request, std::string_view bytes) {
    base::memcache::inspect_request(request, bytes);
    std::array<char, base::memcache::kMaxKeyLength> out;
    for (const std::string_view key : request.keys()) {
      for (const char c : base::memcache::StoredKey(1, 2, 3, key).write(out)) {
        CHECK(static_cast<uint8_t>(c) > 0x20 && c != 0x7f);
      }
    }
  };
  const std::vector<char> stream(data + 1, data + size);
  base::memcache::walk<Request>({stream.data(), stream.size()}, data[0], make, inspect);
  return 0;
}
