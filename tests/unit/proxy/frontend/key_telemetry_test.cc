#include "proxy/frontend/key_telemetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/telemetry/top_keys.h"

namespace proxy {
namespace {

using base::Instant;
using base::operator""s;
using base::telemetry::DetailBlock;
using base::telemetry::TopKey;
using base::telemetry::TopKeys;

constexpr int64_t kSecond = 1'000'000'000;

struct Bench {
  explicit Bench(uint32_t one_in = 1, bool with_text = true) : keys(*cells, 7) {
    keys.set_policy(one_in, with_text);
    keys.tick(Instant{kSecond});
  }
  // As the router does for each key.
  void answer(const KeyUse& use) {
    if (keys.is_due()) keys.add(use);
  }
  void answer(const std::string& key, base::CacheId cache = 1) { answer({cache, key}); }
  TopKeys read(int64_t seconds = 11) const {
    TopKeys top;
    top.add(*cells, static_cast<uint64_t>(seconds * kSecond));
    return top;
  }
  std::unique_ptr<DetailBlock> cells = std::make_unique<DetailBlock>();
  KeyTelemetry keys;
};

// Ranks 1 … n by a power law, as web caches see them.
class Zipf {
 public:
  Zipf(size_t n, double exponent) {
    double sum = 0;
    for (size_t i = 1; i <= n; ++i) below_.push_back(sum += std::pow(double(i), -exponent));
  }
  size_t draw(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<double>(0, below_.back())(random);
    return size_t(std::lower_bound(below_.begin(), below_.end(), at) - below_.begin());
  }

 private:
  std::vector<double> below_;
};

// So many requests for keys drawn from `zipf`, and how often each was asked for.
std::map<std::string, uint64_t> answer_drawn(Bench& bench, const Zipf& zipf, uint32_t seed,
                                             uint64_t requests) {
  std::mt19937_64 random(seed);
  std::map<std::string, uint64_t> exact;
  for (uint64_t i = 0; i < requests; ++i) {
    const std::string key = "key:" + std::to_string(zipf.draw(random));
    ++exact[key];
    bench.answer(key);
  }
  return exact;
}

TEST(KeyTelemetry, CountsExactlyWhileThereIsRoom) {
  Bench bench;
  for (int i = 0; i < 30; ++i) bench.answer("often");
  for (int i = 0; i < 3; ++i) bench.answer("seldom");
  const auto busiest = bench.read().busiest(10);
  ASSERT_EQ(busiest.size(), 2u);
  EXPECT_EQ(busiest[0].key.text, "often");
  EXPECT_EQ(busiest[0].samples, 30u);
  EXPECT_EQ(busiest[0].at_most_too_high, 0u);
  EXPECT_EQ(busiest[0].at_most_too_low, 0u);
  EXPECT_DOUBLE_EQ(busiest[0].per_second, 3.0);
  EXPECT_EQ(busiest[1].key.text, "seldom");
}

TEST(KeyTelemetry, KeepsItsErrorBoundAgainstExactCountingOfZipf) {
  for (const double exponent : {0.8, 1.0, 1.2}) {
    Bench bench;
    constexpr uint64_t kSamples = 200'000;
    std::map<std::string, uint64_t> exact =
        answer_drawn(bench, Zipf(100'000, exponent), 42, kSamples);
    const TopKeys top = bench.read();
    ASSERT_EQ(top.samples(), kSamples);
    std::map<std::string, TopKey> shown;
    for (const TopKey& key : top.busiest(1000)) shown[key.key.text] = key;
    EXPECT_EQ(shown.size(), base::telemetry::kKeySlots);
    uint64_t sum = 0;
    for (const auto& [text, key] : shown) {
      sum += key.samples;
      EXPECT_GE(key.samples, exact[text]) << text;
      EXPECT_LE(key.samples - key.at_most_too_high, exact[text]) << text;
      EXPECT_LE(key.at_most_too_high, kSamples / base::telemetry::kKeySlots) << text;
    }
    EXPECT_EQ(sum, kSamples);
    for (const auto& [text, count] : exact) {
      if (count <= kSamples / base::telemetry::kKeySlots) continue;
      EXPECT_TRUE(shown.contains(text)) << text;
    }
  }
}

TEST(KeyTelemetry, SamplesOneInManyAndFindsTheBusiestNevertheless) {
  Bench bench(64);
  constexpr uint64_t kRequests = 1'000'000;
  std::map<std::string, uint64_t> exact = answer_drawn(bench, Zipf(10'000, 1.0), 1, kRequests);
  const TopKeys top = bench.read();
  EXPECT_NEAR(double(top.samples()), double(kRequests) / 64, 4 * std::sqrt(kRequests / 64.0));
  const auto busiest = top.busiest(3);
  ASSERT_EQ(busiest.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(busiest[i].key.text, "key:" + std::to_string(i));
    const double requests = busiest[i].per_second * 10;
    const double scatter = 4 * 64 * std::sqrt(double(busiest[i].samples));
    EXPECT_NEAR(requests, double(exact[busiest[i].key.text]), scatter) << i;
  }
}

TEST(KeyTelemetry, SeesEveryKeyOfAClientThatRepeatsItselfInStepWithTheSampling) {
  Bench bench(16);
  for (int round = 0; round < 10'000; ++round) {
    for (int key = 0; key < 16; ++key) bench.answer("k" + std::to_string(key));
  }
  const auto busiest = bench.read().busiest(16);
  ASSERT_EQ(busiest.size(), 16u);
  EXPECT_GT(busiest.back().samples * 2, busiest.front().samples);
}

TEST(KeyTelemetry, TellsCachesApartAndCountsWhatWasDone) {
  Bench bench;
  bench.answer({1, "same", false, true, 0});
  bench.answer({1, "same", false, false, 100});
  bench.answer({2, "same", true, false, 0});
  bench.answer({2, "same", true, false, 0});
  bench.answer({2, "same", true, false, 0});
  const TopKeys top = bench.read();
  const auto first = top.busiest(10, 1), second = top.busiest(10, 2);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].samples, 2u);
  EXPECT_EQ(first[0].misses, 1u);
  EXPECT_EQ(first[0].writes, 0u);
  EXPECT_EQ(first[0].bytes, 100u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].writes, 3u);
  EXPECT_DOUBLE_EQ(top.largest_share(), 0.6);
}

TEST(KeyTelemetry, ForgetsWhatIsOlderThanTwoWindows) {
  Bench bench;
  bench.answer("old");
  const int64_t window = base::telemetry::kKeyWindow.count();
  bench.keys.tick(Instant{kSecond + window});
  bench.answer("new");
  EXPECT_EQ(bench.read(31).busiest(10).size(), 2u);
  bench.keys.tick(Instant{kSecond + 2 * window});
  const auto busiest = bench.read(61).busiest(10);
  ASSERT_EQ(busiest.size(), 1u);
  EXPECT_EQ(busiest[0].key.text, "new");
}

TEST(KeyTelemetry, KeepsTheBeginningOfALongKeyOrNoTextAtAll) {
  const std::string longest(250, 'x');
  Bench bench;
  bench.answer(longest);
  const auto shown = bench.read().busiest(1);
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].key.text, longest.substr(0, base::telemetry::kShownKeyBytes));
  EXPECT_EQ(shown[0].key.size, 250u);

