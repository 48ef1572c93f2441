#include "base/memcache/meta_reply.h"
#include "walk.h"

using base::memcache::is_within;
using base::memcache::MetaReply;
using base::memcache::MetaReplyParser;

// The first byte says where the stream is cut; the rest is what a backend sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto make = [] {
    return [parser = MetaReplyParser(100)](std::string_view input, MetaReply& reply) mutable {
      return parser.parse(input, reply);
    };
  };
  const auto inspect = [](const MetaReply& reply, std::string_view bytes) {
    CHECK(is_within(reply.value, bytes) && is_within(reply.text, bytes));
    CHECK(is_within(reply.key, bytes) && is_within(reply.opaque, bytes));
    CHECK(reply.value_follows || reply.value.size() == reply.value_length);
  };
  const std::vector<char> stream(data + 1, data + size);
  base::memcache::walk<MetaReply>({stream.data(), stream.size()}, data[0], make, inspect);
  return 0;
}
