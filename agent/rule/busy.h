// ProxyBusy: when a proxy had no time left, besides the requests that pass it.
//
// A request is slow at a proxy whose worker has more to do than a core can, and at one that waits for a
// core because its machine has none left: its replies lie in the kernel until the worker looks, and the
// network did nothing. What the worker was told to have worked and waited is kept by quarter
// seconds, so that it can be compared with the requests that were slow in the same ones. How much it
// does on average says nothing: a busy proxy that has some time left keeps nobody waiting. Nor does one
// worker speak for another: clients of the one that waits for a core wait, though the busiest has one.
// Where the kernel does not tell of waiting, not to be told of it is no sign of cores.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/rule/rules.h"
#include "base/time/clock.h"

namespace agent::rule {

// Thread: the detector's. Owner: ShiftCluster, ClientFlood. Memory: 2 KiB.
class ProxyBusy {
 public:
  static constexpr base::Duration kBin = std::chrono::milliseconds(250);

  // Shares of the time since it was told before: that its busiest worker worked, and that it worked or
  // waited.
  void told(base::Instant at, double ran, double wanted);
  // Likewise that the worker waited which waited most; it may be another one.
  void told_waited(base::Instant at, double waited);

  struct Shares {
    double ran = 0, wanted = 0;  // of the busiest worker
    double waited = 0;           // of the one that waited most
    double seconds = 0;          // that are known; 0: nothing is
    // Else it waited at least as much.
    bool is_waiting_known = false;
  };
  Shares within(int64_t bin) const;  // by number: since the clock's beginning, each kBin long
  // In the whole bins since then, at most the last kBins.
  Shares since(base::Instant begin) const;

 private:
  static constexpr size_t kBins = 64;
  static constexpr base::Duration kLongestGap = std::chrono::seconds(3);
  struct Bin {
    int64_t number = -1;
    float ran = 0, wanted = 0, seconds = 0;
    float waited = 0, waited_seconds = 0;
  };
  // Calls add(bin, seconds) for the bins since `last`.
  template <class Add>
  void spread(base::Instant& last, base::Instant at, Add add);
  static Shares shares(const Bin& bin);

  std::array<Bin, kBins> bins_{};
  base::Instant last_, last_waited_;
};

// Whether it worked all of the time, or waited for a core for much of it, as far as is known.
struct Exhaustion {
  double busy = 0;     // from this share on of the time that it worked or waited,
  double no_core = 0;  // or this of the time that it waited
  bool is_met(const ProxyBusy::Shares& shares) const {
    return shares.seconds > 0 && (shares.wanted >= busy || shares.waited >= no_core);
  }
  bool may_be_met(const ProxyBusy::Shares& shares) const {
    return is_met(shares) || shares.seconds <= 0 || !shares.is_waiting_known;
  }
};

// Of its busiest worker: "ran 99 % of the time", "ran 35 % of the time and waited 62 % of it for a core",
// "ran 97 % of the time and another waited 60 % of it for a core"
std::string busy_text(const ProxyBusy::Shares& shares);

// Whether the slow requests of a trouble are those of proxies that had no time left just then.
// Thread: the detector's. Owner: whoever asks; a value.
class BusyWitness {
 public:
  explicit BusyWitness(const Exhaustion& exhaustion) : exhaustion_(exhaustion) {}
  // So many of a proxy's requests were slow in that bin.
  void hear(uint32_t proxy, const ProxyBusy& busy, int64_t bin, double slow);

  // Of any slow request it is known whether it is.
  bool has_heard() const { return slow_ > unknown_; }
  double explained() const;    // share of the slow requests, and
  double may_explain() const;  // with those of which nobody knows
  // Those that account for the explained ones, but for stray ones.
  std::vector<uint32_t> proxies() const;
  // One sentence with numbers.
  std::string sentence() const;

 private:
  struct Proxy {
    uint32_t number = 0;
    double slow = 0;
    double explained = 0;
    ProxyBusy::Shares shares;  // summed, weighed with the slow requests
  };
  bool counts(const Proxy& proxy) const;

  Exhaustion exhaustion_;
  std::vector<Proxy> proxies_;
  double slow_ = 0, explained_ = 0, unknown_ = 0;
};

}  // namespace agent::rule
