// Samples: what the segments say about keys, clients and slow requests, as JSON for every output.
//
// A key is shown escaped and cut: it is a client's data, and goes to terminals. One of which the proxy
// keeps only the hash is "#" and the hash.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <vector>

#include "base/samples/segments.h"
#include "base/telemetry/top_keys.h"
#include "base/time/clock.h"

namespace base::samples {

struct SampleChoice {
  size_t most = 20;
  uint32_t cache = 0;  // 0: all
};

std::string shown_key(const base::telemetry::ShownKey& key);

// {proxies, keys_one_in, samples, keys: [{cache, key, hash, size, requests_per_second, share, samples,
// at_most_too_high, at_most_too_low, misses, writes}]}; misses and writes are shares of the key's requests.
boost::json::object busy_keys(const std::vector<Segment>& segments, const SampleChoice& choice);

// {proxies, slow_requests, kept, requests: [{at, proxy, operation, cache, backend, seconds, queued_seconds,
// backend_seconds, written_seconds (null: not known), outcome, client, key, hash}]}, newest first.
boost::json::object slow_requests(const std::vector<Segment>& segments, const SampleChoice& choice,
                                  const base::Clock& clock);

// What the tables of clients hold, added up over workers and proxies.
struct ClientSum {
  uint64_t connections = 0, opened = 0, requests = 0, bytes = 0;
};
using ClientSums = std::map<std::array<uint64_t, 2>, ClientSum>;
ClientSums sum_clients(const std::vector<Segment>& segments);

// {proxies, seconds, clients: [{address, connections, opened, requests, bytes, requests_per_second,
// bytes_per_second}]}: the busiest between two readings, or since the start when `seconds` is 0.
boost::json::object busy_clients(const std::vector<Segment>& segments, const ClientSums& before,
                                 const ClientSums& after, double seconds, size_t most);

}  // namespace base::samples
