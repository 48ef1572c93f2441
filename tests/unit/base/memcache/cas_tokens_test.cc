#include "base/memcache/cas_tokens.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <set>

namespace base::memcache {
namespace {

constexpr CasSecret kSecret = {0x0123456789abcdef, 0xfedcba9876543210};
constexpr uint64_t kMostSigned = std::numeric_limits<int64_t>::max();
constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

CasTokens some_tokens() {
  return CasTokens(kSecret, 3, 4, 5, owner_hash("amber-backend-1"));
}

TEST(Speck64, EncryptsAsPublished) {
  // The test vector of the paper's appendix C for Speck64/128.
  const CasSecret key = {0x1b1a191813121110, 0x0b0a090803020100};
  EXPECT_EQ(speck64_encrypt(0x3b7265747475432d, key), 0x8c6fa548454e028bu);
  EXPECT_EQ(speck64_decrypt(0x8c6fa548454e028b, key), 0x3b7265747475432du);
}

TEST(CasTokens, ReadWhatTheyHaveShown) {
  const CasTokens tokens = some_tokens();
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t cas = i < 1000 ? static_cast<uint64_t>(i) + 1 : random();
    EXPECT_EQ(tokens.read(tokens.show(cas)), cas);
    EXPECT_EQ(tokens.show(tokens.read(cas)), cas) << "E of the meta commands is read, then shown";
  }
}

TEST(CasTokens, AreWhatEveryLanguageReadsAndNeverNoCondition) {
  const CasTokens tokens = some_tokens();
  std::set<uint64_t> seen;
  for (uint64_t cas = 1; cas <= 5000; ++cas) {
    const uint64_t token = tokens.show(cas);
    EXPECT_TRUE(token > 0 && token <= kMostSigned);
    EXPECT_TRUE(seen.insert(token).second);
  }
  EXPECT_EQ(tokens.read(0), kMost) << "a condition that no item meets";
}

TEST(CasTokens, LeaveWhatNoBackendGivesAsItIs) {
  const CasTokens tokens = some_tokens();
  for (const uint64_t cas : {kMostSigned + 1, kMost}) {
    EXPECT_EQ(tokens.show(cas), cas);
    EXPECT_EQ(tokens.read(cas), cas);
  }
}

// Two stores by others in between must look like any other number of them.
TEST(CasTokens, OfStoresCloseTogetherHaveNothingInCommon) {
  const CasTokens tokens = some_tokens();
  int flipped = 0;
  constexpr int kPairs = 2000;
  for (uint64_t cas = 1; cas <= kPairs; ++cas) {
    flipped += std::popcount(tokens.show(cas) ^ tokens.show(cas + 1));
  }
  EXPECT_NEAR(flipped / double{kPairs}, 31.5, 0.5);
}

TEST(CasTokens, DifferWhenAnyPartDiffers) {
  const auto shown = [](CasSecret secret, CacheId cache, Generation generation, Epoch since,
                        std::string_view owner) {
    return CasTokens(secret, cache, generation, since, owner_hash(owner)).show(42);
  };
  const std::set<uint64_t> tokens = {
      shown(kSecret, 1, 1, 1, "a"),         shown({1, kSecret[1]}, 1, 1, 1, "a"),
      shown({kSecret[0], 1}, 1, 1, 1, "a"), shown(kSecret, 2, 1, 1, "a"),
      shown(kSecret, 1, 2, 1, "a"),         shown(kSecret, 1, 1, 2, "a"),
      shown(kSecret, 1, 1, 1, "b")};
  EXPECT_EQ(tokens.size(), 7u);
}

TEST(CasTokens, StayTheSameForeverUnderOneSecret) {
  // Pinned: proxies of two versions serve one cache side by side.
  EXPECT_EQ(some_tokens().show(42), 1761096613955870688u);
}

TEST(CasSecrets, AreThirtyTwoHexDigits) {
  const auto parsed = parse_cas_secret("0123456789abcdeffedcba9876543210");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, kSecret);
  EXPECT_EQ(to_text(kSecret), "0123456789abcdeffedcba9876543210");
  for (const char* wrong :
       {"", "01", "0123456789abcdeffedcba987654321g", "0123456789abcdeffedcba987654321001"}) {
    EXPECT_FALSE(parse_cas_secret(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace base::memcache
