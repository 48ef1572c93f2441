#include "base/memcache/binary_parser.h"
#include "base/memcache/binary_writer.h"
#include "walk.h"

using base::memcache::Buffer;
using base::memcache::Request;

// The first byte says where the stream is cut; the rest is what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto make = [] {
    return [](std::string_view input, Request& request) {
      return base::memcache::parse_binary(input, request, {.value = 1000, .buffered = 100});
    };
  };
  const auto inspect = [](const Request& request, std::string_view bytes) {
    base::memcache::inspect_request(request, bytes);
    Buffer out;
    base::memcache::binary::append_miss(out, request, request.key);
    base::memcache::binary::append_value_header(out, request, request.key, 1, 2, 3);
  };
  const std::vector<char> stream(data + 1, data + size);
  base::memcache::walk<Request>({stream.data(), stream.size()}, data[0], make, inspect);
  return 0;
}
