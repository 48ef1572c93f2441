#include "proxy/route/meta.h"

#include <gtest/gtest.h>

#include <string>

#include "base/memcache/ascii_parser.h"
#include "proxy/route/translate.h"
#include "tests/unit/proxy/route/tokens.h"

namespace proxy::route {
namespace {

using base::memcache::AsciiParser;
using base::memcache::Buffer;
using base::memcache::MetaReply;
using base::memcache::MetaReplyParser;
using base::memcache::Request;
using base::memcache::StoredKey;

// What a client sees of a backend's cas.
std::string shown(uint64_t cas) {
  return std::to_string(kTokens.show(cas));
}

std::string upstream(const std::string& line, bool may_write = true) {
  AsciiParser parser;
  Request request;
  EXPECT_EQ(parser.parse(line, request).state, base::memcache::ParseState::kComplete) << line;
  const StoredKey key(1, 1, 1, request.key);
  Buffer out;
  append_upstream(out, request, key, kTokens, may_write);
  const std::string stored = std::string(key.pieces().head) + std::string(key.pieces().tail);
  std::string text(out.view());
  const size_t at = text.find(stored);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, stored.size(), "<key>");
}

struct Answer {
  std::string text;
  Outcome outcome;
};
Answer answer(base::memcache::Command command, std::string_view reply, bool quiet = false,
              bool binary_key = false) {
  MetaReplyParser parser;
  MetaReply parsed;
  EXPECT_EQ(parser.parse(reply, parsed).state, base::memcache::ParseState::kComplete) << reply;
  Pending pending;
  pending.command = command;
  pending.quiet = quiet;
  pending.binary_key = binary_key;
  Buffer out;
  const Outcome outcome = append_answer(out, pending, "foo", parsed, kTokens);
  return {std::string(out.view()), outcome};
}

using base::memcache::Command;

TEST(MetaFlags, KnowWhatIsTheProxysBusiness) {
  EXPECT_FALSE(read_meta_flags(Command::kMetaGet, "v t s").quiet);
  EXPECT_TRUE(read_meta_flags(Command::kMetaGet, "v q").quiet);
  EXPECT_TRUE(read_meta_flags(Command::kMetaGet, "b v").base64_key);
  EXPECT_TRUE(read_meta_flags(Command::kMetaGet, "Oq").error.empty());
  EXPECT_FALSE(read_meta_flags(Command::kMetaGet, "Oq v").quiet) << "q within a token is none";
  EXPECT_EQ(read_meta_flags(Command::kMetaGet, "q v q").error, "CLIENT_ERROR duplicate flag\r\n");
  EXPECT_EQ(read_meta_flags(Command::kMetaGet, "P1 P2").error, "CLIENT_ERROR duplicate flag\r\n");
}

TEST(MetaFlags, OfDeleteAndArithmeticHaveOneMessage) {
  for (const Command command : {Command::kMetaDelete, Command::kMetaArithmetic}) {
    for (const char* wrong : {"q v q", "!"}) {
      EXPECT_EQ(read_meta_flags(command, wrong).error,
                "CLIENT_ERROR invalid or duplicate flag\r\n");
    }
    EXPECT_EQ(undecodable_key(command, {}), "CLIENT_ERROR invalid or duplicate flag\r\n");
  }
}

TEST(MetaFlags, TellOfSeveralMistakesTheOneThatMemcachedTells) {
  const auto error = [](const char* flags) {
    return std::string(read_meta_flags(Command::kMetaGet, flags).error);
  };
  EXPECT_EQ(error("v u v"), "CLIENT_ERROR duplicate flag\r\n");
  EXPECT_EQ(error("v x v"), "CLIENT_ERROR invalid flag\r\n") << "memcached 1.6.18 knows no x";
  EXPECT_EQ(error("v v x"), "CLIENT_ERROR duplicate flag\r\n");
  EXPECT_EQ(error("x"), "") << "alone it is the backend's to refuse";
  const auto undecodable = [](const char* flags) {
    return undecodable_key(Command::kMetaSet, read_meta_flags(Command::kMetaSet, flags));
  };
  EXPECT_EQ(undecodable("b T30"), "CLIENT_ERROR error decoding key\r\n");
  EXPECT_EQ(undecodable("b x"), "CLIENT_ERROR invalid flag\r\n");
}

TEST(MetaFlags, OfDebugAreNotLookedAt) {
  EXPECT_TRUE(read_meta_flags(Command::kMetaDebug, "b").base64_key);
  EXPECT_FALSE(read_meta_flags(Command::kMetaDebug, "k b").base64_key);
  EXPECT_FALSE(read_meta_flags(Command::kMetaDebug, "b1").base64_key);
  EXPECT_TRUE(read_meta_flags(Command::kMetaDebug, "k k ! 1").error.empty());
  EXPECT_EQ(upstream("me foo k k ! 1\r\n"), "me <key>\r\n");
}

// memcached refuses more without reading an ms's value, which it then takes for commands.
TEST(MetaFlags, RefuseWhatWouldMakeAValueIntoCommands) {
  std::string many;
  for (char letter = 'A'; letter < 'A' + 16; ++letter) many += std::string(" ") + letter;
  EXPECT_TRUE(read_meta_flags(Command::kMetaSet, many).error.empty());
  EXPECT_TRUE(read_meta_flags(Command::kMetaGet, many + " R").error.empty());
  EXPECT_EQ(read_meta_flags(Command::kMetaSet, many + " R").error,
            "CLIENT_ERROR options flags too long\r\n");
  EXPECT_EQ(read_meta_flags(Command::kMetaGet, many + " R S").error,
            "CLIENT_ERROR options flags are too long\r\n");
  EXPECT_EQ(read_meta_flags(Command::kMetaDelete, many + " R S").error,
            "CLIENT_ERROR options flags too long\r\n");
  EXPECT_FALSE(read_meta_flags(Command::kMetaGet, "O" + std::string(1100, 'x')).error.empty());
  for (const char* odd : {"!", "1", "\x01", "\x80"}) {
    EXPECT_EQ(read_meta_flags(Command::kMetaSet, odd).error, "CLIENT_ERROR invalid flag\r\n");
  }
}

TEST(MetaUpstream, PassesFlagsOnAndKeepsWhatIsTheProxys) {
  EXPECT_EQ(upstream("mg foo v t Oabc k q\r\n"), "mg <key> v t Oabc k\r\n");
  EXPECT_EQ(upstream("mg foo b v P/path Lhint\r\n"), "mg <key> v\r\n");
  EXPECT_EQ(upstream("ms foo 3 T30 F5\r\nabc\r\n"), "ms <key> 3 T30 F5\r\nabc\r\n");
  EXPECT_EQ(upstream("md foo I T30\r\n"), "md <key> I T30\r\n");
  EXPECT_EQ(upstream("ma foo D5 v\r\n"), "ma <key> D5 v\r\n");
  EXPECT_EQ(upstream("me foo\r\n"), "me <key>\r\n");
}

TEST(MetaUpstream, ReadsTokensAndLeavesNonsenseToMemcached) {
  EXPECT_EQ(upstream("md foo C" + shown(1) + "\r\n"), "md <key> C1\r\n");
  EXPECT_EQ(upstream("ms foo 1 C" + shown(4097) + " E" + shown(2) + "\r\na\r\n"),
            "ms <key> 1 C4097 E2\r\na\r\n");
  EXPECT_EQ(upstream("md foo C0\r\n"), "md <key> C0\r\n") << "no condition for anybody";
  EXPECT_EQ(upstream("md foo Cabc\r\n"), "md <key> Cabc\r\n");
  EXPECT_EQ(upstream("md foo C+" + shown(5) + "\r\n"), "md <key> C5\r\n")
      << "memcached reads it without the sign";
}

TEST(MetaUpstream, ReadsWithoutTheWriteCapabilityChangeNothing) {
  EXPECT_EQ(upstream("mg foo v T30 N10 R5 t\r\n", false), "mg <key> v t\r\n");
  EXPECT_EQ(upstream("mg foo v T30 N10 R5 t\r\n", true), "mg <key> v T30 N10 R5 t\r\n");
}

TEST(MetaAnswer, ShowsTheClientsKeyAndToken) {
  const auto value = answer(Command::kMetaGet, "VA 3 t-1 kk000stored c1 O7\r\nabc\r\n");
  EXPECT_EQ(value.text, "VA 3 t-1 kfoo c" + shown(1) + " O7\r\nabc\r\n");
  EXPECT_EQ(value.outcome, Outcome::kDone);
  EXPECT_EQ(answer(Command::kMetaGet, "HD kdigest s3\r\n", false, true).text, "HD kZm9v b s3\r\n");
  EXPECT_EQ(answer(Command::kMetaDelete, "NF kstored O1\r\n").text, "NF kfoo O1\r\n");
  EXPECT_EQ(answer(Command::kMetaGet, "EN\r\n").text, "EN\r\n");
}

TEST(MetaAnswer, HidesInQuietModeWhatMemcachedHides) {
  EXPECT_EQ(answer(Command::kMetaGet, "EN\r\n", true).text, "");
  EXPECT_EQ(answer(Command::kMetaGet, "VA 1 v\r\na\r\n", true).text, "VA 1 v\r\na\r\n");
  EXPECT_EQ(answer(Command::kMetaGet, "HD t-1\r\n", true).text, "HD t-1\r\n");
  EXPECT_EQ(answer(Command::kMetaSet, "HD\r\n", true).text, "");
  EXPECT_EQ(answer(Command::kMetaSet, "NS\r\n", true).text, "NS\r\n");
  EXPECT_EQ(answer(Command::kMetaDelete, "HD\r\n", true).text, "");
  EXPECT_EQ(answer(Command::kMetaDelete, "NF\r\n", true).text, "NF\r\n");
  EXPECT_EQ(answer(Command::kMetaDelete, "EX\r\n", true).text, "EX\r\n");
  EXPECT_EQ(answer(Command::kMetaArithmetic, "HD\r\n", true).text, "");
  EXPECT_EQ(answer(Command::kMetaArithmetic, "VA 1\r\n6\r\n", true).text, "");
  EXPECT_EQ(answer(Command::kMetaGet, "CLIENT_ERROR invalid flag\r\n", true).text,
            "CLIENT_ERROR invalid flag\r\n");
}

TEST(MetaAnswer, MasksTheTokenOfADebugLine) {
  EXPECT_EQ(
      answer(Command::kMetaDebug, "ME k000stored exp=-1 la=3 cas=2 fetch=no cls=1 size=70\r\n")
          .text,
      "ME foo exp=-1 la=3 cas=" + shown(2) + " fetch=no cls=1 size=63\r\n")
      << "without what the stored key has more than the client's";
}

TEST(MetaAnswer, FailuresAndRefusalsSpeakMeta) {
  Pending pending;
  pending.command = Command::kMetaGet;
  Buffer miss;
  append_miss(miss, pending, "foo");
  EXPECT_EQ(miss.view(), "EN\r\n");
  pending.quiet = true;
  Buffer nothing;
  append_miss(nothing, pending, "foo");
  EXPECT_EQ(nothing.view(), "");
  pending.command = Command::kMetaSet;
  Buffer refused;
  append_not_permitted(refused, pending, "foo", "T30 q");
  EXPECT_EQ(refused.view(), "NS\r\n");
  Buffer failed;
  append_failure(failed, pending, base::telemetry::Failure::kBackendDown);
  EXPECT_EQ(failed.view(), "SERVER_ERROR backend unavailable\r\n") << "quiet hides no error";
}

TEST(MetaAnswer, WhatTheProxyAnswersItselfShowsOpaqueAndKey) {
  const auto status_of = [](Command command, std::string_view flags, bool binary_key = false) {
    Pending pending;
    pending.command = command;
    pending.binary_key = binary_key;
    Buffer out;
    if (kind_of(command) == Kind::kRead) {
      append_miss(out, pending, "foo", flags);
    } else {
      append_not_permitted(out, pending, "foo", flags);
    }
    return std::string(out.view());
  };
  EXPECT_EQ(status_of(Command::kMetaGet, "v t k O12 s"), "EN kfoo O12\r\n");
  EXPECT_EQ(status_of(Command::kMetaGet, "Ok v k"), "EN Ok kfoo\r\n");
  EXPECT_EQ(status_of(Command::kMetaGet, "b k O", true), "EN kZm9v b O\r\n");
  EXPECT_EQ(status_of(Command::kMetaDebug, "k O12"), "EN\r\n");
  EXPECT_EQ(status_of(Command::kMetaSet, "T9 O1 k"), "NS O1 kfoo\r\n");
  EXPECT_EQ(status_of(Command::kMetaDelete, "k"), "NF kfoo\r\n");
  EXPECT_EQ(status_of(Command::kMetaArithmetic, "D5 O1"), "NF O1\r\n");
}

TEST(MetaFlags, AreKeptOnlyForWhatMayBeAMiss) {
  Request request;
  request.arguments = "v k O1";
  request.command = Command::kMetaGet;
  EXPECT_EQ(echoed_flags(request), "v k O1");
  request.quiet = true;
  EXPECT_EQ(echoed_flags(request), "") << "a quiet miss is silent";
  request.quiet = false;
  request.command = Command::kMetaSet;
  EXPECT_EQ(echoed_flags(request), "");
}

}  // namespace
}  // namespace proxy::route
