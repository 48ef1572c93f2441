#include "base/memcache/binary_parser.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/memcache/binary_writer.h"
#include "describe.h"
#include "frame.h"
#include "split.h"

namespace base::memcache {
namespace {

struct Case {
  Frame frame;
  std::string outcome;       // without "consumed" for complete frames: all of it
  std::string request = {};  // without opcode and opaque
};

const std::string kStoreExtras = u32(7) + u32(60);
const std::string kCount = u64(5) + u64(100) + u32(30);

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {{0x00, "", "k"}, "complete", "get keys=[k] with_cas"},
      {{0x09, "", "k"}, "complete", "get keys=[k] quiet with_cas"},
      {{0x0c, "", "a b"}, "complete", "get keys=[a b] with_cas with_key"},
      {{0x0d, "", "k"}, "complete", "get keys=[k] quiet with_cas with_key"},
      {{0x01, kStoreExtras, "k", "val", 9},
       "complete",
       "set keys=[k] with_cas flags=7 exptime=60 cas=9 length=3 value=[val]"},
      {{0x11, kStoreExtras, "k", "v"},
       "complete",
       "set keys=[k] quiet with_cas flags=7 exptime=60 length=1 value=[v]"},
      {{0x02, kStoreExtras, "k", "v"},
       "complete",
       "add keys=[k] with_cas flags=7 exptime=60 length=1 value=[v]"},
      {{0x12, kStoreExtras, "k"}, "complete", "add keys=[k] quiet with_cas flags=7 exptime=60"},
      {{0x03, kStoreExtras, "k"}, "complete", "replace keys=[k] with_cas flags=7 exptime=60"},
      {{0x13, kStoreExtras, "k"}, "complete", "replace keys=[k] quiet with_cas flags=7 exptime=60"},
      {{0x01, u32(0) + u32(0xffffffff), "k"},
       "complete",
       "set keys=[k] with_cas exptime=4294967295"},
      {{0x04, "", "k", "", 3}, "complete", "delete keys=[k] with_cas cas=3"},
      {{0x14, "", "k"}, "complete", "delete keys=[k] quiet with_cas"},
      {{0x05, kCount, "k"},
       "complete",
       "incr keys=[k] with_cas create exptime=30 delta=5 initial=100"},
      {{0x15, kCount, "k"},
       "complete",
       "incr keys=[k] quiet with_cas create exptime=30 delta=5 initial=100"},
      {{0x06, u64(1) + u64(0) + u32(kBinaryNoCreate), "k"},
       "complete",
       "decr keys=[k] with_cas exptime=4294967295 delta=1"},
      {{0x16, kCount, "k"},
       "complete",
       "decr keys=[k] quiet with_cas create exptime=30 delta=5 initial=100"},
      {{0x07}, "complete", "quit with_cas"},
      {{0x17}, "complete", "quit quiet with_cas"},
      {{0x08}, "complete", "flush with_cas"},
      {{0x08, u32(10)}, "complete", "flush with_cas exptime=10"},
      {{0x18}, "complete", "flush quiet with_cas"},
      {{0x0a}, "complete", "noop with_cas"},
      {{0x0b}, "complete", "version with_cas"},
      {{0x0e, "", "k", "v"}, "complete", "append keys=[k] with_cas length=1 value=[v]"},
      {{0x19, "", "k", "v"}, "complete", "append keys=[k] quiet with_cas length=1 value=[v]"},
      {{0x0f, "", "k", "v"}, "complete", "prepend keys=[k] with_cas length=1 value=[v]"},
      {{0x1a, "", "k", "v"}, "complete", "prepend keys=[k] quiet with_cas length=1 value=[v]"},
      {{0x10}, "complete", "stats with_cas"},
      {{0x10, "", "items"}, "complete", "stats keys=[items] with_cas"},
      {{0x1c, u32(5), "k"}, "complete", "touch keys=[k] with_cas exptime=5"},
      {{0x1d, u32(5), "k"}, "complete", "gat keys=[k] with_cas exptime=5"},
      {{0x1e, u32(5), "k"}, "complete", "gat keys=[k] quiet with_cas exptime=5"},
      {{0x23, u32(5), "k"}, "complete", "gat keys=[k] with_cas with_key exptime=5"},
      {{0x24, u32(5), "k"}, "complete", "gat keys=[k] quiet with_cas with_key exptime=5"},
      {{0x20}, "complete", "mechs with_cas"},
      {{0x21, "", "PLAIN", "auth"}, "complete", "auth keys=[PLAIN] with_cas length=4 value=[auth]"},
      {{0x22, "", "PLAIN"}, "complete", "step keys=[PLAIN] with_cas"},
      // lengths that do not fit
      {{0x00}, "error close status=4"},
      {{0x00, u32(0), "k"}, "error close status=4"},
      {{0x00, "", "k", "v"}, "error close status=4"},
      {{0x00, "", std::string(251, 'k')}, "error close status=4"},
      {{0x01, "", "k", "v"}, "error close status=4"},
      {{0x01, kStoreExtras, "", "v"}, "error close status=4"},
      {{0x04, u32(0), "k"}, "error close status=4"},
      {{0x05, u64(1), "k"}, "error close status=4"},
      {{0x07, "", "k"}, "error close status=4"},
      {{0x08, u64(1)}, "error close status=4"},
      {{0x0a, "", "", "v"}, "error close status=4"},
      {{0x0e, u32(0), "k", "v"}, "error close status=4"},
      {{0x10, u32(0)}, "error close status=4"},
      {{0x1c, "", "k"}, "error close status=4"},
      {{0x1d, u32(5)}, "error close status=4"},
      {{0x21, "", "", "v"}, "error close status=4"},
      // what is not understood, or too large
      {{0x1b, u32(0)}, "error swallow consumed=24 discard=4 status=129"},
      {{0x30, "", "k", "value"}, "error swallow consumed=24 discard=6 status=129"},
      {{0xff}, "error swallow consumed=24 status=129"},
      {{0x01, kStoreExtras, "k", std::string(kMaxValueLength + 1, 'v')},
       "error swallow consumed=33 discard=1048577 status=3"},
      {{0x21, "", std::string(33, 'M'), "auth"}, "error swallow consumed=57 discard=4 status=4"},
  };
  return kCases;
}

