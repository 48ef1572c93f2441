#include "agent/rule/busy.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr double kStray = 0.1;       // of the explained requests: the proxy's share is chance
constexpr double kWaitsMuch = 0.15;  // of the time: worth telling

}  // namespace

void ProxyBusy::told(base::Instant at, double ran, double wanted) {
  const bool follows = last_.ns != 0 && at > last_ && at - last_ <= kLongestGap;
  base::Instant begin = follows ? last_ : at - kBin / 2;
  last_ = std::max(last_, at);
  while (begin < at) {
    const int64_t number = begin.ns / kBin.count();
    const base::Instant end = std::min(at, base::Instant{(number + 1) * kBin.count()});
    const auto seconds = static_cast<float>(base::to_seconds(end - begin));
    Bin& bin = bins_[static_cast<size_t>(number) % kBins];
    if (bin.number != number) bin = Bin{number, 0, 0, 0};
    bin.ran += seconds * static_cast<float>(std::min(ran, wanted));
    bin.wanted += seconds * static_cast<float>(wanted);
    bin.seconds += seconds;
    begin = end;
  }
}

ProxyBusy::Shares ProxyBusy::within(int64_t number) const {
  const Bin& bin = bins_[static_cast<size_t>(number) % kBins];
  if (bin.number != number || bin.seconds <= 0) return {};
  return {bin.ran / bin.seconds, (bin.wanted - bin.ran) / bin.seconds, bin.seconds};
}

ProxyBusy::Shares ProxyBusy::since(base::Instant begin) const {
  Shares sum;
  for (const Bin& bin : bins_) {
    if (bin.number <= begin.ns / kBin.count()) continue;
    sum.ran += bin.ran;
    sum.waited += bin.wanted - bin.ran;
    sum.seconds += bin.seconds;
  }
  if (sum.seconds <= 0) return {};
  return {sum.ran / sum.seconds, sum.waited / sum.seconds, sum.seconds};
}

std::string busy_text(const ProxyBusy::Shares& shares) {
  std::string text = "ran " + percent_text(shares.ran) + " of the time";
  if (shares.waited >= kWaitsMuch) {
    text += " and waited " + percent_text(shares.waited) + " of it for a core";
  }
  return text;
}

// What is slow in the moment after had to wait for what came before.
void BusyWitness::hear(uint32_t number, const ProxyBusy& busy, int64_t bin, double slow) {
  if (slow <= 0) return;
  const auto known = std::find_if(proxies_.begin(), proxies_.end(),
                                  [&](const Proxy& proxy) { return proxy.number == number; });
  Proxy& proxy = known != proxies_.end() ? *known : proxies_.emplace_back();
  proxy.number = number;
  proxy.slow += slow;
  slow_ += slow;
  ProxyBusy::Shares shares = busy.within(bin);
  if (!exhaustion_.is_met(shares)) shares = busy.within(bin - 1);
  if (!exhaustion_.is_met(shares)) return;
  explained_ += slow;
  proxy.explained += slow;
  proxy.shares.ran += slow * shares.ran;
  proxy.shares.waited += slow * shares.waited;
}

double BusyWitness::explained() const {
  return slow_ > 0 ? explained_ / slow_ : 0;
}

bool BusyWitness::counts(const Proxy& proxy) const {
  return proxy.explained > kStray * explained_;
}

std::vector<uint32_t> BusyWitness::proxies() const {
  std::vector<uint32_t> found;
  for (const Proxy& proxy : proxies_) {
    if (counts(proxy)) found.push_back(proxy.number);
  }
  return found;
}

std::string BusyWitness::sentence() const {
  ProxyBusy::Shares mean;
  double slow = 0;
  for (const Proxy& proxy : proxies_) {
    if (!counts(proxy)) continue;
    mean.ran += proxy.shares.ran;
    mean.waited += proxy.shares.waited;
    slow += proxy.explained;
  }
  if (slow <= 0) return "";
  mean.ran /= slow;
  mean.waited /= slow;
  const size_t count = proxies().size();
  const std::string who = count == 1
                              ? "The proxy's busiest worker "
                              : "The busiest workers of " + std::to_string(count) + " proxies ";
  const bool no_core = mean.waited >= exhaustion_.no_core || mean.waited > mean.ran;
  return who + busy_text(mean) + " meanwhile: " +
         (no_core ? "the machine has no core left for it, the network is not to blame."
                  : "overload, not the network.");
}

}  // namespace agent::rule
