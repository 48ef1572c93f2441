// BloomFilter: a set of subjects in memory of a fixed size, which may take a stranger for a member
// but never a member for a stranger. Pure.
//
// Here such an error only spares somebody who could have been filtered. The set is never too full
// to add to; it then only errs more often, and says how often. Its bits are the same in every
// process with the same shape, so sets of several agents can be united.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agent/filter/subject.h"

namespace agent::filter {

struct BloomShape {
  uint64_t words = 0;   // of 64 bits
  uint32_t probes = 0;  // bits per member
  friend bool operator==(const BloomShape&, const BloomShape&) = default;
};
// So large that `members` give at most this rate of false positives. Precondition: 0 < rate < 1.
BloomShape bloom_shape(uint64_t members, double rate);

// Thread: one. Owner: AuthenticatedHistory.
class BloomFilter {
 public:
  explicit BloomFilter(BloomShape shape) : shape_(shape), words_(shape.words) {}

  void insert(const Subject& subject);
  bool may_contain(const Subject& subject) const;
  // Precondition: the same shape.
  void unite(const BloomFilter& other);
  void clear();
  // By the bits that are set: the chance that a stranger is taken for a member, and how many
  // members there are, about.
  double false_positive_rate() const;
  uint64_t members() const;

  const BloomShape& shape() const { return shape_; }
  std::span<const uint64_t> words() const { return words_; }
  std::span<uint64_t> words() { return words_; }

 private:
  double filled() const;  // share of the bits
  BloomShape shape_;
  std::vector<uint64_t> words_;
};

}  // namespace agent::filter
