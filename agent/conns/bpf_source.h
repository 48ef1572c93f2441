// BpfSource: counts kept by programs in the kernel (bpf/conns.bpf.c), read through shared memory.
//
// Reading costs no system call and does not depend on how many connections there are. Counts are exact
// once seeded: the programs mark what they count while a walk over all sockets counts what was there
// before. An event that the kernel had to drop (it may not nest the program on one CPU) is noticed, and
// the seeding repeated into the spare bank while readers use the other one.
//
// What events do not show: half-open handshakes and TIME_WAIT, which are no full sockets.
// Needs CAP_BPF and CAP_PERFMON, and a kernel from 5.15 on with type information.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "agent/conns/counts.h"
#include "agent/conns/slots.h"
#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::conns {

// Thread: counts() and top_clients() any; the rest one, which may block for a second. Owner: Watch.
class BpfSource {
 public:
  // Loads and attaches the programs: about 0.1 s. kPermission, or kUnavailable where the kernel lacks
  // something. Counts nothing that was there before until seed().
  static base::Result<std::unique_ptr<BpfSource>> attach(const std::vector<WatchedPort>& ports);
  ~BpfSource();

  // Counts all sockets anew: 1 to 2 µs of processor time for each, one walk.
  base::Result<> seed();
  // What was counted may be wrong by now: events were dropped.
  bool is_doubtful() const;
  // Whether cells are crowded; then those are freed whose clients have no connection and were left
  // alone since the last call but one. To be called at most once a second.
  bool reclaim_clients();

  void fill(Counts& counts) const;
  // Without those whose cells are being taken back, who may have come back since: within a grace
  // period of the kernel's, some milliseconds, they are there again.
  std::vector<ClientCount> top_clients(size_t limit) const;

 private:
  struct Nameless;
  struct Kernel;
  explicit BpfSource(Slots slots, std::unique_ptr<Kernel> kernel);

  const Slots slots_;
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace agent::conns
