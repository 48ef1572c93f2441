// Faults: which links are disturbed, and how. Pure, and from one seed always the same.
//
//   slow   each chunk from the proxy is, with probability `share`, held for a uniformly drawn delay
//   drop   a lost packet as TCP sees it: with probability `share` the chunk arrives 200 to 400 ms
//          later, which is what the sender's retransmission timer makes of it
//          (an echo's datagram is lost: nobody sends it again)
//   stall  nothing passes in either direction while it is set
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"

namespace cli {

struct LinkName {
  std::string id, cluster, proxy, backend;
};

enum class FaultKind { kSlow, kDrop, kStall };
std::string_view to_string(FaultKind kind);
std::optional<FaultKind> fault_kind_named(std::string_view name);

struct Fault {
  std::string id;
  FaultKind kind = FaultKind::kSlow;
  std::string cluster, proxy, backend;  // empty: any
  double share = 1;                     // 0..1
  base::Duration delay_min{0}, delay_max{0};

  bool matches(const LinkName& link) const;
};

// Thread: the forwarder's loop. Owner: the forwarder.
class FaultSet {
 public:
  explicit FaultSet(uint64_t seed) : state_(seed) {}
  void set(Fault fault);  // replaces one of the same id
  // Without an id all; how many there were.
  size_t clear(const std::optional<std::string>& id);
  std::vector<Fault> list() const;

  bool stalled(const LinkName& link) const;
  // How long a chunk from the proxy on `link` is held: the longest that any fault draws.
  base::Duration draw_delay(const LinkName& link);
  // The same for a datagram; nothing: it is lost.
  std::optional<base::Duration> draw_datagram(const LinkName& link);

 private:
  struct Fate {
    base::Duration delay{0};
    bool dropped = false;
  };
  Fate draw_fate(const LinkName& link);
  double draw();  // uniform in [0, 1)

  std::map<std::string, Fault> faults_;
  uint64_t state_;  // of splitmix64
};

}  // namespace cli
