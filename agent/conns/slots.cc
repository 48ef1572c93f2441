#include "agent/conns/slots.h"

namespace agent::conns {

base::Result<Slots> Slots::create(const std::vector<WatchedPort>& ports) {
  Slots slots;
  const auto add = [&slots](uint16_t port, const Address* address) {
    ListenerCounts counts;
    counts.port = port;
    counts.others = address == nullptr;
    if (address != nullptr) counts.address = *address;
    slots.listeners_.push_back(counts);
    return static_cast<uint16_t>(slots.listeners_.size() - 1);
  };
  for (const WatchedPort& watched : ports) {
    if (watched.port == 0) {
      return base::Error(base::ErrorCode::kInvalid, "port 0 cannot be watched");
    }
    const auto [at, fresh] = slots.ports_.try_emplace(watched.port);
    if (fresh) at->second.others = add(watched.port, nullptr);
    for (const Address& address : watched.addresses) {
      const auto [place, added] = at->second.by_address.try_emplace(address, uint16_t{0});
      if (added) place->second = add(watched.port, &address);
    }
  }
  if (slots.size() > kMaxSlots) {
    return base::Error(base::ErrorCode::kInvalid,
                       "more than " + std::to_string(kMaxSlots) + " listeners to watch");
  }
  return slots;
}

int Slots::find(uint16_t port, const Address& local) const {
  const auto at = ports_.find(port);
  if (at == ports_.end()) return -1;
  const auto place = at->second.by_address.find(local);
  return place == at->second.by_address.end() ? at->second.others : place->second;
}

}  // namespace agent::conns
