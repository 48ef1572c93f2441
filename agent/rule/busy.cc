#include "agent/rule/busy.h"

#include <algorithm>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr double kStray = 0.1;       // of the explained requests: the proxy's share is chance
constexpr double kWaitsMuch = 0.15;  // of the time: worth telling
constexpr double kOfAnother = 0.05;  // so much more than the busiest: it is another worker's

}  // namespace

template <class Add>
void ProxyBusy::spread(base::Instant& last, base::Instant at, Add add) {
  const bool follows = last.ns != 0 && at > last && at - last <= kLongestGap;
  base::Instant begin = follows ? last : at - kBin / 2;
  last = std::max(last, at);
  while (begin < at) {
    const int64_t number = begin.ns / kBin.count();
    const base::Instant end = std::min(at, base::Instant{(number + 1) * kBin.count()});
    const auto seconds = static_cast<float>(base::to_seconds(end - begin));
    Bin& bin = bins_[static_cast<size_t>(number) % kBins];
    if (bin.number != number) bin = Bin{number};
    add(bin, seconds);
    begin = end;
  }
}

void ProxyBusy::told(base::Instant at, double ran, double wanted) {
  spread(last_, at, [&](Bin& bin, float seconds) {
    bin.ran += seconds * static_cast<float>(std::min(ran, wanted));
    bin.wanted += seconds * static_cast<float>(wanted);
    bin.seconds += seconds;
  });
}

void ProxyBusy::told_waited(base::Instant at, double waited) {
  spread(last_waited_, at, [&](Bin& bin, float seconds) {
    bin.waited += seconds * static_cast<float>(waited);
    bin.waited_seconds += seconds;
  });
}

// Whatever is told of others, the busiest worker has waited for what it wanted and did not get.
ProxyBusy::Shares ProxyBusy::shares(const Bin& bin) {
  if (bin.seconds <= 0) return {};
  Shares shares{bin.ran / bin.seconds, bin.wanted / bin.seconds, 0, bin.seconds, false};
  shares.waited = shares.wanted - shares.ran;
  if (bin.waited_seconds <= 0) return shares;
  shares.is_waiting_known = true;
  shares.waited = std::max<double>(shares.waited, bin.waited / bin.waited_seconds);
  return shares;
}

ProxyBusy::Shares ProxyBusy::within(int64_t number) const {
  const Bin& bin = bins_[static_cast<size_t>(number) % kBins];
  return bin.number == number ? shares(bin) : Shares();
}

ProxyBusy::Shares ProxyBusy::since(base::Instant begin) const {
  Bin sum;
  for (const Bin& bin : bins_) {
    if (bin.number <= begin.ns / kBin.count()) continue;
    sum.ran += bin.ran;
    sum.wanted += bin.wanted;
    sum.seconds += bin.seconds;
    sum.waited += bin.waited;
    sum.waited_seconds += bin.waited_seconds;
  }
  return shares(sum);
}

std::string busy_text(const ProxyBusy::Shares& shares) {
  std::string text = "ran " + percent_text(shares.ran) + " of the time";
  if (shares.waited < kWaitsMuch) return text;
  const bool is_other = shares.waited > shares.wanted - shares.ran + kOfAnother;
  text += is_other ? " and another waited " : " and waited ";
  return text + percent_text(shares.waited) + " of it for a core";
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
  const bool may_be = exhaustion_.may_be_met(shares);
  if (!exhaustion_.is_met(shares)) shares = busy.within(bin - 1);
  if (!exhaustion_.is_met(shares)) {
    if (may_be || exhaustion_.may_be_met(shares)) unknown_ += slow;
    return;
  }
  explained_ += slow;
  proxy.explained += slow;
  proxy.shares.ran += slow * shares.ran;
  proxy.shares.wanted += slow * shares.wanted;
  proxy.shares.waited += slow * shares.waited;
}

double BusyWitness::explained() const {
  return slow_ > 0 ? explained_ / slow_ : 0;
}

double BusyWitness::may_explain() const {
  return slow_ > 0 ? (explained_ + unknown_) / slow_ : 0;
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
    mean.wanted += proxy.shares.wanted;
    mean.waited += proxy.shares.waited;
    slow += proxy.explained;
  }
  if (slow <= 0) return "";
  mean.ran /= slow;
  mean.wanted /= slow;
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
