#include "proxy/frontend/client_telemetry.h"

#include "base/core/hash.h"

namespace proxy {

using base::telemetry::ClientCells;

namespace {

constexpr base::Duration kNewcomerInterval = std::chrono::hours(1);

bool is_empty(const ClientCells& entry) {
  return entry.address[0].get() == 0 && entry.address[1].get() == 0;
}

bool is_of(const ClientCells& entry, const admission::ClientAddress& address) {
  return entry.address[0].get() == address[0] && entry.address[1].get() == address[1];
}

}  // namespace

int32_t ClientTelemetry::enter(const admission::ClientAddress& address) {
  const size_t home = base::mix64(address[0], address[1]) % base::telemetry::kClientSlots;
  ClientCells* quietest = nullptr;
  ClientCells* empty = nullptr;
  ClientCells* found = nullptr;
  for (size_t i = 0; i < kNeighbourhood && found == nullptr; ++i) {
    ClientCells& entry = cells_.clients[(home + i) % base::telemetry::kClientSlots];
    if (is_of(entry, address)) found = &entry;
    if (is_empty(entry)) {
      if (empty == nullptr) empty = &entry;
    } else if (entry.connections.get() == 0 &&
               (quietest == nullptr || entry.requests.get() < quietest->requests.get())) {
      quietest = &entry;
    }
  }
  if (found == nullptr) {
    found = empty != nullptr ? empty : quietest;
    if (found == nullptr) return -1;
    if (empty == nullptr) cells_.clients_evicted.add();
    found->opened.set(0);
    found->requests.set(0);
    found->bytes.set(0);
    found->address[0].set(address[0]);
    found->address[1].set(address[1]);
  }
  found->connections.add();
  return static_cast<int32_t>(found - cells_.clients.data());
}

void ClientTelemetry::leave(int32_t index) {
  if (index >= 0) cells_.clients[size_t(index)].connections.sub();
}

void ClientTelemetry::authenticated(const admission::ClientAddress& address, base::CacheId cache,
                                    base::Instant now) {
  Seen& seen = seen_[base::mix64(address[0], address[1]) % kRemembered];
  if (seen.address == address && seen.at_ns != 0 &&
      now.ns - seen.at_ns < kNewcomerInterval.count()) {
    return;
  }
  seen.address = address;
  seen.at_ns = now.ns;
  const uint64_t number = cells_.newcomers_written.get();
  auto& entry = cells_.newcomers[number % base::telemetry::kNewcomerSlots];
  entry.address[0].set(address[0]);
  entry.address[1].set(address[1]);
  entry.cache.set(cache);
  entry.at_ns.set(static_cast<uint64_t>(now.ns));
  cells_.newcomers_written.add();
}

}  // namespace proxy
