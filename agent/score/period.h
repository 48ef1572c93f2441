// Period: a rhythm that the series has by itself, in rows, whatever the clock says.
//
// Idea: the autocorrelation at each of a few hundred lags, as running means of products: a row
// costs one pass over a short array that the compiler turns into vector instructions. A rhythm is
// believed when its correlation is high and a peak behind a valley, and dropped when it has gone.
#pragma once

#include <array>
#include <cstddef>

namespace agent::score {

// Thread: its owner's. Memory: constant.
class Period {
 public:
  // True when rows() has changed.
  bool add(double value);
  size_t rows() const { return rows_; }  // 0: none

 private:
  static constexpr size_t kLags = 384;

  bool decide();

  // The newest first, twice, so that every window of kLags values is in one piece.
  std::array<float, 2 * kLags> history_{};
  std::array<float, kLags> products_{};
  size_t newest_ = 0;
  size_t seen_ = 0;
  double mean_ = 0;
  double deviation_ = 0;
  size_t rows_ = 0;
};

}  // namespace agent::score
