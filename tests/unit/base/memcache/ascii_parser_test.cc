#include "base/memcache/ascii_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "describe.h"
#include "split.h"

namespace base::memcache {
namespace {

const std::string kLongKey(251, 'k');
const std::string kFullKey(250, 'k');

struct Case {
  std::string input;
  std::string outcome;
  std::string request = {};  // of complete commands
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      // get
      {"get a\r\n", "complete consumed=7", "get keys=[a]"},
      {"get a\n", "complete consumed=6", "get keys=[a]"},
      {"  get   a   b  \r\nget c", "complete consumed=17", "get keys=[a,b]"},
      {"get a b a\r\n", "complete consumed=11", "get keys=[a,b,a]"},
      {"gets a\r\n", "complete consumed=8", "get keys=[a] with_cas"},
      {"bget a\r\n", "complete consumed=8", "get keys=[a]"},
      {"get " + kFullKey + "\r\n", "complete consumed=256", "get keys=[" + kFullKey + "]"},
      {"get\r\n", "error consumed=5 reply=[ERROR]"},
      {"get " + kLongKey + "\r\n",
       "error consumed=257 reply=[CLIENT_ERROR bad command line format]"},
      {"get a " + kLongKey + " b\r\n",
       "error consumed=261 reply=[CLIENT_ERROR bad command line format]"},
      {"gat 10 a b\r\n", "complete consumed=12", "gat keys=[a,b] exptime=10"},
      {"gats -1 a\r\n", "complete consumed=11", "gat keys=[a] with_cas exptime=-1"},
      {"gat 0\r\n", "complete consumed=7", "gat"},
      {"gat\r\n", "error consumed=5 reply=[ERROR]"},
      {"gat x a\r\n", "error consumed=9 reply=[CLIENT_ERROR invalid exptime argument]"},
      // storage
      {"set a 7 60 3\r\nabc\r\n", "complete consumed=19",
       "set keys=[a] flags=7 exptime=60 length=3 value=[abc]"},
      {"set a 0 0 3 noreply\r\nabc\r\n", "complete consumed=26",
       "set keys=[a] quiet length=3 value=[abc]"},
      {"set a 0 0 3 whatever\r\nabc\r\n", "complete consumed=27",
       "set keys=[a] length=3 value=[abc]"},
      {"set a 0 0 0\r\n\r\n", "complete consumed=15", "set keys=[a]"},
      {"set a 0 0 4\r\n\r\n\r\n\r\n", "complete consumed=19",
       "set keys=[a] length=4 value=[\r\n\r\n]"},
      {"add a 0 0 1\r\nx\r\n", "complete consumed=16", "add keys=[a] length=1 value=[x]"},
      {"replace a 0 0 1\r\nx\r\n", "complete consumed=20", "replace keys=[a] length=1 value=[x]"},
      {"append a 0 0 1\r\nx\r\n", "complete consumed=19", "append keys=[a] length=1 value=[x]"},
      {"prepend a 0 0 1\r\nx\r\n", "complete consumed=20", "prepend keys=[a] length=1 value=[x]"},
      {"cas a 0 0 1 18446744073709551615\r\nx\r\n", "complete consumed=37",
       "cas keys=[a] cas=18446744073709551615 length=1 value=[x]"},
      {"cas a 0 0 1 9 noreply\r\nx\r\n", "complete consumed=26",
       "cas keys=[a] quiet cas=9 length=1 value=[x]"},
      {"set a 0 0\r\n", "error consumed=11 reply=[ERROR]"},
      {"set a 0 0 1 2 3\r\n", "error consumed=17 reply=[ERROR]"},
      {"set a b c d e f g h i j k l m n\r\n", "error consumed=33 reply=[ERROR]"},
      {"set a x 0 1\r\n", "error consumed=13 reply=[CLIENT_ERROR bad command line format]"},
      {"set a 0 0 -1\r\n", "error consumed=14 reply=[CLIENT_ERROR bad command line format]"},
      {"set a 0 0 2147483646\r\n",
       "error consumed=22 reply=[CLIENT_ERROR bad command line format]"},
      {"set a 0 0 x noreply\r\n", "error consumed=21"},
      {"cas a 0 0 1\r\n", "error consumed=13 reply=[ERROR]"},
      {"cas a 0 0 1 x\r\n", "error consumed=15 reply=[CLIENT_ERROR bad command line format]"},
      {"set " + kLongKey + " 0 0 1\r\n",
       "error consumed=263 reply=[CLIENT_ERROR bad command line format]"},
      {"set a 0 0 2\r\nxyz\r\n", "error consumed=17 reply=[CLIENT_ERROR bad data chunk]"},
      {"set a 0 0 2 noreply\r\nxyz\r\n", "error consumed=25"},
      {"set a 0 0 1048577\r\n",
       "error swallow consumed=19 discard=1048579 reply=[SERVER_ERROR object too large for cache]"},
      {"set a 0 0 2147483645 noreply\r\n", "error swallow consumed=30 discard=2147483647"},
      // numbers, deletion, times
      {"incr a 5\r\n", "complete consumed=10", "incr keys=[a] delta=5"},
      {"decr a 18446744073709551615 noreply\r\n", "complete consumed=37",
       "decr keys=[a] quiet delta=18446744073709551615"},
      {"incr a\r\n", "error consumed=8 reply=[ERROR]"},
      {"incr a -1\r\n", "error consumed=11 reply=[CLIENT_ERROR invalid numeric delta argument]"},
      {"incr a noreply\r\n", "error consumed=16"},
      {"delete a\r\n", "complete consumed=10", "delete keys=[a]"},
      {"delete a 0\r\n", "complete consumed=12", "delete keys=[a]"},
      {"delete a noreply\r\n", "complete consumed=18", "delete keys=[a] quiet"},
      {"delete a 0 noreply\r\n", "complete consumed=20", "delete keys=[a] quiet"},
      {"delete a 5\r\n",
       "error consumed=12 reply=[CLIENT_ERROR bad command line format.  Usage: delete <key> "
       "[noreply]]"},
      {"delete a 5 noreply\r\n", "error consumed=20"},
      {"delete a 0 noreply x\r\n", "error consumed=22 reply=[ERROR]"},
      {"touch a 30\r\n", "complete consumed=12", "touch keys=[a] exptime=30"},
      {"touch a 30 noreply\r\n", "complete consumed=20", "touch keys=[a] quiet exptime=30"},
      {"touch a\r\n", "error consumed=9 reply=[ERROR]"},
      {"touch a x\r\n", "error consumed=11 reply=[CLIENT_ERROR invalid exptime argument]"},
      // the server
      {"flush_all\r\n", "complete consumed=11", "flush"},
      {"flush_all noreply\r\n", "complete consumed=19", "flush quiet"},
      {"flush_all 10\r\n", "complete consumed=14", "flush exptime=10"},
      {"flush_all 10 noreply\r\n", "complete consumed=22", "flush quiet exptime=10"},
      {"flush_all abc\r\n", "error consumed=15 reply=[CLIENT_ERROR invalid exptime argument]"},
      {"flush_all 1 2 3\r\n", "error consumed=17 reply=[ERROR]"},
      {"version\r\n", "complete consumed=9", "version"},
      {"version x y\r\n", "complete consumed=13", "version arguments=[ x y]"},
      {"verbosity 1\r\n", "complete consumed=13", "verbosity flags=1"},
      {"verbosity 1 noreply\r\n", "complete consumed=21", "verbosity quiet flags=1"},
      {"verbosity\r\n", "error consumed=11 reply=[ERROR]"},
      {"verbosity x\r\n", "error consumed=13 reply=[CLIENT_ERROR bad command line format]"},
      {"stats\r\n", "complete consumed=7", "stats"},
      {"stats items\r\n", "complete consumed=13", "stats arguments=[ items]"},
      {"quit\r\n", "complete consumed=6", "quit"},
      // meta
      {"mn\r\n", "complete consumed=4", "noop"},
      {"mg a v f\r\n", "complete consumed=10", "mg keys=[a] arguments=[ v f]"},
      {"ms a 2 T0\r\nhi\r\n", "complete consumed=15",
       "ms keys=[a] length=2 value=[hi] arguments=[ T0]"},
      {"md a\r\n", "complete consumed=6", "md keys=[a]"},
      {"ma a v\r\n", "complete consumed=8", "ma keys=[a] arguments=[ v]"},
      {"me a\r\n", "complete consumed=6", "me keys=[a]"},
      {"mg\r\n", "error consumed=4 reply=[ERROR]"},
      {"me\r\n", "error consumed=4 reply=[CLIENT_ERROR bad command line format]"},
      {"ms a\r\n", "error consumed=6 reply=[CLIENT_ERROR bad command line format]"},
      {"ms a S2\r\n", "error consumed=9 reply=[CLIENT_ERROR bad command line format]"},
      {"mx a\r\n", "error consumed=6 reply=[ERROR]"},
      // nonsense
      {"\r\n", "error consumed=2 reply=[ERROR]"},
      {"\n", "error consumed=1 reply=[ERROR]"},
      {"x\r\n", "error consumed=3 reply=[ERROR]"},
      {"bogus\r\n", "error consumed=7 reply=[ERROR]"},
      {"GET a\r\n", "error consumed=7 reply=[ERROR]"},
      {"shutdown\r\n", "error consumed=10 reply=[ERROR]"},
      {"GET / HTTP/1.0\r\n", "error close"},
      {"HTTP/1.0\r\n", "error close"},
      {"slabs HTTP/1.0\r\n", "error consumed=16 reply=[ERROR]"},
  };
  return kCases;
}

auto parser(AsciiLimits limits = {}) {
  return [parser = AsciiParser(limits)](std::string_view input, Request& request) mutable {
    return parser.parse(input, request);
  };
}

TEST(AsciiParser, ReadsEveryCommandAndRefusesAsMemcachedDoes) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.input.substr(0, 80));
    Request request;
    const Parsed parsed = parser()(c.input, request);
    EXPECT_EQ(describe(parsed), c.outcome);
    if (parsed.state == ParseState::kComplete) {
      EXPECT_EQ(describe(request), c.request);
    }
  }
}

