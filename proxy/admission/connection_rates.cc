#include "proxy/admission/connection_rates.h"

#include "base/core/hash.h"

namespace proxy::admission {

bool ConnectionRates::Table::take(const std::array<uint64_t, 2>& key, base::Instant now) {
  if (per_second == 0) return true;
  if (rates.size() >= sweep_at) {
    std::erase_if(rates, [now](const auto& entry) { return entry.second.is_paid(now); });
    sweep_at = std::max<size_t>(1024, rates.size() * 2);
  }
  if (rates.size() >= kMost && !rates.contains(key)) return true;
  return rates[key].take(now, per_second, kBurst);
}

void ConnectionRates::set_limits(uint64_t per_client, uint64_t per_credential) {
  const std::lock_guard lock(mutex_);
  clients_.per_second = per_client;
  credentials_.per_second = per_credential;
}

bool ConnectionRates::take_client(const std::array<uint64_t, 2>& address, base::Instant now) {
  const std::lock_guard lock(mutex_);
  return clients_.take(address, now);
}

bool ConnectionRates::take_credential(std::string_view user, base::Instant now) {
  const std::lock_guard lock(mutex_);
  return credentials_.take({base::hash64(user, 0), base::hash64(user, 1)}, now);
}

size_t ConnectionRates::remembered() const {
  const std::lock_guard lock(mutex_);
  return clients_.rates.size() + credentials_.rates.size();
}

}  // namespace proxy::admission
