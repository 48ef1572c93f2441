#include "agent/rule/shift.h"

#include <algorithm>

namespace agent::rule {

std::unique_ptr<ShiftCluster> LatencyShift::fresh(const std::string& name) {
  return std::make_unique<ShiftCluster>(name, *rule_, *moments_, next_number_++);
}

ShiftCluster& LatencyShift::cluster(const std::string& name) {
  auto& found = clusters_[name];
  if (!found) found = fresh(name);
  return *found;
}

void LatencyShift::observe(const series::Sample& pace) {
  cluster(pace.key.cluster)
      .observe(pace.key.proxy, pace.key.backend, pace.at, pace.value, pace.weight);
}

void LatencyShift::lost(const std::string& name, const std::string& proxy,
                        const std::string& backend, base::Instant now) {
  cluster(name).lost(proxy, backend, now);
}

// Only of clusters that are known by their requests: echoes alone are no cluster's latency.
void LatencyShift::echo(const series::Sample& sample, bool lost) {
  const auto found = clusters_.find(sample.key.cluster.text());
  if (found == clusters_.end()) return;
  found->second->echo(sample.key.proxy, sample.key.backend, sample.at,
                      lost ? std::nullopt : std::optional(sample.value));
}

void LatencyShift::busy(const series::Sample& sample) {
  const auto found = clusters_.find(sample.key.cluster.text());
  if (found == clusters_.end()) return;
  found->second->busy(sample.key.proxy, sample.at, sample.value, sample.weight);
}

void LatencyShift::waited(const series::Sample& sample) {
  const auto found = clusters_.find(sample.key.cluster.text());
  if (found == clusters_.end()) return;
  found->second->waited(sample.key.proxy, sample.at, sample.value);
}

void LatencyShift::exclude(const incident::Scope& sick, base::Instant now) {
  const auto it = clusters_.find(sick.cluster);
  if (it != clusters_.end()) it->second->exclude(sick, now + rule_->hold);
}

void LatencyShift::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  for (auto& [name, cluster] : clusters_) cluster->evaluate(now, out);
}

bool LatencyShift::wants_echoes(base::Instant now) const {
  return std::any_of(clusters_.begin(), clusters_.end(),
                     [now](const auto& entry) { return entry.second->wants_echoes(now); });
}

template <class Keep>
void LatencyShift::rebuild(const std::string& name, Keep keep) {
  auto rebuilt = fresh(name);
  clusters_[name]->each_learned([&](const std::string& proxy, const std::string& backend,
                                    const ShiftCluster::Learned& learned, base::Instant last) {
    if (keep(proxy, backend, last)) rebuilt->restore(proxy, backend, learned);
  });
  clusters_[name] = std::move(rebuilt);
}

void LatencyShift::forget(const incident::Scope& gone) {
  if (!clusters_.contains(gone.cluster)) return;
  rebuild(gone.cluster, [&](const std::string& proxy, const std::string& backend, base::Instant) {
    return proxy != gone.proxy && backend != gone.backend;
  });
}

void LatencyShift::forget_silent(base::Instant before) {
  for (const auto& [name, cluster] : clusters_) {
    if (!cluster->has_silent(before)) continue;
    rebuild(name, [&](const std::string&, const std::string&, base::Instant last) {
      return last.ns == 0 || last >= before;
    });
  }
  std::erase_if(clusters_, [](const auto& entry) { return entry.second->link_count() == 0; });
}

std::vector<LearnedLink> LatencyShift::learned() const {
  std::vector<LearnedLink> list;
  for (const auto& entry : clusters_) {
    entry.second->each_learned([&](const std::string& proxy, const std::string& backend,
                                   const ShiftCluster::Learned& learned, base::Instant) {
      const series::Share& share = learned.share;
      list.push_back({entry.first, proxy, backend, share.slow(), share.all(), learned.echoes, {}});
      if (!learned.before || !learned.load) return;
      list.back().load = {learned.before->slow(), learned.before->all(), learned.load->before,
                          learned.load->usual};
    });
  }
  return list;
}

void LatencyShift::restore(const LearnedLink& link, base::Instant now) {
  ShiftCluster::Learned learned{series::Share(link.slow, link.all), {}, {}, link.echoes};
  if (link.load) {
    learned.before = series::Share(link.load->slow, link.load->all);
    learned.load = {now, link.load->rate_before, link.load->rate};
  }
  cluster(link.cluster).restore(link.proxy, link.backend, learned);
}

size_t LatencyShift::series_count() const {
  size_t count = 0;
  for (const auto& [name, cluster] : clusters_) count += cluster->link_count();
  return count;
}

}  // namespace agent::rule