TEST(AsciiParser, OutcomeDoesNotDependOnHowBytesArrive) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.input.substr(0, 80));
    expect_same_at_every_split<Request>(c.input, [] { return parser(); });
    if (HasFatalFailure()) return;
  }
}

TEST(AsciiParser, OutcomeOfLongLinesDoesNotDependOnHowBytesArrive) {
  const std::string keys(2100, 'x');
  std::string many = "gets";
  for (int i = 0; i < 300; ++i) many += " key-" + std::to_string(i);
  for (const std::string& line : {keys, "get " + keys, many, std::string(150, ' ') + many,
                                  std::string(99, ' ') + many, std::string(2049, ' ')}) {
    expect_same_at_every_split<Request>(line + "\r\n", [] { return parser({.line = 2500}); });
    if (HasFatalFailure()) return;
  }
}

TEST(AsciiParser, GivesTheValueOverToBeStreamedWhenItIsLargerThanTheBuffer) {
  Request request;
  const Parsed parsed = parser({.buffered = 4})("set a 1 2 5 noreply\r\nab", request);
  EXPECT_EQ(describe(parsed), "complete consumed=21");
  EXPECT_EQ(describe(request), "set keys=[a] quiet value_follows flags=1 exptime=2 length=5");
}

TEST(AsciiParser, NamesTheWholeSizeWhileAValueIsMissing) {
  Request request;
  auto parse = parser();
  const Parsed parsed = parse("set a 0 0 100\r\nabc", request);
  EXPECT_EQ(parsed.state, ParseState::kNeedMore);
  EXPECT_EQ(parsed.needed, 15u + 100 + 2);
}

