#include "cli/forwarder/faults.h"

#include <algorithm>

namespace cli {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kLostPacketMin = 200ms;
constexpr base::Duration kLostPacketMax = 400ms;

}  // namespace

std::string_view to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::kSlow:
      return "slow";
    case FaultKind::kDrop:
      return "drop";
    case FaultKind::kStall:
      return "stall";
  }
  return "stall";
}

std::optional<FaultKind> fault_kind_named(std::string_view name) {
  for (const FaultKind kind : {FaultKind::kSlow, FaultKind::kDrop, FaultKind::kStall}) {
    if (to_string(kind) == name) return kind;
  }
  return std::nullopt;
}

bool Fault::matches(const LinkName& link) const {
  return (cluster.empty() || cluster == link.cluster) && (proxy.empty() || proxy == link.proxy) &&
         (backend.empty() || backend == link.backend);
}

void FaultSet::set(Fault fault) {
  if (fault.kind == FaultKind::kDrop) {
    fault.delay_min = kLostPacketMin;
    fault.delay_max = kLostPacketMax;
  }
  const std::string id = fault.id;
  faults_.insert_or_assign(id, std::move(fault));
}

size_t FaultSet::clear(const std::optional<std::string>& id) {
  if (id) return faults_.erase(*id);
  const size_t count = faults_.size();
  faults_.clear();
  return count;
}

std::vector<Fault> FaultSet::list() const {
  std::vector<Fault> all;
  for (const auto& [id, fault] : faults_) all.push_back(fault);
  return all;
}

bool FaultSet::stalled(const LinkName& link) const {
  return std::any_of(faults_.begin(), faults_.end(), [&](const auto& entry) {
    return entry.second.kind == FaultKind::kStall && entry.second.matches(link);
  });
}

FaultSet::Fate FaultSet::draw_fate(const LinkName& link) {
  Fate fate;
  for (const auto& [id, fault] : faults_) {
    if (fault.kind == FaultKind::kStall || !fault.matches(link)) continue;
    if (draw() >= fault.share) continue;
    const double span = static_cast<double>((fault.delay_max - fault.delay_min).count());
    const base::Duration delay =
        fault.delay_min + base::Duration(static_cast<int64_t>(span * draw()));
    fate.delay = std::max(fate.delay, delay);
    fate.dropped = fate.dropped || fault.kind == FaultKind::kDrop;
  }
  return fate;
}

base::Duration FaultSet::draw_delay(const LinkName& link) {
  return draw_fate(link).delay;
}

std::optional<base::Duration> FaultSet::draw_datagram(const LinkName& link) {
  const Fate fate = draw_fate(link);
  if (fate.dropped) return std::nullopt;
  return fate.delay;
}

double FaultSet::draw() {
  state_ += 0x9e3779b97f4a7c15ULL;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

}  // namespace cli
