// The text parser against a real memcached: the same bytes get the same errors and the same fate.
//
// A model answers what the parser completes as an empty memcached would (each exchange begins with
// a flush), and what the parser refuses with the parser's reply; the two answers must be equal
// bytes.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/memcache/ascii_parser.h"
#include "base/memcache/ascii_writer.h"
#include "reference_server.h"

namespace base::memcache {
namespace {

// What the exchange should bring: reply bytes, and whether the connection is closed after them.
struct Answer {
  std::string bytes;
  bool closed = false;
  bool incomplete = false;  // the input ends inside a value: nothing to compare
};

// An empty memcached's answer to a complete request.
class Model {
 public:
  std::string answer(const Request& request) {
    const std::string reply = act(request);
    return request.quiet ? std::string() : reply;
  }

 private:
  std::string act(const Request& request) {
    const std::string key(request.key);
    const bool exists = items_.count(key) > 0;
    const auto text = [](std::string_view reply) { return std::string(reply); };
    switch (request.command) {
      case Command::kSet:
        store(request);
        return text(ascii::kStored);
      case Command::kAdd:
        if (exists) return text(ascii::kNotStored);
        store(request);
        return text(ascii::kStored);
      case Command::kReplace:
      case Command::kAppend:
      case Command::kPrepend:
        return text(ascii::kNotStored);
      case Command::kDelete:
        return text(items_.erase(key) > 0 ? ascii::kDeleted : ascii::kNotFound);
      case Command::kGet:
      case Command::kGat:
        return text(ascii::kEnd);
      case Command::kFlushAll:
      case Command::kVerbosity:
        return text(ascii::kOk);
      case Command::kVersion:
        return "VERSION 1.6.18\r\n";
      case Command::kNoop:
        return text(ascii::kNoop);
      default:  // cas, incr, decr, touch of a key that is not there
        return text(ascii::kNotFound);
    }
  }
  // What expires at once is not there.
  void store(const Request& request) {
    if (request.exptime >= 0) items_.insert(std::string(request.key));
  }

  std::set<std::string> items_;
};

Answer expected_answer(std::string_view input) {
  Answer answer;
  Model model;
  AsciiParser parser;
  while (!input.empty()) {
    Request request;
    const Parsed parsed = parser.parse(input, request);
    if (parsed.state == ParseState::kNeedMore) {
      answer.incomplete = true;
      return answer;
    }
    if (parsed.state == ParseState::kComplete) {
      if (request.command == Command::kQuit) {
        answer.closed = true;
        return answer;
      }
      answer.bytes += model.answer(request);
    } else {
      answer.bytes += parsed.reply;
      if (parsed.fate == Fate::kClose) {
        answer.closed = true;
        return answer;
      }
    }
    const uint64_t skip = parsed.consumed + parsed.swallow;
    if (skip > input.size()) {
      answer.incomplete = true;
      return answer;
    }
    input.remove_prefix(skip);
  }
  return answer;
}

class ReferenceAscii : public ::testing::Test {
 protected:
  // False: the input says nothing (it ends inside a value).
  bool compare(const std::string& lines) {
    const std::string input = "flush_all noreply\r\n" + lines + "\r\nmn\r\n";
    const Answer answer = expected_answer(input);
    if (answer.incomplete) return false;
    if (connection_ == nullptr) connection_ = std::make_unique<ReferenceConnection>(server_);
    connection_->send(input);
    EXPECT_EQ(connection_->receive(answer.bytes.size()), answer.bytes) << lines.substr(0, 200);
    if (answer.closed) {
      EXPECT_TRUE(connection_->closes()) << lines.substr(0, 200);
    }
    if (answer.closed || HasFailure()) connection_.reset();
    return true;
  }

