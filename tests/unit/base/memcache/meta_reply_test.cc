#include "base/memcache/meta_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "describe.h"
#include "split.h"

namespace base::memcache {
namespace {

struct Case {
  std::string input;
  std::string reply;  // empty: the parser gives the connection up
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"HD\r\n", "HD"},
      {"HD c12 f7\r\n", "HD has_cas has_flags cas=12 flags=7"},
      {"HD O99 kname b\r\n", "HD binary_key opaque=[99] key=[name]"},
      {"VA 5\r\nhello\r\n", "VA length=5 value=[hello]"},
      {"VA 0 f0 c1\r\n\r\n", "VA has_cas has_flags cas=1"},
      {"VA 4 f1 c2 t-1 s9 kkey Oabc W\r\n\r\n\r\n\r\n",
       "VA won has_cas has_flags has_ttl has_size cas=2 flags=1 ttl=-1 size=9 length=4 "
       "opaque=[abc] "
       "key=[key] value=[\r\n\r\n]"},
      {"VA 1 X Z t100 h1 l5\r\nx\r\n", "VA stale already_won has_ttl ttl=100 length=1 value=[x]"},
      {"EN\r\n", "EN"},
      {"NS\r\n", "NS"},
      {"EX c5\r\n", "EX has_cas cas=5"},
      {"NF O3\r\n", "NF opaque=[3]"},
      {"MN\r\n", "MN"},
      {"ME key exp=-1 la=2\r\n", "ME text=[key exp=-1 la=2]"},
      {"42\r\n", "number number=42"},
      {"5\r\n", "number number=5"},
      {"18446744073709551615\r\n", "number number=18446744073709551615"},
      {"OK\r\n", "OK"},
      {"VERSION 1.6.18\r\n", "VERSION text=[1.6.18]"},
      {"STAT pid 12\r\n", "STAT text=[pid 12]"},
      {"END\r\n", "END"},
      {"ERROR\r\n", "ERROR"},
      {"ERROR: shutdown not enabled\r\n", "ERROR text=[shutdown not enabled]"},
      {"CLIENT_ERROR bad data chunk\r\n", "CLIENT_ERROR text=[bad data chunk]"},
      {"SERVER_ERROR out of memory storing object\r\n",
       "SERVER_ERROR text=[out of memory storing object]"},
      {"\r\n", ""},
      {"\n", ""},
      {"HD\n", ""},
      {"HDX\r\n", ""},
      {"XX\r\n", ""},
      {"STORED\r\n", ""},
      {"12x\r\n", ""},
      {"-1\r\n", ""},
      {"18446744073709551616\r\n", ""},
      {"VA\r\n", ""},
      {"VA x\r\n", ""},
      {"VA -1\r\n", ""},
      {"VA 4294967296\r\n", ""},
      {"VA 2\r\nabc\r\n", ""},
      {"VA 2\r\nab\n\n", ""},
      {"HD cx\r\n", ""},
      {"HD c\r\n", ""},
      {"HD f4294967296\r\n", ""},
      {"HD t1x\r\n", ""},
      {std::string(9000, 'x') + "\r\n", ""},
  };
  return kCases;
}

auto parser(uint32_t buffered = kMaxValueLength) {
  return [parser = MetaReplyParser(buffered)](std::string_view input, MetaReply& reply) mutable {
    return parser.parse(input, reply);
  };
}

TEST(MetaReplyParser, ReadsEveryReplyAndGivesUpOnNonsense) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.input.substr(0, 80));
    MetaReply reply;
    const Parsed parsed = parser()(c.input, reply);
    if (c.reply.empty()) {
      EXPECT_EQ(describe(parsed), "error close");
    } else {
      EXPECT_EQ(describe(parsed), "complete consumed=" + std::to_string(c.input.size()));
      EXPECT_EQ(describe(reply), c.reply);
    }
  }
}

TEST(MetaReplyParser, OutcomeDoesNotDependOnHowBytesArrive) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.input.substr(0, 80));
    expect_same_at_every_split<MetaReply>(c.input, [] { return parser(); });
    if (HasFatalFailure()) return;
  }
}

TEST(MetaReplyParser, GivesALargeValueOverToBeStreamed) {
  MetaReply reply;
  const Parsed parsed = parser(4)("VA 5 c7\r\nhel", reply);
  EXPECT_EQ(describe(parsed), "complete consumed=9");
  EXPECT_EQ(describe(reply), "VA value_follows has_cas cas=7 length=5");
}

TEST(MetaReplyParser, NamesTheWholeSizeWhileAValueIsMissing) {
  MetaReply reply;
  auto parse = parser();
  EXPECT_EQ(parse("VA 1000\r\nx", reply).needed, 9u + 1000 + 2);
}

TEST(MetaReplyParser, ReadsPipelinedRepliesOneAfterTheOther) {
  std::string_view input = "HD\r\nVA 2 f1\r\nhi\r\nEN\r\nMN\r\n";
  MetaReplyParser pipelined;
  std::string seen;
  while (!input.empty()) {
    MetaReply reply;
    const Parsed parsed = pipelined.parse(input, reply);
    ASSERT_EQ(parsed.state, ParseState::kComplete);
    seen += describe(reply) + "; ";
    input.remove_prefix(parsed.consumed);
  }
  EXPECT_EQ(seen, "HD; VA has_flags flags=1 length=2 value=[hi]; EN; MN; ");
}

}  // namespace
}  // namespace base::memcache
