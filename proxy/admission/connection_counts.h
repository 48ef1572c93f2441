// ConnectionCounts: whether one more connection is let in.
//
// Counts open connections in all and per client address, for all workers together. Asked once per
// accept, so a mutex is cheap enough; nothing on the request path comes here.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>

#include "proxy/admission/connection_rates.h"

namespace proxy::admission {

// IPv6, or IPv4-mapped; host byte order halves.
using ClientAddress = std::array<uint64_t, 2>;

enum class Admission : uint8_t { kAdmitted, kProxyLimit, kClientLimit };
std::string_view to_string(Admission admission);

// Thread: any. Invariant: total_ is the sum of per_client_.
class ConnectionCounts {
 public:
  // Zero: no limit.
  void set_limits(uint64_t total, uint64_t per_client);
  Admission enter(const ClientAddress& address);
  // One that was let in already, by the process before this one.
  void take_over(const ClientAddress& address);
  void leave(const ClientAddress& address);
  uint64_t total() const;
  // How often, apart from how many.
  ConnectionRates& rates() { return rates_; }

 private:
  ConnectionRates rates_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  uint64_t most_total_ = 0;
  uint64_t most_per_client_ = 0;
  uint64_t total_ = 0;
  std::map<ClientAddress, uint64_t> per_client_;
};

}  // namespace proxy::admission