  ReferenceServer server_;
  std::unique_ptr<ReferenceConnection> connection_;
};

TEST_F(ReferenceAscii, AnswersNamedLinesAsMemcachedDoes) {
  const std::string long_key(251, 'k');
  const std::string full_key(250, 'k');
  const std::vector<std::string> lines = {
      "",
      " ",
      "a",
      "bogus",
      "get",
      "get ",
      "get a",
      " get a b",
      "gets",
      "gets a",
      "gat",
      "gat 0",
      "gat x",
      "gat x a",
      "gat 0 a",
      "gats -1 a",
      "get " + full_key,
      "get " + long_key,
      "get a " + long_key + " b",
      "gat 0 " + long_key,
      "bget a",
      "get a\r",
      std::string(99, ' ') + "get a",
      "set a 0 0 1\r\nx",
      "set a 0 0 0\r\n",
      "set a 0 0 1 noreply\r\nx",
      "set a 0 0 1 foo\r\nx",
      "set a 0 0 1 foo bar",
      "set a 0 0",
      "set",
      "set a abc 0 1",
      "set a abc 0 1 noreply",
      "set a 4294967296 0 1\r\nx",
      "set a 18446744073709551616 0 1",
      "set a -1 0 1",
      "set a -18446744073709551615 0 1\r\nx",
      "set a 0 4294967296 1\r\nx",
      "set a 0 2147483648 1\r\nx",
      "set a 0 9223372036854775808 1",
      "set a 0 -1 1\r\nx",
      "set a 0 0 -1",
      "set a 0 0 2147483646",
      "set a 0 0 4294967297\r\nx",
      "set a 0 0 abc",
      "set a 0 0 2\r\nxyz",
      "set a 0 0 2 noreply\r\nxyz",
      "set a 0 0 1\r\nx\n",
      "set a 0 0 1\nx",
      "set " + full_key + " 0 0 1\r\nx",
      "set " + long_key + " 0 0 1\r\nx",
      "set " + long_key + " 0 0 1 noreply\r\nx",
      "set a 0 0 1048577\r\n" + std::string(1048577, 'x'),
      "set a 0 0 1048577 noreply\r\n" + std::string(1048577, 'x'),
      "add a 0 0 1\r\nx",
      "add a 0 0",
      "replace a 0 0 1\r\nx",
      "append a 0 0 1\r\nx",
      "prepend a 0 0 1\r\nx",
      "replace a",
      "prepend a",
      "append a",
      "cas a 0 0 1",
      "cas a 0 0 1 x",
      "cas a 0 0 1 1\r\nx",
      "cas a 0 0 1 1 noreply\r\nx",
      "cas a 0 0 1 noreply",
      "cas a 0 0 1 1 2 3",
      "incr",
      "incr a",
      "incr a abc",
      "incr a -1",
      "incr a 1",
      "incr a 1 x",
      "incr a 1 noreply",
      "incr noreply",
      "incr a noreply",
      "incr a 18446744073709551615",
      "incr a 18446744073709551616",
      "incr " + long_key + " abc",
      "decr a",
      "decr a x",
      "decr a 1",
      "delete",
      "delete a",
      "delete a 0",
      "delete a 5",
      "delete a noreply",
      "delete a 0 noreply",
      "delete a 0 x",
      "delete a 5 noreply",
      "delete a 0 noreply x",
      "delete " + long_key,
      "delete " + long_key + " 5",
      "touch",
      "touch a",
      "touch a 0",
      "touch a x",
      "touch a 0 noreply",
      "touch a 0 x",
      "touch a noreply",
      "touch a 0 noreply x",
      "touch " + long_key + " x",
      "flush_all",
      "flush_all noreply",
      "flush_all 0",
      "flush_all 0 noreply",
      "flush_all abc",
      "flush_all 0 x",
      "flush_all noreply noreply",
      "flush_all 0 1 2",
      "flush_all -1",
      "version",
      "version foo",
      "verbosity",
      "verbosity 0",
      "verbosity x",
      "verbosity 0 noreply",
      "verbosity noreply",
      "verbosity 0 x",
      "verbosity 0 x y",
      "verbosity -1",
      "quit",
      "quit foo",
      "GET / HTTP/1.0",
      "GET / HTTP/1.0 x",
      "bogus HTTP/1",
      "sbogus HTTP/1",
      "xbogus HTTP/1 ",
      "HTTP/1",
      "mx",
      "mgx",
      "mn",
      "mn x",
      "mg",
      "ms",
      "ms a",
      "ms a x",
      "ms a -1",
      "md",
      "ma",
      "me",
      "mg " + long_key,
      "ms " + long_key + " 1",
      "ms a 2\r\nxxx",
      "ms a 1048577\r\n" + std::string(1048577, 'x'),
      "touch a \t5",
      "touch a 5\t",
      "touch a +5",
      "touch a \t",
      "touch a 5\tx",
      "SET a 0 0 1",
      "Get a",
      "slabs",
      "lru",
      "cache_memlimit",
      "lru_crawler",
      std::string(2040, 'x')};
  for (const std::string& line : lines) EXPECT_TRUE(compare(line)) << line.substr(0, 200);
}

// One of `choices`.
std::string pick(std::mt19937& random, const std::vector<std::string>& choices) {
  return choices[random() % choices.size()];
}

// Lines from the pieces that commands are made of, right and wrong. A key of 251 bytes comes only
// where nothing is pipelined: for one in a get, memcached drops the replies before it as well.
std::string random_lines(std::mt19937& random) {
  static const std::vector<std::string> kWords = {
      "get",       "gets",    "gat",       "gats",  "set",  "add",    "replace",
      "append",    "prepend", "cas",       "incr",  "decr", "delete", "touch",
      "flush_all", "version", "verbosity", "bogus", "mn",   "x",      "SET"};
  static const std::vector<std::string> kArguments = {
      "a",       "b",   "0",    "0",  "0",  "1",   "2",   "5",          "-1",
      "noreply", "abc", "a\tb", "1x", "+1", "\t1", "1\t", "4294967296", "99999999999999999999"};
  static const std::vector<std::string> kValues = {"x", "xy", "", "get a", "\r", "abcde"};
  const size_t count = 1 + random() % 3;
  std::string lines;
  for (size_t i = 0; i < count; ++i) {
    lines += pick(random, kWords);
    const size_t arguments = random() % 7;
    for (size_t j = 0; j < arguments; ++j) {
      lines += random() % 8 == 0 ? "  " : " ";
      const bool long_key = j == 0 && random() % 16 == 0;
      lines += long_key ? std::string(count == 1 ? 251 : 250, 'k') : pick(random, kArguments);
    }
    if (random() % 4 == 0) lines += " noreply";
    if (random() % 2 == 0) lines += "\r\n" + pick(random, kValues);
    if (i + 1 < count) lines += random() % 8 == 0 ? "\n" : "\r\n";
  }
  return lines;
}

TEST_F(ReferenceAscii, AnswersRandomLinesAsMemcachedDoes) {
  std::mt19937 random(20160);
  int compared = 0;
  for (int i = 0; i < 20000 && !HasFailure(); ++i) {
    if (compare(random_lines(random))) ++compared;
  }
  EXPECT_GT(compared, 10000);
}

TEST_F(ReferenceAscii, ClosesAtALongLineAsMemcachedDoes) {
  for (const std::string& start : {std::string(2049, 'x'), std::string(2049, ' '),
                                   std::string(101, ' ') + "get " + std::string(2100, 'x')}) {
    AsciiParser parser;
    Request request;
    EXPECT_EQ(parser.parse(start, request).fate, Fate::kClose);
    ReferenceConnection connection(server_);
    connection.send(start);
    EXPECT_TRUE(connection.closes());
  }
}

TEST_F(ReferenceAscii, ReadsAGetOfManyKeysAsMemcachedDoes) {
  std::string many = "get";
  for (int i = 0; i < 5000; ++i) many += " key-" + std::to_string(i);
  EXPECT_TRUE(compare(many));
}

}  // namespace
}  // namespace base::memcache