Parsed parse_one(std::string_view input, Request& request) {
  return parse_binary(input, request);
}

TEST(BinaryParser, ReadsEveryOpcodeAndRefusesWrongLengths) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(::testing::Message() << "opcode " << +c.frame.opcode << " " << c.request);
    const std::string input = encode(c.frame);
    Request request;
    const Parsed parsed = parse_binary(input, request);
    EXPECT_EQ(request.opcode, c.frame.opcode);
    EXPECT_EQ(request.protocol, Protocol::kBinary);
    if (parsed.state != ParseState::kComplete) {
      EXPECT_EQ(describe(parsed), c.outcome);
      continue;
    }
    EXPECT_EQ(c.outcome + " consumed=" + std::to_string(input.size()), describe(parsed));
    request.opcode = 0;
    request.opaque = 0;
    EXPECT_EQ(describe(request), c.request);
  }
}

TEST(BinaryParser, OutcomeDoesNotDependOnHowBytesArrive) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(::testing::Message() << "opcode " << +c.frame.opcode << " " << c.request);
    expect_same_at_every_split<Request>(encode(c.frame), [] { return parse_one; });
    if (HasFatalFailure()) return;
  }
}

TEST(BinaryParser, KnowsExactlyMemcachedsOpcodes) {
  std::set<int> known;
  for (int opcode = 0; opcode < 256; ++opcode) {
    Request request;
    const Parsed parsed = parse_binary(encode({static_cast<uint8_t>(opcode)}), request);
    if (parsed.status != static_cast<uint16_t>(binary::Status::kUnknownCommand)) {
      known.insert(opcode);
    }
  }
  std::set<int> expected;
  for (int opcode = 0x00; opcode <= 0x24; ++opcode) expected.insert(opcode);
  expected.erase(0x1b);
  expected.erase(0x1f);
  EXPECT_EQ(known, expected);
}

TEST(BinaryParser, ClosesWithoutAnswerWhenTheMagicByteIsMissing) {
  Request request;
  EXPECT_EQ(describe(parse_binary("\x81", request)), "error close");
  EXPECT_EQ(describe(parse_binary("get a\r\n", request)), "error close");
}

TEST(BinaryParser, ClosesWhenKeyAndExtrasAreLongerThanTheBody) {
  std::string input = encode({0x00, "", "key"});
  input[11] = 2;
  Request request;
  EXPECT_EQ(describe(parse_binary(input, request)), "error close status=129");
}

TEST(BinaryParser, GivesALargeValueOverToBeStreamed) {
  const std::string input = encode({0x01, kStoreExtras, "key", "value"});
  Request request;
  const Parsed parsed =
      parse_binary(std::string_view(input).substr(0, 36), request, {.buffered = 4});
  EXPECT_EQ(describe(parsed), "complete consumed=35");
  EXPECT_TRUE(request.value_follows);
  EXPECT_EQ(request.value_length, 5u);
  EXPECT_EQ(request.key, "key");
}

TEST(BinaryParser, KeepsWhatAnErrorReplyNeeds) {
  const std::string input = encode({0x01, kStoreExtras, "key", "value"});
  Request request;
  parse_binary(input, request, {.value = 4});
  EXPECT_EQ(request.command, Command::kSet);
  EXPECT_EQ(request.key, "key");
  Buffer out;
  binary::append_error(out, request, binary::Status::kTooLarge);
  EXPECT_EQ(out.view().substr(12, 4), "\x01\x02\x03\x04");
}

}  // namespace
}  // namespace base::memcache
