#include "base/memcache/meta_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace base::memcache::meta {
namespace {

const KeyPieces kKey{"pre", "key"};

TEST(MetaWriter, WritesGets) {
  Buffer out;
  append_get(out, kKey, {});
  append_get(out, kKey, {.want = {.value = true, .flags = true, .cas = true}});
  append_get(out, kKey,
             {.want = {.value = true, .ttl = true, .size = true, .key = true},
              .touch = 60,
              .quiet = true,
              .opaque = 7});
  append_get(out, {{}, "raw"}, {.want = {.value = true}});
  EXPECT_EQ(out.view(),
            "mg prekey\r\n"
            "mg prekey f c v\r\n"
            "mg prekey t s k T60 O7 q v\r\n"
            "mg raw v\r\n");
}

TEST(MetaWriter, WritesStores) {
  Buffer out;
  append_store(out, kKey, 10, {});
  append_store(out, kKey, 0, {.mode = StoreMode::kAdd, .flags = 5, .exptime = -7});
  append_store(out, kKey, 1,
               {.mode = StoreMode::kAppend,
                .exptime = 100,
                .cas = 9,
                .return_cas = true,
                .quiet = true,
                .opaque = 1});
  EXPECT_EQ(out.view(),
            "ms prekey 10\r\n"
            "ms prekey 0 ME F5 T-1\r\n"
            "ms prekey 1 MA T100 C9 O1 c q\r\n");
}

TEST(MetaWriter, WritesDeletesArithmeticTouchesAndNoops) {
  Buffer out;
  append_delete(out, kKey, {});
  append_delete(out, kKey, {.cas = 3, .quiet = true, .opaque = 2});
  append_arithmetic(out, kKey, {});
  append_arithmetic(
      out, kKey,
      {.decrement = true, .delta = 5, .initial = 100, .exptime = 60, .cas = 4, .return_cas = true});
  append_touch(out, kKey, 0);
  append_noop(out);
  EXPECT_EQ(out.view(),
            "md prekey\r\n"
            "md prekey C3 O2 q\r\n"
            "ma prekey v\r\n"
            "ma prekey MD D5 J100 N60 C4 c v\r\n"
            "mg prekey T0\r\n"
            "mn\r\n");
}

TEST(MetaWriter, ClampsExpiryToThirtyTwoBits) {
  Buffer out;
  append_touch(out, kKey, std::numeric_limits<int64_t>::max());
  append_touch(out, kKey, 4294967295);
  append_touch(out, kKey, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(out.view(), "mg prekey T2147483647\r\nmg prekey T2147483647\r\nmg prekey T-1\r\n");
}

TEST(MetaWriter, HasRoomForTheLongestCommandOfEachKind) {
  const std::string key(kMaxKeyLength, 'k');
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  const uint32_t most32 = std::numeric_limits<uint32_t>::max();
  const int64_t latest = std::numeric_limits<int64_t>::max();
  for (int i = 0; i < 50; ++i) {
    Buffer out;
    for (int bytes = 0; bytes < i; ++bytes) out.append("x");
    append_get(out, {key, {}}, {{true, true, true, true, true, true}, latest, true, most32});
    append_store(out, {key, {}}, most32,
                 {StoreMode::kPrepend, most32, latest, most, true, true, most32});
    append_delete(out, {key, {}}, {most, true, most32});
    append_arithmetic(out, {key, {}}, {true, most, most, latest, most, true, true, most32});
    EXPECT_LE(out.size(), out.capacity());
  }
}

}  // namespace
}  // namespace base::memcache::meta
