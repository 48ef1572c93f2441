#include "agent/incident/symptoms.h"

#include <algorithm>
#include <cmath>

namespace agent::incident {

namespace {

constexpr base::Duration kKept = std::chrono::hours(1);

size_t count_since(const std::map<std::string, base::Instant>& targets, base::Instant begin) {
  return static_cast<size_t>(std::count_if(
      targets.begin(), targets.end(), [&](const auto& entry) { return entry.second >= begin; }));
}

}  // namespace

void Symptoms::set_cluster(const std::string& cluster, size_t proxies, size_t backends) {
  sizes_[cluster] = {proxies, backends};
}

void Symptoms::record(Type type, const Scope& scope, base::Instant at) {
  auto& targets = seen_[{family_of(type), scope.cluster}];
  std::erase_if(targets, [&](const auto& entry) { return entry.second < at - kKept; });
  targets[scope.proxy.empty() ? scope.backend : scope.proxy] = at;
}

bool Symptoms::correlated(std::string_view cluster, Type type, base::Instant now,
                          const Correlation& rule) const {
  const Family family = family_of(type);
  const base::Instant begin = now - rule.window;
  size_t clusters = 0;
  size_t here = 0;
  for (const auto& [key, targets] : seen_) {
    if (key.family != family) continue;
    const size_t count = count_since(targets, begin);
    if (count > 0) ++clusters;
    if (key.cluster == cluster) here = count;
  }
  if (clusters >= rule.clusters) return true;
  size_t members = 0;
  if (const auto it = sizes_.find(cluster); it != sizes_.end()) {
    members = family == Family::kBackendSick ? it->second.backends : it->second.proxies;
  }
  const auto part =
      static_cast<size_t>(std::ceil(rule.share * static_cast<double>(members) - 1e-9));
  return here >= std::max(rule.at_least, part);
}

}  // namespace agent::incident
