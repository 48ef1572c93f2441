// Profile: what a series usually does at each phase of a period, learned by the bin.
//
// Idea: bins stand on the sampling grid when there are few samples in a period, and between them
// values are interpolated, so that neither a coarse grid nor a fine one makes steps. Innovations
// are clipped once a bin has been seen twice: one strange day does not become the custom. Each bin
// knows its own spread as well, since many series are noisy by day and calm by night.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace agent::score {

// Thread: its owner's. Memory: at most `max_bins` bins, from set_step on.
class Profile {
 public:
  // `period`: in seconds.
  Profile(double period, size_t max_bins) : period_(period), max_bins_(max_bins) {}

  // The time between samples, in seconds. What was learned is dropped when the grid changes.
  void set_step(double step);
  bool is_usable() const { return bins_.size() >= kLeastBins; }

  // Where a time (seconds since any epoch) falls on the grid; valid until the grid changes.
  struct Place {
    size_t near = 0;  // the bin it teaches
    size_t left = 0;
    double part = 0;  // towards the bin after `left`
  };
  Place place(double seconds) const;

  // Whether the bins there have been seen at all.
  bool knows(const Place& place) const;
  double value(const Place& place) const;
  // The spread at that phase, relative to that of the whole series; 1 while little is known.
  double spread(const Place& place, double whole) const;
  // `rest`: what the series was above its own level there.
  void learn(const Place& place, double rest, double deviation);

 private:
  static constexpr size_t kLeastBins = 6;
  struct Bin {
    float value = 0;
    float deviation = 0;  // mean absolute
    float visits = 0;
  };
  size_t after(size_t bin) const { return bin + 1 == bins_.size() ? 0 : bin + 1; }

  double period_;
  size_t max_bins_;
  std::vector<Bin> bins_;
};

}  // namespace agent::score
