// Load: requests of the text protocol against proxies or memcached, and what they took.
//
// Closed loop: each connection sends `depth` requests in one write, waits for all replies, and sends
// the next; latencies are from the write. Open loop (a rate is given): requests are due at random
// times that do not depend on the replies, and latencies are from when each was due, so that a
// server which stands still is not spared the requests that would have come meanwhile.
//
// A storm (an open loop of new connections): as many connections a second as the rate says connect, log
// in, ask once and close, whether the server keeps up or not; one that is not done by `give_up` after
// it was due is closed and counts as an error.
//
// Bounded: it ends after `warmup` + `duration`, with one thread per `threads`.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/core/secret.h"
#include "base/time/clock.h"
#include "cli/load/latencies.h"
#include "cli/load/session.h"

namespace cli {

struct LoadOptions {
  std::vector<ServerAddress> servers;  // connections are spread over them
  std::string user;                    // empty: nobody logs in
  base::Secret password;
  uint32_t connections = 50;
  uint32_t busy = 0;  // connections that send; 0: all of them
  uint32_t depth = 1;
  uint32_t threads = 1;
  uint32_t keys = 10'000;
  uint32_t key_bytes = 32;
  uint32_t value_bytes = 100;
  uint32_t keys_per_get = 1;
  double set_share = 0;  // of the requests, 0 to 1
  double rate = 0;       // requests a second of all connections; 0: closed loop
  bool churn = false;    // a new connection for each request; with a rate: so many a second
  base::Duration give_up = std::chrono::seconds(5);  // on a request, or on a new connection
  bool fill = true;                                  // every key is stored first, so that gets hit
  base::Duration warmup = std::chrono::seconds(1);
  base::Duration duration = std::chrono::seconds(10);
  base::Duration interval{0};  // 0: no series
  uint64_t seed = 1;
};

struct LoadReport {
  uint64_t requests = 0;  // answered within the measured time
  uint64_t hits = 0;
  uint64_t errors = 0;  // error replies, failed connects, lost connections
  uint64_t connects = 0;
  base::Instant began;
  base::Duration took{0};
  std::vector<uint64_t> series;  // requests answered in each interval since `began`
  Latencies latencies;
  std::string last_error;

  double per_second() const { return requests / std::max(1e-9, base::to_seconds(took)); }
};

// Called at the start (warm) and the end of the measured time, on the caller's thread.
struct LoadMoments {
  std::function<void()> warm;
  std::function<void()> done;
};

// kInvalid: options that cannot be; kUnavailable: a server that does not answer or refuses the login.
base::Result<LoadReport> run_load(const LoadOptions& options, const base::Clock& clock,
                                  const LoadMoments& moments);

}  // namespace cli
