#include "base/memcache/ascii_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace base::memcache::ascii {
namespace {

TEST(AsciiWriter, WritesValueLines) {
  Buffer out;
  append_value_header(out, "key", 4294967295u, 1048576);
  append_value_header(out, "k", 0, 0, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(out.view(), "VALUE key 4294967295 1048576\r\nVALUE k 0 0 18446744073709551615\r\n");
}

TEST(AsciiWriter, WritesNumbersVersionsAndStatistics) {
  Buffer out;
  append_number(out, 18446744073709551615u);
  append_version(out, "1.6.18");
  append_stat(out, "pid", uint64_t{12});
  append_stat(out, "name", "text");
  append_server_error(out, "flush pending");
  EXPECT_EQ(out.view(),
            "18446744073709551615\r\nVERSION 1.6.18\r\nSTAT pid 12\r\nSTAT name text\r\n"
            "SERVER_ERROR flush pending\r\n");
}

}  // namespace
}  // namespace base::memcache::ascii
