#include "base/samples/samples.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdio>

#include "base/core/text.h"

namespace base::samples {
namespace {

namespace json = boost::json;
using base::telemetry::DetailBlock;
using base::telemetry::ShownKey;
using base::telemetry::SlowCells;
using base::telemetry::TopKey;
using base::telemetry::TopKeys;
using base::telemetry::WorkerView;

constexpr size_t kWidestKey = 160;

std::string hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

json::array names_of(const std::vector<Segment>& segments) {
  json::array names;
  for (const Segment& segment : segments) names.emplace_back(segment.proxy);
  return names;
}

// visit(segment, worker, details) for each worker, on a block that stands
// still if it does for a moment; it may run several times and must begin anew each time.
template <class Visit, class Keep>
void each_worker(const std::vector<Segment>& segments, Visit visit, Keep keep) {
  for (const Segment& segment : segments) {
    for (uint32_t w = 0; w < segment.reader->workers(); ++w) {
      const DetailBlock& details = segment.reader->detail(w);
      segment.reader->consistent(
          w, [&](const WorkerView& worker) { visit(segment, worker, details); });
      keep();
    }
  }
}

json::object key_object(const TopKey& key, uint64_t all) {
  const double samples = double(std::max<uint64_t>(1, key.samples));
  const auto share = [&](uint64_t part) { return std::min(1.0, double(part) / samples); };
  return {{"cache", key.key.cache},
          {"key", shown_key(key.key)},
          {"hash", hex(key.key.hash)},
          {"size", key.key.size},
          {"requests_per_second", key.per_second},
          {"share", all == 0 ? 0 : double(key.samples) / double(all)},
          {"samples", key.samples},
          {"at_most_too_high", key.at_most_too_high},
          {"at_most_too_low", key.at_most_too_low},
          {"misses", share(key.misses)},
          {"writes", share(key.writes)}};
}

struct SlowSample {
  int64_t at_ns = 0;
  json::object shown;
};

template <class Enum>
std::string word_of(uint64_t number, size_t count) {
  return number < count ? std::string(base::telemetry::to_string(static_cast<Enum>(number))) : "?";
}

SlowSample slow_sample(const Segment& segment, const std::vector<std::string>& backends,
                       const SlowCells& cells) {
  const auto seconds = [](uint64_t ns) { return double(ns) * 1e-9; };
  const ShownKey key = ShownKey::of(cells.key);
  const uint64_t queued = cells.queued_ns.get(), backend = cells.backend_ns.get();
  const uint64_t written = cells.written_ns.get(), which = cells.backend.get();
  const uint64_t failure = cells.failure.get();
  const bool is_known = written != base::telemetry::kUnknownTime;
  SlowSample sample;
  sample.at_ns = static_cast<int64_t>(cells.at_ns.get());
  sample.shown = {
      {"at", nullptr},  // when the clocks have been read
      {"proxy", segment.proxy},
      {"operation", word_of<base::telemetry::Operation>(cells.operation.get(),
                                                        base::telemetry::kOperationCount)},
      {"cache", key.cache},
      {"backend", which < backends.size() ? backends[which] : "?"},
      {"seconds", seconds(queued + backend + (is_known ? written : 0))},
      {"queued_seconds", seconds(queued)},
      {"backend_seconds", seconds(backend)},
      {"written_seconds", is_known ? json::value(seconds(written)) : json::value(nullptr)},
      {"outcome", failure == 0 ? "answered"
                               : word_of<base::telemetry::Failure>(failure - 1,
                                                                   base::telemetry::kFailureCount)},
      {"client", base::telemetry::address_text({cells.client[0].get(), cells.client[1].get()})},
      {"key", shown_key(key)},
      {"hash", hex(key.hash)}};
  return sample;
}

}  // namespace

std::string shown_key(const ShownKey& key) {
  if (key.text.empty()) return "#" + hex(key.hash);
  const std::string text = base::printable(key.text, kWidestKey);
  return key.size > key.text.size() && !text.ends_with("…") ? text + "…" : text;
}

json::object busy_keys(const std::vector<Segment>& segments, const SampleChoice& choice) {
  TopKeys all, part;
  uint64_t one_in = 0;
  each_worker(
      segments,
      [&](const Segment&, const WorkerView& worker, const DetailBlock& details) {
        part = TopKeys();
        part.add(details, worker.counters.heartbeat_ns.get());
        one_in = std::max(one_in, details.sampled_one_in.get());
      },
      [&] { all.add(part); });
  json::array keys;
  for (const TopKey& key : all.busiest(choice.most, choice.cache)) {
    keys.emplace_back(key_object(key, all.samples()));
  }
  return {{"proxies", names_of(segments)},
          {"keys_one_in", one_in},
          {"samples", all.samples()},
          {"keys", std::move(keys)}};
}

json::object slow_requests(const std::vector<Segment>& segments, const SampleChoice& choice,
                           const base::Clock& clock) {
  std::vector<SlowSample> all, part;
  uint64_t seen = 0, kept = 0, part_seen = 0, part_kept = 0;
  each_worker(
      segments,
      [&](const Segment& segment, const WorkerView&, const DetailBlock& details) {
        part.clear();
        part_seen = details.slow_seen.get();
        part_kept = details.slow_written.get();
        const std::vector<std::string> backends = segment.reader->backend_names();
        for (const SlowCells& cells : details.slow) {
          if (cells.number.get() == 0) continue;
          if (choice.cache != 0 && cells.key.cache.get() != choice.cache) continue;
          part.push_back(slow_sample(segment, backends, cells));
        }
      },
      [&] {
        all.insert(all.end(), part.begin(), part.end());
        seen += part_seen;
        kept += part_kept;
      });
  std::sort(all.begin(), all.end(),
            [](const SlowSample& a, const SlowSample& b) { return a.at_ns > b.at_ns; });
  if (all.size() > choice.most) all.resize(choice.most);
  const base::Instant now = clock.now();
  const base::WallTime wall = clock.wall();
  json::array requests;
  for (SlowSample& sample : all) {
    sample.shown["at"] = (wall + base::Duration(sample.at_ns - now.ns)).to_rfc3339();
    requests.emplace_back(std::move(sample.shown));
  }
  return {{"proxies", names_of(segments)},
          {"slow_requests", seen},
          {"kept", kept},
          {"requests", std::move(requests)}};
}

ClientSums sum_clients(const std::vector<Segment>& segments) {
  ClientSums sums;
  for (const Segment& segment : segments) {
    for (uint32_t w = 0; w < segment.reader->workers(); ++w) {
      for (const auto& cells : segment.reader->worker(w).clients) {
        const std::array<uint64_t, 2> address{cells.address[0].get(), cells.address[1].get()};
        if (address[0] == 0 && address[1] == 0) continue;
        ClientSum& sum = sums[address];
        sum.connections += cells.connections.get();
        sum.opened += cells.opened.get();
        sum.requests += cells.requests.get();
        sum.bytes += cells.bytes.get();
      }
    }
  }
  return sums;
}

json::object busy_clients(const std::vector<Segment>& segments, const ClientSums& before,
                          const ClientSums& after, double seconds, size_t most) {
  struct Row {
    std::array<uint64_t, 2> address;
    ClientSum sum;
    uint64_t requests, bytes;  // that count
  };
  std::vector<Row> rows;
  for (const auto& [address, sum] : after) {
    const auto found = before.find(address);
    const ClientSum old = seconds > 0 && found != before.end() ? found->second : ClientSum();
    // Smaller than before: its entry made room for another address and was made anew.
    const auto grown = [](uint64_t now, uint64_t then) { return now >= then ? now - then : now; };
    rows.push_back({address, sum, grown(sum.requests, old.requests), grown(sum.bytes, old.bytes)});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.requests != b.requests ? a.requests > b.requests : a.sum.requests > b.sum.requests;
  });
  if (rows.size() > most) rows.resize(most);
  json::array clients;
  for (const Row& row : rows) {
    json::object client{{"address", base::telemetry::address_text(row.address)},
                        {"connections", row.sum.connections},
                        {"opened", row.sum.opened},
                        {"requests", row.sum.requests},
                        {"bytes", row.sum.bytes}};
    if (seconds > 0) {
      client["requests_per_second"] = double(row.requests) / seconds;
      client["bytes_per_second"] = double(row.bytes) / seconds;
    }
    clients.emplace_back(std::move(client));
  }
  return {{"proxies", names_of(segments)}, {"seconds", seconds}, {"clients", std::move(clients)}};
}

}  // namespace base::samples
