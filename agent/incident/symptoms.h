// Symptoms: which proxies, backends and clusters showed what lately; answers whether failures are
// correlated. Bounded by the number of proxies and backends there are.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "agent/incident/cause.h"

namespace agent::incident {

struct Correlation {
  base::Duration window;
  double share;
  size_t at_least;
  size_t clusters;
};

// Thread: the book's. Invariant: nothing older than an hour is kept.
class Symptoms {
 public:
  void set_cluster(const std::string& cluster, size_t proxies, size_t backends);
  void record(Type type, const Scope& scope, base::Instant at);
  bool correlated(std::string_view cluster, Type type, base::Instant now,
                  const Correlation& rule) const;

 private:
  struct Size {
    size_t proxies = 0;
    size_t backends = 0;
  };
  struct Key {
    Family family;
    std::string cluster;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  std::map<std::string, Size, std::less<>> sizes_;
  std::map<Key, std::map<std::string, base::Instant>> seen_;  // target -> when last
};

}  // namespace agent::incident
