// The binary parser and writer against a real memcached: what is refused is answered with the same
// bytes, and the connection lives or dies the same way.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/memcache/binary_parser.h"
#include "base/memcache/binary_writer.h"
#include "frame.h"
#include "reference_server.h"

namespace base::memcache {
namespace {

using binary::Status;

struct Case {
  std::string name;
  std::string input;
};

// What the writer answers to what the parser found, for an empty cache.
std::string answer(const Parsed& parsed, const Request& request) {
  Buffer out;
  if (parsed.state == ParseState::kError) {
    binary::append_error(out, request, static_cast<Status>(parsed.status));
    return std::string(out.view());
  }
  switch (request.command) {
    case Command::kGet:
    case Command::kGat:
      if (!request.quiet) binary::append_miss(out, request, request.key);
      break;
    case Command::kReplace:
    case Command::kAppend:
    case Command::kPrepend:
      binary::append_error(out, request, binary::not_stored(request.command));
      break;
    case Command::kVersion:
      binary::append_body(out, request, Status::kSuccess, "1.6.18");
      break;
    case Command::kIncr:
      binary::append_error(out, request, Status::kNotFound);
      break;
    case Command::kDelete:
    case Command::kTouch:
      binary::append_error(out, request, Status::kNotFound);
      break;
    default:  // flush, noop, quit
      if (!request.quiet) binary::append_success(out, request);
      break;
  }
  return std::string(out.view());
}

TEST(ReferenceBinary, AnswersFramesAsMemcachedDoes) {
  const std::string store = u32(0) + u32(0);
  const std::string no_create = u64(1) + u64(0) + u32(kBinaryNoCreate);
  std::string short_body = encode({0x00, "", "key"});
  short_body[11] = 2;
  const std::vector<Case> cases = {
      {"get", encode({0x00, "", "k"})},
      {"getq", encode({0x09, "", "k"})},
      {"getk", encode({0x0c, "", "k"})},
      {"getkq", encode({0x0d, "", "k"})},
      {"gat", encode({0x1d, u32(0), "k"})},
      {"gatk", encode({0x23, u32(0), "k"})},
      {"touch", encode({0x1c, u32(0), "k"})},
      {"delete", encode({0x04, "", "k"})},
      {"deleteq", encode({0x14, "", "k"})},
      {"replace", encode({0x03, store, "k", "v"})},
      {"replaceq", encode({0x13, store, "k", "v"})},
      {"append", encode({0x0e, "", "k", "v"})},
      {"prependq", encode({0x1a, "", "k", "v"})},
      {"incr", encode({0x05, no_create, "k"})},
      {"noop", encode({0x0a})},
      {"version", encode({0x0b})},
      {"flush", encode({0x08})},
      {"flush with delay", encode({0x08, u32(0)})},
      {"flushq", encode({0x18})},
      {"quit", encode({0x07})},
      {"quitq", encode({0x17})},
      {"get without a key", encode({0x00})},
      {"get with extras", encode({0x00, u32(0), "k"})},
      {"get with a value", encode({0x00, "", "k", "v"})},
      {"key too long", encode({0x00, "", std::string(251, 'k')})},
      {"set without extras", encode({0x01, "", "k", "v"})},
      {"set without a key", encode({0x01, store, "", "v"})},
      {"delete with extras", encode({0x04, u32(0), "k"})},
      {"incr with short extras", encode({0x05, u64(1), "k"})},
      {"noop with a body", encode({0x0a, "", "", "v"})},
      {"touch without extras", encode({0x1c, "", "k"})},
      {"key longer than the body", short_body},
      {"unknown opcode", encode({0x30})},
      {"unknown opcode with a value", encode({0xff, "", "", "value"})},
      {"verbosity", encode({0x1b})},
      {"too large", encode({0x01, store, "k", std::string(kMaxValueLength + 1, 'v')})},
  };
  ReferenceServer server;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Request request;
    const Parsed parsed = parse_binary(c.input, request);
    ASSERT_NE(parsed.state, ParseState::kNeedMore);
    std::string expected = answer(parsed, request);
    const bool closes = parsed.fate == Fate::kClose || request.command == Command::kQuit;
    ReferenceConnection connection(server);
    connection.send(c.input);
    if (!closes) {
      const Frame noop{0x0a};
      connection.send(encode(noop));
      Request barrier;
      parse_binary(encode(noop), barrier);
      Buffer out;
      binary::append_success(out, barrier);
      expected += out.view();
    }
    EXPECT_EQ(connection.receive(expected.size()), expected);
    if (closes) {
      EXPECT_TRUE(connection.closes());
    }
  }
}

}  // namespace
}  // namespace base::memcache