  Bench hashed(1, false);
  hashed.answer("secret");
  const auto only_hash = hashed.read().busiest(1);
  ASSERT_EQ(only_hash.size(), 1u);
  EXPECT_EQ(only_hash[0].key.text, "");
  EXPECT_EQ(only_hash[0].key.hash, base::telemetry::key_hash(1, "secret"));
}

TEST(KeyTelemetry, ForgetsTextsWhenKeysAreNoLongerToBeReadable) {
  Bench bench;
  bench.answer("secret");
  bench.keys.set_policy(1, false);
  bench.answer("secret");
  const auto busiest = bench.read().busiest(10);
  ASSERT_EQ(busiest.size(), 1u);
  EXPECT_EQ(busiest[0].key.text, "");
  EXPECT_EQ(busiest[0].samples, 2u);
}

// Whether the text is anywhere in the segment, shown or not.
bool is_in(const DetailBlock& cells, std::string_view text) {
  const std::string_view bytes(reinterpret_cast<const char*>(&cells), sizeof(cells));
  return bytes.find(text) != std::string_view::npos;
}

TEST(KeyTelemetry, ForgetsTextsWhenNoMoreSamplesAreTaken) {
  Bench bench;
  bench.answer("secret");
  bench.keys.tick(Instant{kSecond + base::telemetry::kKeyWindow.count()});
  bench.answer("second");
  ASSERT_TRUE(is_in(*bench.cells, "secret"));
  ASSERT_TRUE(is_in(*bench.cells, "second"));
  bench.keys.set_policy(0, true);
  EXPECT_FALSE(is_in(*bench.cells, "secret"));
  EXPECT_FALSE(is_in(*bench.cells, "second"));
}

TEST(KeyTelemetry, ForgetsTheTextsOfAWindowThatBeginsAgain) {
  Bench bench;
  bench.answer("first");
  bench.answer("secret");
  const int64_t window = base::telemetry::kKeyWindow.count();
  bench.keys.tick(Instant{kSecond + window});
  EXPECT_TRUE(is_in(*bench.cells, "secret"));
  bench.keys.tick(Instant{kSecond + 2 * window});
  bench.answer("new");
  EXPECT_FALSE(is_in(*bench.cells, "secret"));
}

TEST(KeyTelemetry, LeavesNothingOfALongerKeyThatLosesItsPlace) {
  Bench bench;
  const std::string long_key = std::string(40, 'x') + "secret";
  bench.answer(long_key);
  for (size_t i = 1; i < base::telemetry::kKeySlots; ++i) {
    bench.answer(std::to_string(i));
    bench.answer(std::to_string(i));
  }
  ASSERT_TRUE(is_in(*bench.cells, "secret"));
  bench.answer("short");
  EXPECT_FALSE(is_in(*bench.cells, "secret"));
  EXPECT_TRUE(is_in(*bench.cells, "short"));
}

TEST(KeyTelemetry, SamplesNothingWhenToldSo) {
  Bench bench(0);
  for (int i = 0; i < 1000; ++i) bench.answer("key");
  EXPECT_EQ(bench.read().samples(), 0u);
  EXPECT_TRUE(bench.read().busiest(10).empty());
  EXPECT_EQ(bench.read().largest_share(), 0);
}

TEST(TopKeys, AddsWorkersUpAndSaysWhatAFullSketchMayHaveForgotten) {
  Bench one, two;
  for (int i = 0; i < 100; ++i) one.answer("hot");
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < base::telemetry::kKeySlots; ++i) two.answer("k" + std::to_string(i));
  }
  TopKeys top;
  top.add(*one.cells, 11 * kSecond);
  top.add(*two.cells, 11 * kSecond);
  const auto busiest = top.busiest(1);
  ASSERT_EQ(busiest.size(), 1u);
  EXPECT_EQ(busiest[0].key.text, "hot");
  EXPECT_EQ(busiest[0].samples, 100u);
  EXPECT_EQ(busiest[0].at_most_too_low, 2u);
}

}  // namespace
}  // namespace proxy
