// DnsSwitch: how cache names are moved from one cluster to another without two writers undoing each
// other's work.
//
// Beside each name stands a generation record, TXT at `_gen.<name>`: "gen=<number> run=<run id>". A
// change is a compare-and-swap: it names the generation that it expects to find and brings a greater
// one of its own, its fence. Whoever decided before somebody else acted is refused by the name server
// itself, however late its message comes. Records and generation change in one message, so that nobody
// ever sees a name with no records, or with records of another generation.
//
// Drivers: rfc2136_switch.h (a real name server, UPDATE with TSIG), exec_switch.h (a program that speaks
// JSON), file_switch.h (development). One suite for all: tests/unit/agent/dns/dns_suite.h.
//
// What it leaves out: who stays connected. Memcache clients resolve once and keep the socket.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/time/clock.h"

namespace agent::dns {

inline constexpr std::chrono::seconds kLeastTtl{30};
inline constexpr std::chrono::seconds kMostTtl{60};
inline constexpr size_t kMostAddresses = 64;

// What a name points at: another name, or addresses. Names are lower case without a final dot,
// addresses numeric, sorted and different.
struct Target {
  std::string alias;                   // CNAME; then there are no addresses
  std::vector<std::string> addresses;  // A and AAAA

  bool empty() const { return alias.empty() && addresses.empty(); }
  friend bool operator==(const Target&, const Target&) = default;
};

struct NameState {
  Target target;
  std::chrono::seconds ttl{0};
  uint64_t generation = 0;  // 0: there is no generation record
  std::string run;          // who wrote it

  friend bool operator==(const NameState&, const NameState&) = default;
};
std::string to_string(const Target& target);    // "CNAME b.cache.test", "A 10.0.0.1 A 10.0.0.2"
std::string to_string(const NameState& state);  // "generation 12 of run-9: A 10.0.0.1, ttl 30 s"

// What one authoritative server says of a name.
struct ServerView {
  std::string server;  // "10.0.0.53:53"
  base::Result<NameState> state;
};

struct Change {
  std::string name;
  uint64_t expected_generation = 0;  // 0: no generation record yet; then the name may exist or not
  Target target;                     // never empty: to take a name away is not this room's work
  std::chrono::seconds ttl = kLeastTtl;
  // Becomes the generation, so it is greater than the one expected. A number that grows with each act and
  // is given to nobody twice, such as the store's revision at which the step's intent was written. (The
  // fence of a run's lock alone would not let the run undo what it did.)
  uint64_t fence = 0;
  std::string run;
};

struct Behind {
  std::string server;
  std::string why;
};

// The change stands at the primary.
struct Changed {
  NameState state;
  std::vector<Behind> behind;  // servers that did not show it by the deadline
};

// Thread: one executor's, the control thread's; no call blocks it, except that FileSwitch, which is for
// development, reads, writes and syncs its file there. Owner: app.
//
// Errors of change(), as runbook/action.h says of ActionResult: kConflict: another one won, the sentence
// says what stands there; kInvalid, kRefused, kUnavailable: certainly not done; kUnknown, kTimeout: it was
// sent and no authentic answer came, or the primary shows the generation without the target, so ask
// read(). It may be called again with the same fence and run:
// what stands there already is done.
class DnsSwitch {
 public:
  virtual ~DnsSwitch() = default;
  // Every authoritative server's view, the primary's first; records and generation of one view belong
  // together.
  virtual boost::asio::awaitable<base::Result<std::vector<ServerView>>> read(
      std::string name, base::Instant deadline) = 0;
  // Returns when every server shows the change, or at the deadline.
  virtual boost::asio::awaitable<base::Result<Changed>> change(Change change,
                                                               base::Instant deadline) = 0;
  // Whether names could be read and changed now, as far as this can be known without doing it.
  virtual boost::asio::awaitable<base::Result<>> check(base::Instant deadline) = 0;
};

}  // namespace agent::dns
