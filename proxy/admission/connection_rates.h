// ConnectionRates: how often one client address, and one credential, may open a connection.
//
// For all workers together; asked once per connection, so a mutex is cheap enough. What is kept is
// only who has connected lately: an entry that is paid for is forgotten when the table has doubled. When
// it is full of those who are not (as many addresses as kMost within a second or so), others pass: a
// limit for one client must not become one for all.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>

#include "proxy/admission/rate.h"

namespace proxy::admission {

// Thread: any.
class ConnectionRates {
 public:
  static constexpr base::Duration kBurst = std::chrono::seconds(1);
  static constexpr size_t kMost = 65'536;

  // Per second; zero: no limit.
  void set_limits(uint64_t per_client, uint64_t per_credential);
  bool take_client(const std::array<uint64_t, 2>& address, base::Instant now);
  bool take_credential(std::string_view user, base::Instant now);
  size_t remembered() const;

 private:
  struct Table {
    uint64_t per_second = 0;
    size_t sweep_at = 1024;
    std::map<std::array<uint64_t, 2>, Rate> rates;
    bool take(const std::array<uint64_t, 2>& key, base::Instant now);
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Table clients_, credentials_;
};

}  // namespace proxy::admission