TEST(AsciiParser, KeepsCommandAndKeyOfAValueThatIsTooLarge) {
  Request request;
  const Parsed parsed = parser({.value = 10})("set old 0 0 11\r\n", request);
  EXPECT_EQ(parsed.fate, Fate::kSwallow);
  EXPECT_EQ(parsed.swallow, 13u);
  EXPECT_EQ(request.command, Command::kSet);
  EXPECT_EQ(request.key, "old");
}

TEST(AsciiParser, ClosesAtALongLineUnlessItIsAGet) {
  Request request;
  EXPECT_EQ(describe(parser()(std::string(2048, 'x'), request)), "more");
  EXPECT_EQ(describe(parser()(std::string(2049, 'x'), request)), "error close");
  EXPECT_EQ(describe(parser()("get " + std::string(3000, 'x'), request)), "more");
  EXPECT_EQ(describe(parser()("gat 0 " + std::string(3000, 'x'), request)), "more");
  EXPECT_EQ(describe(parser({.line = 2999})("get " + std::string(3000, 'x'), request)),
            "error close reply=[CLIENT_ERROR line too long]");
}

TEST(AsciiParser, ReadsPipelinedCommandsOneAfterTheOther) {
  std::string_view input = "set a 0 0 1\r\nx\r\nget a\r\nbogus\r\ndelete a noreply\r\n";
  AsciiParser pipelined;
  std::string seen;
  while (!input.empty()) {
    Request request;
    const Parsed parsed = pipelined.parse(input, request);
    ASSERT_NE(parsed.state, ParseState::kNeedMore);
    seen += parsed.state == ParseState::kComplete ? describe(request) : describe(parsed);
    seen += "; ";
    input.remove_prefix(parsed.consumed);
  }
  EXPECT_EQ(seen,
            "set keys=[a] length=1 value=[x]; get keys=[a]; error consumed=7 reply=[ERROR]; "
            "delete keys=[a] quiet; ");
}

TEST(AsciiParser, CountsKeysAsItsRangeYieldsThem) {
  Request request;
  parser()("get  a bb  ccc a \r\n", request);
  std::vector<std::string> keys;
  for (const std::string_view key : request.keys()) keys.emplace_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "bb", "ccc", "a"}));
  EXPECT_EQ(request.key_count, 4u);
  EXPECT_EQ(request.key, "a");
}

TEST(AsciiParser, TakesANulAsAByteOfTheKey) {
  Request request;
  parser()(std::string_view("get a\0b\r\n", 9), request);
  EXPECT_EQ(request.key, std::string_view("a\0b", 3));
}

}  // namespace
}  // namespace base::memcache
