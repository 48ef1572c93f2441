#include "agent/collect/client_rates.h"

#include <algorithm>
#include <utility>

namespace agent::collect {
namespace {

using base::telemetry::ClientCells;
using base::telemetry::kClientSlots;

}  // namespace

ClientRates::Rates ClientRates::read(const base::telemetry::SegmentReader& segment,
                                     base::Instant now, size_t most) {
  const bool first = seen_.empty();
  if (first) seen_.resize(segment.workers() * kClientSlots);
  std::vector<std::pair<Address, uint64_t>> sent;
  auto seen = seen_.begin();
  for (uint32_t i = 0; i < segment.workers(); ++i) {
    for (const ClientCells& cells : segment.worker(i).clients) {
      Seen& before = *seen++;
      const Address address{cells.address[0].get(), cells.address[1].get()};
      if (address == Address{}) continue;
      const uint64_t commands = cells.requests.get();
      // The place may be another client's now, who began at zero.
      const uint64_t from =
          before.address == address && before.commands <= commands ? before.commands : 0;
      before = {address, commands};
      if (commands > from) sent.emplace_back(address, commands - from);
    }
  }
  const double seconds = base::to_seconds(now - std::exchange(at_, now));
  Rates rates;
  if (first || seconds <= 0) return rates;
  rates.seconds = seconds;
  std::sort(sent.begin(), sent.end());
  for (const auto& [address, commands] : sent) {
    rates.commands += static_cast<double>(commands) / seconds;
    if (rates.most.empty() || rates.most.back().address != address) {
      rates.most.push_back({address, 0});
    }
    rates.most.back().commands += static_cast<double>(commands) / seconds;
  }
  const auto end = rates.most.begin() + static_cast<ptrdiff_t>(std::min(most, rates.most.size()));
  std::partial_sort(rates.most.begin(), end, rates.most.end(),
                    [](const Client& a, const Client& b) { return a.commands > b.commands; });
  rates.most.erase(end, rates.most.end());
  return rates;
}

}  // namespace agent::collect
