#include "base/telemetry/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace base::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMin = int64_t{1} << kHistogramMinBits;
constexpr int64_t kMax = int64_t{1} << kHistogramMaxBits;
constexpr double kError = 1.0 / 128;

double error_of(Duration found, int64_t exact_ns) {
  return std::abs(static_cast<double>(found.count() - exact_ns)) / static_cast<double>(exact_ns);
}

// Uniform in the logarithm, so that every octave has its share.
std::vector<int64_t> durations(uint64_t seed, size_t count, double from_bits = kHistogramMinBits,
                               double to_bits = kHistogramMaxBits) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> bits(from_bits, to_bits);
  std::vector<int64_t> all(count);
  for (int64_t& ns : all) {
    ns = std::clamp(static_cast<int64_t>(std::exp2(bits(random))), kMin, kMax - 1);
  }
  return all;
}

Histogram histogram_of(const std::vector<int64_t>& all) {
  Histogram histogram;
  for (const int64_t ns : all) histogram.record(Duration(ns));
  return histogram;
}

Histogram merged(Histogram one, const Histogram& two) {
  one.merge(two);
  return one;
}

// The smallest of `sorted` that a share of it does not exceed.
int64_t exact_quantile(const std::vector<int64_t>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

TEST(Histogram, BucketsAreContiguousAndEachValueLiesBelowItsBound) {
  EXPECT_EQ(histogram_bucket(0), 0u);
  EXPECT_EQ(histogram_bucket(-5), 0u);
  EXPECT_EQ(histogram_bucket(kMin - 1), 0u);
  EXPECT_EQ(histogram_bucket(kMin), 1u);
  EXPECT_EQ(histogram_bucket(kMax - 1), kHistogramBuckets - 2);
  EXPECT_EQ(histogram_bucket(kMax), kHistogramBuckets - 1);
  EXPECT_EQ(histogram_bucket(std::numeric_limits<int64_t>::max()), kHistogramBuckets - 1);
  for (size_t bucket = 0; bucket + 1 < kHistogramBuckets; ++bucket) {
    const int64_t bound = histogram_upper_bound_ns(bucket);
    EXPECT_EQ(histogram_bucket(bound - 1), bucket);
    EXPECT_EQ(histogram_bucket(bound), bucket + 1);
    EXPECT_EQ(BucketPlace::nth(bucket).bucket(), bucket);
  }
  EXPECT_EQ(histogram_upper_bound_ns(kHistogramBuckets - 1), std::numeric_limits<int64_t>::max());
}

// The error is largest at a bucket's two ends, so this is every value there is.
TEST(Histogram, AnyDurationInRangeIsReadBackWithinPointEightPercent) {
  double worst = 0;
  for (size_t bucket = 1; bucket + 1 < kHistogramBuckets; ++bucket) {
    for (const int64_t ns :
         {histogram_upper_bound_ns(bucket - 1), histogram_upper_bound_ns(bucket) - 1}) {
      Histogram histogram;
      histogram.record(Duration(ns));
      worst = std::max(worst, error_of(histogram.quantile(0.5), ns));
    }
  }
  EXPECT_LE(worst, kError);
  EXPECT_LT(kError, 0.008);
}

TEST(Histogram, QuantilesAreWithinTheBoundOfTheExactOnes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    // Narrow and wide distributions, anywhere in the range.
    const double from = kHistogramMinBits + static_cast<double>(seed % 7) * 3;
    auto all = durations(seed, 1 + seed * 97, from, std::min(36.0, from + 0.3 * double(seed)));
    const Histogram histogram = histogram_of(all);
    std::sort(all.begin(), all.end());
    for (const double share : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      EXPECT_LE(error_of(histogram.quantile(share), exact_quantile(all, share)), kError)
          << "seed " << seed << " share " << share;
    }
  }
}

TEST(Histogram, CountsAndSumsWhatLiesOutsideToo) {
  Histogram histogram;
  histogram.record(-3ms);
  histogram.record(Duration(200));
  histogram.record(100s, 2);
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.sum_ns(), 200'000'000'200u);
  EXPECT_EQ(histogram.at({kOutside, 0}), 2u);
  EXPECT_EQ(histogram.at({kOutside, 1}), 2u);
  EXPECT_LT(histogram.quantile(0.5), Duration(kMin));
  EXPECT_EQ(histogram.quantile(0.51), Duration(kMax));
}

