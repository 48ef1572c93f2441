#include "base/memcache/client_key.h"

#include <gtest/gtest.h>

namespace base::memcache {
namespace {

TEST(ClientKey, IsDecodedAsMemcachedDoes) {
  EXPECT_EQ(decode_client_key("Zm9v"), "foo");
  EXPECT_EQ(decode_client_key("Zm9vYg=="), "foob");
  EXPECT_EQ(decode_client_key("Zm9vYmE="), "fooba");
  EXPECT_EQ(decode_client_key("AAEC"), std::string("\0\1\2", 3));
  EXPECT_EQ(decode_client_key("Z\x01m9v!"), "foo") << "what is none of base64 is skipped";
  EXPECT_EQ(decode_client_key("Zm9vYg==Zm9v"), "foob") << "what is behind the padding, too";
  EXPECT_EQ(decode_client_key("Yh=="), "b") << "spare bits";
  EXPECT_EQ(decode_client_key("=m9v"), std::string("\x02\x6f", 2))
      << "padding anywhere in the last four";
  for (const char* wrong : {"", "!!!", "Z", "Zm9", "Zm9v=", "====", "Z===", "Zm9vYg==Z"}) {
    EXPECT_EQ(decode_client_key(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace base::memcache
