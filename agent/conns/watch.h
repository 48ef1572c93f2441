// Watch: the best source of connection counts that this process may use, kept up by a thread of its
// own.
//
// The kernel's events where the process has the rights, otherwise socket diagnostics, otherwise
// none. Rights are looked at every one or two seconds and the source follows them; what failed is
// tried again when they change. Nothing here blocks a reader for longer than a copy.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/conns/bpf_source.h"
#include "agent/conns/diag_source.h"
#include "agent/conns/rights.h"
#include "agent/conns/source.h"
#include "base/time/clock.h"

namespace agent::conns {

// Thread: any. Owner: app or a test.
class Watch final : public ConnectionSource {
 public:
  // `rights`: asked from the watching thread. kInvalid: too many ports and addresses.
  static base::Result<std::unique_ptr<Watch>> start(std::vector<WatchedPort> ports,
                                                    const base::Clock& clock,
                                                    std::function<Rights()> rights = own_rights);
  // Waits for the thread: at most for one walk over the sockets.
  ~Watch() override;

  Counts counts() override;
  std::vector<ClientCount> top_clients(size_t limit) override;

 private:
  struct Queue {
    uint64_t length = 0, limit = 0, drops = 0;
    uint64_t listening = 0;  // sockets
  };
  Watch(std::vector<WatchedPort> ports, Slots slots, const base::Clock& clock,
        std::function<Rights()> rights);
  void run();
  void follow_rights();
  bool use_bpf();
  void use_diagnostics(std::string why);
  void tend_bpf();
  void tend_diagnostics();
  void read_queues();

  // Constant after construction.
  const std::vector<WatchedPort> ports_;
  const Slots slots_;
  const base::Clock& clock_;
  const std::function<Rights()> rights_;

  // The watching thread's.
  std::optional<Rights> tried_;  // what the present source was chosen by
  bool ipv6_ = false;            // somebody listens on a watched port of an IPv6 address
  bool crowded_ = false;         // cells of clients that left are taken back
  base::Instant next_look_, next_seeding_, next_step_;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<BpfSource> bpf_;  // at most one of these two
  std::shared_ptr<DiagSource> diag_;
  std::string why_ = "not begun yet";
  std::string failure_;  // of diagnostics; empty: it works
  std::vector<Queue> queues_;
  double processor_seconds_ = 0;

  std::thread thread_;  // last: starts when all else stands
};

}  // namespace agent::conns
