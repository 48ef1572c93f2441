#include "agent/filter/bloom.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/core/check.h"

namespace agent::filter {
namespace {

constexpr uint64_t kFirstSeed = 1;
constexpr uint64_t kSecondSeed = 2;

// Calls each(word, bit) for the bits of a subject until it returns false: two hashes give all of
// them (Kirsch and Mitzenmacher), scaled to the range by multiplication.
template <class Each>
bool for_each_bit(const BloomShape& shape, const Subject& subject, Each each) {
  uint64_t hash = subject.hash(kFirstSeed);
  const uint64_t step = subject.hash(kSecondSeed) | 1;
  const unsigned __int128 bits = static_cast<unsigned __int128>(shape.words) * 64;
  for (uint32_t i = 0; i < shape.probes; ++i, hash += step) {
    const auto bit = static_cast<uint64_t>(bits * hash >> 64);
    if (!each(bit / 64, uint64_t{1} << bit % 64)) return false;
  }
  return true;
}

}  // namespace

BloomShape bloom_shape(uint64_t members, double rate) {
  CHECK(rate > 0 && rate < 1);
  const double count = static_cast<double>(std::max<uint64_t>(members, 1));
  const double bits = -count * std::log(rate) / (std::log(2.0) * std::log(2.0));
  BloomShape shape;
  shape.words = static_cast<uint64_t>(std::ceil(bits / 64));
  shape.probes = std::max(1u, static_cast<uint32_t>(std::lround(-std::log2(rate))));
  return shape;
}

void BloomFilter::insert(const Subject& subject) {
  for_each_bit(shape_, subject, [this](uint64_t word, uint64_t bit) {
    words_[word] |= bit;
    return true;
  });
}

bool BloomFilter::may_contain(const Subject& subject) const {
  return for_each_bit(shape_, subject,
                      [this](uint64_t word, uint64_t bit) { return (words_[word] & bit) != 0; });
}

void BloomFilter::unite(const BloomFilter& other) {
  CHECK(shape_ == other.shape_);
  for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
}

void BloomFilter::clear() {
  std::fill(words_.begin(), words_.end(), 0);
}

double BloomFilter::filled() const {
  uint64_t set = 0;
  for (const uint64_t word : words_) set += static_cast<uint64_t>(std::popcount(word));
  return static_cast<double>(set) / (static_cast<double>(shape_.words) * 64);
}

double BloomFilter::false_positive_rate() const {
  return std::pow(filled(), shape_.probes);
}

uint64_t BloomFilter::members() const {
  const double bits = static_cast<double>(shape_.words) * 64;
  const double full = std::min(filled(), 1 - 1 / bits);
  return static_cast<uint64_t>(std::lround(-bits / shape_.probes * std::log1p(-full)));
}

}  // namespace agent::filter
