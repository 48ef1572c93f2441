#include "proxy/route/translate.h"
#include "tests/unit/proxy/route/tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::route {
namespace {

using base::memcache::Buffer;
using base::memcache::Command;
using base::memcache::Protocol;
using base::memcache::Request;
using base::memcache::StoredKey;

constexpr std::string_view kKey = "k0001000020003key";  // cache 1, generation 2, since 3

std::string sent(const Request& request, bool may_touch = true) {
  Buffer out;
  append_upstream(out, request, StoredKey(1, 2, 3, "key"), kTokens, may_touch);
  return std::string(out.view());
}

Request request(Command command, Protocol protocol = Protocol::kAscii) {
  Request r;
  r.command = command;
  r.protocol = protocol;
  r.key = "key";
  return r;
}

std::string line(const std::string& verb, const std::string& rest) {
  return verb + " " + std::string(kKey) + rest + "\r\n";
}

TEST(Translation, ReadsAskForTheCasOnlyWhenItIsShown) {
  EXPECT_EQ(sent(request(Command::kGet)), line("mg", " f v"));
  Request gets = request(Command::kGet);
  gets.with_cas = true;
  EXPECT_EQ(sent(gets), line("mg", " f c v"));
  EXPECT_EQ(sent(request(Command::kGet, Protocol::kBinary)), line("mg", " f c v"));
}

TEST(Translation, AGatTouchesOnlyWithTheCapability) {
  Request gat = request(Command::kGat);
  gat.exptime = 60;
  EXPECT_EQ(sent(gat), line("mg", " f T60 v"));
  EXPECT_EQ(sent(gat, false), line("mg", " f v"));
}

// memcached makes a check-and-set of them.
TEST(Translation, ABinaryAddOrReplaceWithATokenIsASet) {
  for (const Command command : {Command::kAdd, Command::kReplace}) {
    Request store = request(command, Protocol::kBinary);
    store.value = "a";
    EXPECT_EQ(sent(store), line("ms", command == Command::kAdd ? " 1 ME c" : " 1 MR c") + "a\r\n");
    store.cas = kTokens.show(5);
    EXPECT_EQ(sent(store), line("ms", " 1 C5 c") + "a\r\n");
  }
}

TEST(Translation, ABinaryTouchAsksForFlagsAndToken) {
  Request touch = request(Command::kTouch, Protocol::kBinary);
  touch.exptime = 60;
  EXPECT_EQ(sent(touch), line("mg", " f c T60"));
}

TEST(Translation, StoresCarryModeFlagsExptimeAndValue) {
  Request set = request(Command::kSet);
  set.value = "ab\r\n";
  set.flags = 5;
  set.exptime = -1;
  EXPECT_EQ(sent(set), line("ms", " 4 F5 T-1") + "ab\r\n\r\n");
  set.command = Command::kAppend;
  EXPECT_EQ(sent(set), line("ms", " 4 MA F5 T-1") + "ab\r\n\r\n");
}

TEST(Translation, TokensOfClientsAreReadAsTheBackends) {
  Request cas = request(Command::kCas);
  cas.value = "x";
  cas.cas = kTokens.show(6);
  EXPECT_EQ(sent(cas), line("ms", " 1 C6") + "x\r\n");
  Request remove = request(Command::kDelete, Protocol::kBinary);
  EXPECT_EQ(sent(remove), line("md", ""));
  remove.cas = kTokens.show(6);
  EXPECT_EQ(sent(remove), line("md", " C6"));
}

TEST(Translation, ATokenOfZeroIsAConditionThatNoItemMeets) {
  Request cas = request(Command::kCas);
  cas.value = "x";
  EXPECT_EQ(sent(cas), line("ms", " 1 C18446744073709551615") + "x\r\n");
}

TEST(Translation, CountersCreateOnlyWhenAsked) {
  Request incr = request(Command::kIncr);
  incr.delta = 5;
  EXPECT_EQ(sent(incr), line("ma", " D5 v"));
  Request decr = request(Command::kDecr, Protocol::kBinary);
  decr.delta = 1;
  decr.initial = 10;
  decr.exptime = 60;
  decr.create = true;
  EXPECT_EQ(sent(decr), line("ma", " MD J10 N60 c v"));
  Request touch = request(Command::kTouch);
  touch.exptime = 9;
  EXPECT_EQ(sent(touch), line("mg", " T9"));
}

TEST(Translation, OnlyReadsAreNotWrites) {
  EXPECT_FALSE(is_write(kind_of(Command::kGet)));
  EXPECT_FALSE(is_write(kind_of(Command::kGat)));
  for (const Command command : {Command::kSet, Command::kCas, Command::kDelete, Command::kTouch,
                                Command::kIncr, Command::kDecr}) {
    EXPECT_TRUE(is_write(kind_of(command)));
  }
  EXPECT_EQ(kind_of(Command::kVersion), Kind::kNone);
}

}  // namespace
}  // namespace proxy::route