TEST(Histogram, HasNothingToSayWhenEmpty) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.quantile(0.99), Duration(0));
  EXPECT_EQ(none.count_below(1s), 0u);
}

TEST(Histogram, MergesToExactlyWhatOneWouldHaveCounted) {
  const auto a = durations(1, 500), b = durations(2, 700, 12, 14), c = durations(3, 300, 20, 40);
  auto everything = a;
  everything.insert(everything.end(), b.begin(), b.end());
  everything.insert(everything.end(), c.begin(), c.end());
  const Histogram one = histogram_of(a), two = histogram_of(b), three = histogram_of(c);
  const Histogram whole = histogram_of(everything);

  EXPECT_EQ(merged(merged(one, two), three), whole);
  EXPECT_EQ(merged(one, merged(two, three)), whole);
  EXPECT_EQ(merged(three, merged(two, one)), whole);
  EXPECT_EQ(merged(one, Histogram()), one);
  EXPECT_EQ(merged(Histogram(), one), one);

  std::sort(everything.begin(), everything.end());
  const Histogram parts = merged(merged(two, three), one);
  for (const double share : {0.01, 0.5, 0.99, 0.999}) {
    EXPECT_EQ(parts.quantile(share), whole.quantile(share));
    EXPECT_LE(error_of(parts.quantile(share), exact_quantile(everything, share)), kError);
  }
}

TEST(Histogram, TheDifferenceOfTwoReadingsIsWhatCameBetween) {
  const auto before = durations(4, 400), since = durations(5, 250, 18, 30);
  const Histogram earlier = histogram_of(before);
  Histogram later = earlier;
  for (const int64_t ns : since) later.record(Duration(ns));
  Histogram between;
  between.merge_since(earlier, later);
  EXPECT_EQ(between, histogram_of(since));
  between.merge_since(later, later);
  EXPECT_EQ(between, histogram_of(since)) << "nothing came";
  between.merge_since(Histogram(), earlier);
  EXPECT_EQ(between, later) << "what came in both times";
}

TEST(Histogram, ClearedItIsAsANewOne) {
  Histogram used = histogram_of(durations(6, 300));
  const size_t bytes = used.bytes();
  used.clear();
  EXPECT_EQ(used, Histogram());
  EXPECT_EQ(used.quantile(0.5), Duration(0));
  const auto again = durations(7, 100);
  for (const int64_t ns : again) used.record(Duration(ns));
  EXPECT_EQ(used, histogram_of(again));
  EXPECT_LE(used.bytes(), bytes + used.bytes() / 2) << "its memory is used again";
}

TEST(Histogram, ACountNeverFallsBelowZero) {
  Histogram few, many;
  few.record(1ms);
  many.record(1ms, 5);
  many.record(9ms, 5);
  Histogram between;
  between.merge_since(many, few);
  EXPECT_EQ(between, Histogram());
}

TEST(Histogram, BoundsAreTakenAtTheNearestEdge) {
  const auto all = durations(6, 20'000, 14, 31);
  const Histogram histogram = histogram_of(all);
  uint64_t before = 0;
  for (const double seconds : {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                               0.05, 0.1, 0.25, 0.5, 1.0}) {
    const auto bound = static_cast<int64_t>(std::llround(seconds * 1e9));
    const auto below = [&](double factor) {
      return static_cast<uint64_t>(std::count_if(all.begin(), all.end(), [&](int64_t ns) {
        return static_cast<double>(ns) < static_cast<double>(bound) * factor;
      }));
    };
    const uint64_t found = histogram.count_below(Duration(bound));
    EXPECT_GE(found, below(1 - kError)) << seconds;
    EXPECT_LE(found, below(1 + kError)) << seconds;
    EXPECT_GE(found, before);
    before = found;
  }
  EXPECT_EQ(histogram.count_below(Duration(kMax)), histogram.count());
  EXPECT_EQ(histogram.count_below(Duration(0)), 0u);
  EXPECT_EQ(histogram.count_below(-1s), 0u);
}

TEST(Histogram, TakesMemoryForTheOctavesInUseOnly) {
  const Histogram narrow = histogram_of(durations(7, 1000, 17.1, 19.9));
  EXPECT_LT(narrow.bytes(), 6 * kOctaveBuckets * sizeof(uint64_t));
}

}  // namespace
}  // namespace base::telemetry
