#include "proxy/route/answer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/memcache/binary_parser.h"
#include "tests/unit/proxy/route/tokens.h"

namespace proxy::route {
namespace {

using base::memcache::Buffer;
using base::memcache::Command;
using base::memcache::MetaCode;
using base::memcache::MetaReply;
using base::memcache::Protocol;
using base::telemetry::Failure;

Pending ascii(Command command) {
  Pending pending;
  pending.command = command;
  return pending;
}

Pending binary(Command command, uint8_t opcode) {
  Pending pending;
  pending.command = command;
  pending.protocol = Protocol::kBinary;
  pending.opcode = opcode;
  pending.with_cas = true;
  return pending;
}

MetaReply reply(MetaCode code) {
  MetaReply r;
  r.code = code;
  return r;
}

std::string answer(const Pending& pending, const MetaReply& r) {
  Buffer out;
  append_answer(out, pending, "key", r, kTokens);
  return std::string(out.view());
}

// Status and body of a binary reply.
std::pair<int, std::string> decode(const std::string& frame) {
  if (frame.size() < base::memcache::kBinaryHeaderSize) return {-1, frame};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(frame[i]); };
  return {byte(6) << 8 | byte(7), frame.substr(base::memcache::kBinaryHeaderSize)};
}

TEST(Answers, AreMemcachedsWords) {
  EXPECT_EQ(answer(ascii(Command::kSet), reply(MetaCode::kHeader)), "STORED\r\n");
  EXPECT_EQ(answer(ascii(Command::kAdd), reply(MetaCode::kNotStored)), "NOT_STORED\r\n");
  EXPECT_EQ(answer(ascii(Command::kCas), reply(MetaCode::kExists)), "EXISTS\r\n");
  EXPECT_EQ(answer(ascii(Command::kCas), reply(MetaCode::kNotFound)), "NOT_FOUND\r\n");
  EXPECT_EQ(answer(ascii(Command::kDelete), reply(MetaCode::kHeader)), "DELETED\r\n");
  EXPECT_EQ(answer(ascii(Command::kTouch), reply(MetaCode::kHeader)), "TOUCHED\r\n");
  EXPECT_EQ(answer(ascii(Command::kTouch), reply(MetaCode::kMiss)), "NOT_FOUND\r\n");
  EXPECT_EQ(answer(ascii(Command::kGet), reply(MetaCode::kMiss)), "END\r\n");
}

TEST(Answers, ShowValuesWithTokens) {
  MetaReply hit = reply(MetaCode::kValue);
  hit.value = "v\r\n";
  hit.flags = 4;
  hit.cas = 6;
  hit.has_cas = true;
  EXPECT_EQ(answer(ascii(Command::kGet), hit), "VALUE key 4 3\r\nv\r\n\r\nEND\r\n");
  Pending gets = ascii(Command::kGet);
  gets.with_cas = true;
  EXPECT_EQ(answer(gets, hit),
            "VALUE key 4 3 " + std::to_string(kTokens.show(6)) + "\r\nv\r\n\r\nEND\r\n");
  Pending one_of_many = ascii(Command::kGet);
  one_of_many.in_group = true;
  EXPECT_EQ(answer(one_of_many, hit), "VALUE key 4 3\r\nv\r\n\r\n");
  EXPECT_EQ(answer(one_of_many, reply(MetaCode::kMiss)), "");
}

TEST(Answers, NoreplyHearsNothing) {
  Pending set = ascii(Command::kSet);
  set.quiet = true;
  for (const MetaCode code : {MetaCode::kHeader, MetaCode::kNotStored, MetaCode::kServerError}) {
    EXPECT_EQ(answer(set, reply(code)), "");
  }
  Buffer out;
  append_failure(out, set, Failure::kBackendDown);
  append_not_permitted(out, set, "key", {});
  append_too_large(out, set);
  EXPECT_TRUE(out.empty());
}

TEST(Answers, QuietBinaryCommandsHearOnlyOfTheUnexpected) {
  Pending set = binary(Command::kSet, 0x11);
  set.quiet = true;
  EXPECT_EQ(answer(set, reply(MetaCode::kHeader)), "");
  EXPECT_EQ(decode(answer(set, reply(MetaCode::kExists))).first, 2);
  Pending get = binary(Command::kGet, 0x09);
  get.quiet = true;
  EXPECT_EQ(answer(get, reply(MetaCode::kMiss)), "");
  MetaReply hit = reply(MetaCode::kValue);
  hit.value = "v";
  EXPECT_EQ(decode(answer(get, hit)), std::make_pair(0, std::string("\0\0\0\0v", 5)));
}

TEST(Answers, BinaryConditionsHaveTheirStatus) {
  EXPECT_EQ(decode(answer(binary(Command::kAdd, 2), reply(MetaCode::kNotStored))).first, 2);
  EXPECT_EQ(decode(answer(binary(Command::kReplace, 3), reply(MetaCode::kNotStored))).first, 1);
  EXPECT_EQ(decode(answer(binary(Command::kAppend, 14), reply(MetaCode::kNotStored))).first, 5);
  MetaReply error = reply(MetaCode::kServerError);
  error.text = "object too large for cache";
  EXPECT_EQ(decode(answer(binary(Command::kSet, 1), error)).first, 3);
  error.text = "out of memory storing object";
  EXPECT_EQ(decode(answer(binary(Command::kSet, 1), error)).first, 0x82);
  error.code = MetaCode::kClientError;
  error.text = "cannot increment or decrement non-numeric value";
  EXPECT_EQ(decode(answer(binary(Command::kIncr, 5), error)).first, 6);
  EXPECT_EQ(answer(ascii(Command::kIncr), error),
            "CLIENT_ERROR " + std::string(error.text) + "\r\n");
}

TEST(Answers, ABinaryTouchShowsTheFlags) {
  MetaReply hit = reply(MetaCode::kHeader);
  hit.flags = 9;
  EXPECT_EQ(decode(answer(binary(Command::kTouch, 0x1c), hit)),
            std::make_pair(0, std::string("\0\0\0\x09", 4)));
}

TEST(Answers, AMissOfGetkShowsTheKey) {
  Pending getk = binary(Command::kGet, 0x0c);
  getk.with_key = true;
  EXPECT_EQ(decode(answer(getk, reply(MetaCode::kMiss))), std::make_pair(1, std::string("key")));
}

TEST(Answers, NonsenseFromABackendIsItsError) {
  Buffer out;
  EXPECT_EQ(append_answer(out, ascii(Command::kSet), "key", reply(MetaCode::kDebug), kTokens),
            Outcome::kError);
  EXPECT_EQ(out.view(), "SERVER_ERROR backend error\r\n");
}

TEST(Answers, WithoutTheWriteCapabilityNothingIsDone) {
  Buffer out;
  append_not_permitted(out, ascii(Command::kCas), "key", {});
  append_not_permitted(out, ascii(Command::kIncr), "key", {});
  EXPECT_EQ(out.view(), "NOT_STORED\r\nNOT_FOUND\r\n");
  Buffer frames;
  append_not_permitted(frames, binary(Command::kSet, 1), "key", {});
  EXPECT_EQ(decode(std::string(frames.view())).first, 5);
}

TEST(Answers, FailuresAreServerErrors) {
  Buffer out;
  append_failure(out, ascii(Command::kSet), Failure::kBackendTimeout);
  EXPECT_EQ(out.view(), "SERVER_ERROR backend timed out\r\n");
  Buffer frame;
  append_failure(frame, binary(Command::kGet, 0), Failure::kFenced);
  EXPECT_EQ(decode(std::string(frame.view())).first, 0x86);
}

}  // namespace
}  // namespace proxy::route
