#include "agent/conns/report.h"

#include <algorithm>
#include <map>
#include <string>

#include "agent/conns/spread.h"

namespace agent::conns {
namespace {

namespace json = boost::json;

struct Row {
  uint64_t connections = 0;
  json::object members;
};

uint64_t connections_of(const ListenerCounts& listener) {
  uint64_t sum = 0;
  for (size_t state = 0; state < kStates; ++state) {
    if (state != kListen) sum += listener.states[state];
  }
  return sum;
}

// The upper end of the bucket that the middle connection falls into.
double median_rtt_seconds(const ListenerCounts& listener) {
  uint64_t all = 0;
  for (const uint64_t count : listener.rtt) all += count;
  uint64_t seen = 0;
  for (size_t i = 0; i < kRttBuckets; ++i) {
    seen += listener.rtt[i];
    if (all > 0 && 2 * seen >= all) return static_cast<double>(uint64_t{2} << i) / 1e6;
  }
  return 0;
}

std::vector<Row> rows_by_state(const Counts& counts, uint16_t port) {
  std::array<uint64_t, kStates> sums{};
  for (const ListenerCounts& listener : counts.listeners) {
    if (port != 0 && listener.port != port) continue;
    for (size_t state = 0; state < kStates; ++state) sums[state] += listener.states[state];
  }
  std::vector<Row> rows;
  for (size_t state = 0; state < kStates; ++state) {
    if (sums[state] == 0) continue;
    json::object members;
    members["state"] = std::string(tcp_state_name(static_cast<uint8_t>(state)));
    rows.push_back({sums[state], std::move(members)});
  }
  return rows;
}

std::vector<Row> rows_by_port(const Counts& counts, uint16_t port) {
  std::vector<Row> rows;
  for (const ListenerCounts& listener : counts.listeners) {
    if (port != 0 && listener.port != port) continue;
    const uint64_t connections = connections_of(listener);
    if (connections == 0 && listener.states[kListen] == 0 && listener.closed == 0) continue;
    std::string where = listener.others ? "*" : to_string(listener.address);
    if (where.find(':') != std::string::npos) where = "[" + where + "]";
    json::object members;
    members["port"] = where + ":" + std::to_string(listener.port);
    members["opened"] = listener.opened;
    members["closed"] = listener.closed;
    members["aborted"] = listener.aborted;
    members["failed"] = listener.failed;
    members["retransmits"] = listener.retransmits;
    members["bytes_in"] = listener.bytes_in;
    members["bytes_out"] = listener.bytes_out;
    members["rtt_p50_seconds"] = median_rtt_seconds(listener);
    members["queue"] = listener.queue;
    members["queue_limit"] = listener.queue_limit;
    members["queue_drops"] = listener.queue_drops;
    rows.push_back({connections, std::move(members)});
  }
  return rows;
}

std::vector<Row> rows_by_client(const Counts& counts, const std::vector<ClientCount>& clients,
                                uint16_t port) {
  struct Sum {
    uint64_t connections = 0, opened = 0, bytes = 0;
  };
  std::map<Address, Sum> sums;
  for (const ClientCount& client : clients) {
    if (client.listener >= counts.listeners.size()) continue;
    if (port != 0 && counts.listeners[client.listener].port != port) continue;
    Sum& sum = sums[client.client];
    sum.connections += client.connections;
    sum.opened += client.opened;
    sum.bytes += client.bytes;
  }
  std::vector<Row> rows;
  for (const auto& [address, sum] : sums) {
    json::object members;
    members["client"] = to_string(address);
    members["opened"] = sum.opened;
    members["bytes"] = sum.bytes;
    rows.push_back({sum.connections, std::move(members)});
  }
  return rows;
}

// Which clients the established connections belong to. `rows`: by client, most connections first.
json::object spread_among(const std::vector<Row>& rows, const Counts& counts, uint16_t port) {
  std::vector<uint64_t> clients;
  for (const Row& row : rows) {
    if (row.connections > 0) clients.push_back(row.connections);
  }
  uint64_t established = 0;
  for (const ListenerCounts& listener : counts.listeners) {
    if (port == 0 || listener.port == port) established += listener.states[kEstablished];
  }
  const bool more = rows.size() >= kMaxRows || counts.untracked > 0;
  const Spread spread = spread_of(clients, established, more);
  json::object members;
  members["kind"] = to_string(spread.kind);
  members["connections"] = spread.connections;
  members["clients"] = spread.clients;
  members["more_clients"] = spread.more_clients;
  members["few"] = spread.few;
  members["held_by_few"] = spread.held_by_few;
  members["sentence"] = describe(spread);
  return members;
}

constexpr const char* kNames[] = {"state", "client", "port"};

}  // namespace

std::optional<By> parse_by(std::string_view text) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (text == kNames[i]) return static_cast<By>(i);
  }
  return std::nullopt;
}

json::object report(const Counts& counts, const std::vector<ClientCount>& clients, By by,
                    uint16_t port) {
  std::vector<Row> rows = by == By::kState    ? rows_by_state(counts, port)
                          : by == By::kClient ? rows_by_client(counts, clients, port)
                                              : rows_by_port(counts, port);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.connections > b.connections; });
  json::object answer;
  if (by == By::kClient) answer["spread"] = spread_among(rows, counts, port);
  if (rows.size() > kMaxRows) rows.resize(kMaxRows);
  json::array listed;
  for (Row& row : rows) {
    row.members["connections"] = row.connections;
    listed.push_back(std::move(row.members));
  }
  answer["by"] = kNames[static_cast<size_t>(by)];
  answer["rows"] = std::move(listed);
  answer["source"] = to_string(counts.source);
  answer["why"] = counts.why;
  answer["known"] = counts.known;
  answer["exact"] = counts.exact;
  answer["age_seconds"] = counts.age_seconds;
  answer["clients"] = counts.clients;
  answer["untracked"] = counts.untracked;
  answer["missed_events"] = counts.missed_events;
  answer["seedings"] = counts.seedings;
  return answer;
}

}  // namespace agent::conns
