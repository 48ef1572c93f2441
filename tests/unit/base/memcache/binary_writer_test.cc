#include "base/memcache/binary_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/memcache/binary_parser.h"
#include "frame.h"

namespace base::memcache::binary {
namespace {

Request request_of(const Frame& frame) {
  Request request;
  parse_binary(encode(frame), request);
  return request;
}

// opcode, status, extras length, key length, body length, opaque, cas, body
std::string dump(std::string_view bytes) {
  EXPECT_EQ(static_cast<uint8_t>(bytes[0]), kBinaryResponseMagic);
  EXPECT_EQ(bytes[5], 0);
  const char* const at = bytes.data();
  return std::to_string(static_cast<uint8_t>(at[1])) + " " + std::to_string(load_u16(at + 6)) +
         " " + std::to_string(at[4]) + " " + std::to_string(load_u16(at + 2)) + " " +
         std::to_string(load_u32(at + 8)) + " " + std::to_string(load_u32(at + 12)) + " " +
         std::to_string(load_u64(at + 16)) + " " + std::string(bytes.substr(24));
}

TEST(BinaryWriter, AnswersWithTheRequestsOpcodeAndOpaque) {
  Buffer out;
  append_success(out, request_of({0x01, u64(0), "k", "v"}), 77);
  EXPECT_EQ(dump(out.view()), "1 0 0 0 0 16909060 77 ");
}

TEST(BinaryWriter, ExplainsErrorsWithMemcachedsTexts) {
  const Request request = request_of({0x00, "", "k"});
  const std::pair<Status, std::string> texts[] = {
      {Status::kNotFound, "0 1 0 0 9 16909060 0 Not found"},
      {Status::kExists, "0 2 0 0 20 16909060 0 Data exists for key."},
      {Status::kTooLarge, "0 3 0 0 10 16909060 0 Too large."},
      {Status::kInvalid, "0 4 0 0 17 16909060 0 Invalid arguments"},
      {Status::kNotStored, "0 5 0 0 11 16909060 0 Not stored."},
      {Status::kNonNumeric, "0 6 0 0 46 16909060 0 Non-numeric server-side value for incr or decr"},
      {Status::kAuthError, "0 32 0 0 13 16909060 0 Auth failure."},
      {Status::kUnknownCommand, "0 129 0 0 15 16909060 0 Unknown command"},
      {Status::kOutOfMemory, "0 130 0 0 13 16909060 0 Out of memory"},
  };
  for (const auto& [status, expected] : texts) {
    Buffer out;
    append_error(out, request, status);
    EXPECT_EQ(dump(out.view()), expected);
  }
  Buffer out;
  append_error(out, request, Status::kTemporaryFailure, "why");
  EXPECT_EQ(dump(out.view()), "0 134 0 0 3 16909060 0 why");
}

TEST(BinaryWriter, ShowsTheKeyOnlyWhenAsked) {
  Buffer out;
  append_value_header(out, request_of({0x00, "", "k"}), "k", 5, 3, 9);
  EXPECT_EQ(dump(out.view()), "0 0 4 0 7 16909060 9 " + u32(5));
  out.clear();
  append_value_header(out, request_of({0x0c, "", "k"}), "k", 5, 3, 9);
  EXPECT_EQ(dump(out.view()), "12 0 4 1 8 16909060 9 " + u32(5) + "k");
  out.clear();
  append_miss(out, request_of({0x00, "", "k"}), "k");
  EXPECT_EQ(dump(out.view()), "0 1 0 0 9 16909060 0 Not found");
  out.clear();
  append_miss(out, request_of({0x0c, "", "k"}), "k");
  EXPECT_EQ(dump(out.view()), "12 1 0 1 1 16909060 0 k");
}

TEST(BinaryWriter, WritesCountersBodiesAndStatistics) {
  Buffer out;
  append_counter(out, request_of({0x05, u64(1) + u64(1) + u32(0), "k"}), 258, 4);
  EXPECT_EQ(dump(out.view()), "5 0 0 0 8 16909060 4 " + u64(258));
  out.clear();
  append_body(out, request_of({0x0b}), Status::kSuccess, "1.6.18");
  EXPECT_EQ(dump(out.view()), "11 0 0 0 6 16909060 0 1.6.18");
  out.clear();
  append_stat(out, request_of({0x10}), "pid", "12");
  EXPECT_EQ(dump(out.view()), "16 0 0 3 5 16909060 0 pid12");
  out.clear();
  append_stat(out, request_of({0x10}), {}, {});
  EXPECT_EQ(dump(out.view()), "16 0 0 0 0 16909060 0 ");
}

TEST(BinaryWriter, NamesTheStatusOfARefusedStoreByItsCommand) {
  EXPECT_EQ(not_stored(Command::kAdd), Status::kExists);
  EXPECT_EQ(not_stored(Command::kReplace), Status::kNotFound);
  EXPECT_EQ(not_stored(Command::kAppend), Status::kNotStored);
  EXPECT_EQ(not_stored(Command::kPrepend), Status::kNotStored);
}

}  // namespace
}  // namespace base::memcache::binary
