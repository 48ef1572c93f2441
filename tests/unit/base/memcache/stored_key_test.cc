#include "base/memcache/stored_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace base::memcache {
namespace {

std::string stored(CacheId cache, Generation generation, Epoch since, std::string_view key) {
  std::array<char, kMaxKeyLength> out;
  return std::string(StoredKey(cache, generation, since, key).write(out));
}

TEST(StoredKey, HasFixedWidthsMostSignificantDigitFirst) {
  EXPECT_EQ(stored(1, 2, 3, "name"), "k0001000020003name");
  EXPECT_EQ(stored(10, 36, 62, "n"), "k000A0000a000-n");
  EXPECT_EQ(stored(64, 64, 64, "n"), "k0010000100010n");
  EXPECT_EQ(stored(kMaxCacheId, kMaxGeneration, kMaxEpoch, "n"), "k_____________n");
}

TEST(StoredKey, KeepsTheClientsKeyUpToItsLimit) {
  const std::string most(kMaxKeyLength - kStoredPrefixLength, 'x');
  EXPECT_EQ(stored(1, 1, 1, most), "k0001000010001" + most);
  EXPECT_EQ(stored(1, 1, 1, most).size(), kMaxKeyLength);
  EXPECT_FALSE(StoredKey(1, 1, 1, most).is_digest());
  EXPECT_TRUE(StoredKey(1, 1, 1, most + "x").is_digest());
}

TEST(StoredKey, DigestIsHalfOfSha256InBase64Url) {
  // printf 'a b' | openssl dgst -sha256 -binary | head -c 16 | basenc --base64url
  EXPECT_EQ(stored(1, 1, 1, "a b"),
            "d0001000010001"
            "yGh6CKpdbtIEQyj6aml6uA");
  EXPECT_EQ(stored(1, 1, 1, std::string(250, 'x')),
            "d0001000010001"
            "CG1KHCk73jGNwf7Johudgg");
}

TEST(StoredKey, UsesTheDigestExactlyForBytesThatTextCannotCarry) {
  for (size_t length = 1; length <= 20; ++length) {
    for (size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string key(length, 'x');
        key[place] = static_cast<char>(byte);
        const bool carried = byte > 0x20 && byte != 0x7f;
        ASSERT_EQ(StoredKey(1, 1, 1, key).is_digest(), !carried)
            << "byte " << byte << " at " << place << " of " << length;
      }
    }
  }
}

TEST(StoredKey, PiecesJoinToTheWhole) {
  for (const std::string_view key : {"short", "with blank inside"}) {
    const StoredKey whole(7, 8, 9, key);
    const KeyPieces pieces = whole;
    EXPECT_EQ(std::string(pieces.head) + std::string(pieces.tail), stored(7, 8, 9, key));
    EXPECT_EQ(pieces.size(), whole.size());
  }
}

TEST(StoredKey, DiffersWhenAnyPartDiffers) {
  std::set<std::string> seen;
  for (CacheId cache : {1u, 2u}) {
    for (Generation generation : {1u, 2u}) {
      for (Epoch since : {1u, 2u}) {
        for (const std::string_view key : {"a", "b", "a b", "b a"}) {
          EXPECT_TRUE(seen.insert(stored(cache, generation, since, key)).second);
        }
      }
    }
  }
}

}  // namespace
}  // namespace base::memcache
