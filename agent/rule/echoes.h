// LinkEchoes: what the echoes over one link say, besides the requests that pass it.
//
// An echo meets the network and no memcached. It is slow when it took 10 times the link's own usual
// (median) time, at least 2 ms; what is called slow of requests, 5 ms, is slow of any echo. A lost echo
// is a slow one. A mean would hide the few slow ones among many; so shares are compared. Slow echoes of
// one moment only may be a pause of the machine, and prove no fault of the network.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/series/learned.h"
#include "base/time/clock.h"

namespace agent::rule {

// Thread: the detector's. Owner: ShiftCluster. Memory: 1 KiB.
class LinkEchoes {
 public:
  // `teaches` false: the time is doubtful, and nothing is learned from it.
  void answered(base::Instant at, double seconds, bool teaches);
  void lost(base::Instant at, bool teaches);
  void decay(double factor) { share_.decay(factor); }  // of what is learned about the share

  // Enough has been learned to tell slow from usual.
  bool is_known() const { return learned_ >= kLearnFirst && median_ > 0; }
  double usual() const;                      // share of slow ones
  double median() const { return median_; }  // seconds
  double bound() const;                      // seconds from which on one is slow

  // What is worth keeping over a restart; nothing before is_known().
  struct Learned {
    double median = 0;
    double slow = 0, all = 0;  // as series::Share has them
  };
  std::optional<Learned> learned() const;
  void restore(const Learned& learned);

  struct Count {
    double slow = 0, all = 0;
    int slow_bins = 0;
  };
  // In the whole bins since then, at most the last kBins.
  Count since(base::Instant begin) const;

 private:
  static constexpr int kLearnFirst = 30;
  static constexpr base::Duration kBin = std::chrono::seconds(2);
  static constexpr size_t kBins = 64;
  struct Bin {
    int64_t number = -1;
    uint32_t slow = 0, all = 0;
  };
  void note(base::Instant at, bool slow, bool teaches);

  std::array<Bin, kBins> bins_{};
  series::Share share_;
  double median_ = 0;
  int learned_ = 0;
};

// What the echoes of some links together say about a trouble of those links.
enum class EchoSays {
  kNothing,  // none, too few, or neither of the two
  kNetwork,  // a share of them is slow as well
  kMembers,  // they are well: who answers requests is slow, not the way
};

// Thread: the detector's. Owner: whoever asks; a value.
class EchoWitness {
 public:
  // Once for each link of the trouble.
  void hear(const LinkEchoes& echoes, base::Instant since);
  EchoSays says() const;
  // One sentence with numbers for what it says; `member` is who is slow if not the network.
  std::string sentence(const std::string& member) const;

 private:
  double evidence_ = 0;  // log likelihood ratio of slow links against usual ones
  double slow_ = 0, all_ = 0, usual_ = 0;
  int slow_bins_ = 0;              // of the link that has the most
  double bound_ = 0, median_ = 0;  // the largest
  bool complete_ = true;           // every link is known and was heard
};

}  // namespace agent::rule
