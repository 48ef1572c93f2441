#include "agent/conns/diag_source.h"

#include <algorithm>
#include <utility>

#include "agent/conns/top.h"
#include "base/time/thread_time.h"

namespace agent::conns {
namespace {

// net.ipv4.ip_local_port_range of Linux is 32768 to 60999.
constexpr uint16_t kFirstPort = 32768;
constexpr uint16_t kPortsEach = 2017;
constexpr size_t kClientsEach = 4096;
constexpr base::Duration kWholeLimit = std::chrono::milliseconds(250);
constexpr base::Duration kSliceLimit = std::chrono::milliseconds(400);
constexpr base::Duration kEvery = std::chrono::seconds(1);
constexpr uint32_t kDumpedStates = kAllStates & ~state_bit(kTimeWait) & ~state_bit(kListen);

}  // namespace

RemotePorts remote_ports(size_t window) {
  if (window == 0) return {0, kFirstPort - 1};
  const auto low = static_cast<uint16_t>(kFirstPort + (window - 1) * kPortsEach);
  if (window == kWindows - 1) return {low, 65535};
  return {low, static_cast<uint16_t>(low + kPortsEach - 1)};
}

size_t window_of(uint16_t remote_port) {
  if (remote_port < kFirstPort) return 0;
  return std::min<size_t>(1 + (remote_port - kFirstPort) / kPortsEach, kWindows - 1);
}

base::Result<DiagSource> DiagSource::create(const std::vector<WatchedPort>& ports) {
  auto slots = Slots::create(ports);
  if (!slots.ok()) return slots.error();
  return DiagSource(std::move(*slots));
}

DiagSource::Window DiagSource::empty(base::Instant now) const {
  Window window;
  window.at = now;
  window.states.resize(slots_.size());
  return window;
}

void DiagSource::count(Window& window, const SocketRow& row) const {
  const int slot = slots_.find(row.local_port, row.local);
  if (slot < 0 || row.state >= kStates) return;
  ++window.states[static_cast<size_t>(slot)][row.state];
  if (row.state != kEstablished) return;
  const Key key{row.remote, static_cast<uint16_t>(slot)};
  const auto at = window.clients.find(key);
  if (at != window.clients.end()) {
    ++at->second;
  } else if (window.clients.size() < kClientsEach) {
    window.clients.emplace(key, 1);
  } else {
    ++window.untracked;
  }
}

base::Result<> DiagSource::step(base::Instant now, bool ipv6) {
  if (whole_cost_.count() == 0) {
    auto done = whole(now, ipv6, kWholeLimit);
    if (done.ok() || done.code() != base::ErrorCode::kExhausted) return done;
    whole_cost_ = kWholeLimit;
    return base::Done{};
  }
  const auto affordable =
      base::Duration(static_cast<int64_t>(static_cast<double>(kEvery.count()) * kBudget));
  if (whole_cost_ <= affordable) return whole(now, ipv6, kWholeLimit);
  return slice(now, ipv6);
}

base::Result<> DiagSource::step_whole(base::Instant now, bool ipv6) {
  return whole(now, ipv6, base::Duration(0));
}

base::Result<> DiagSource::whole(base::Instant now, bool ipv6, base::Duration limit) {
  std::array<Window, kWindows> windows;
  windows.fill(empty(now));
  DumpQuestion question;
  for (const auto& [port, unused] : slots_.ports()) question.ports.insert(port);
  if (question.ports.empty()) question.ports.insert(0);
  question.states = kDumpedStates;
  question.ipv6 = ipv6;
  question.limit = limit;
  const base::Duration began = base::ThreadTime::ran();
  auto done = dump(question,
                   [&](const SocketRow& row) { count(windows[window_of(row.remote_port)], row); });
  cost_ = base::ThreadTime::ran() - began;
  if (!done.ok()) return done;
  whole_cost_ = std::max(cost_, base::Duration(1));
  const std::lock_guard lock(*mutex_);
  windows_ = std::move(windows);
  return base::Done{};
}

base::Result<> DiagSource::slice(base::Instant now, bool ipv6) {
  const size_t index = std::exchange(next_, (next_ + 1) % kWindows);
  Window window = empty(now);
  DumpQuestion question;
  for (const auto& [port, unused] : slots_.ports()) question.ports.insert(port);
  const RemotePorts ports = remote_ports(index);
  question.remote_low = ports.low;
  question.remote_high = ports.high;
  question.states = kDumpedStates;
  question.ipv6 = ipv6;
  question.limit = kSliceLimit;
  const base::Duration began = base::ThreadTime::ran();
  auto done = dump(question, [&](const SocketRow& row) { count(window, row); });
  cost_ = base::ThreadTime::ran() - began;
  if (!done.ok()) return done;
  // A slice that costs as little as a whole walk may: most connections are gone.
  const double share = static_cast<double>(kEvery.count()) * kBudget / kWindows;
  if (static_cast<double>(cost_.count()) < share) whole_cost_ = base::Duration(0);
  const std::lock_guard lock(*mutex_);
  windows_[index] = std::move(window);
  return base::Done{};
}

base::Duration DiagSource::pause() const {
  const auto rest =
      base::Duration(static_cast<int64_t>(static_cast<double>(cost_.count()) / kBudget));
  return std::max(kEvery, rest);
}

void DiagSource::fill(Counts& counts, base::Instant now) const {
  counts.source = SourceKind::kDiagnostics;
  counts.listeners = slots_.listeners();
  counts.exact = false;
  counts.known = true;
  const std::lock_guard lock(*mutex_);
  base::Instant oldest = now;
  size_t pairs = 0;
  for (const Window& window : windows_) {
    if (!window.at) {
      counts.known = false;
      continue;
    }
    oldest = std::min(oldest, *window.at);
    counts.untracked += window.untracked;
    pairs = std::max(pairs, window.clients.size());
    for (size_t i = 0; i < window.states.size(); ++i) {
      for (size_t s = 0; s < kStates; ++s) counts.listeners[i].states[s] += window.states[i][s];
    }
  }
  // The kernel's two names of a handshake that is under way.
  for (ListenerCounts& listener : counts.listeners) {
    listener.states[kSynReceived] += std::exchange(listener.states[kNewSynReceived], 0);
  }
  counts.clients = pairs;
  counts.age_seconds = base::to_seconds(now - oldest);
}

std::unordered_map<DiagSource::Key, uint64_t, DiagSource::KeyHash> DiagSource::merged_clients()
    const {
  std::unordered_map<Key, uint64_t, KeyHash> all;
  const std::lock_guard lock(*mutex_);
  for (const Window& window : windows_) {
    for (const auto& [key, connections] : window.clients) all[key] += connections;
  }
  return all;
}

std::vector<ClientCount> DiagSource::top_clients(size_t limit) const {
  TopClients top(slots_.size(), limit);
  for (const auto& [key, connections] : merged_clients()) {
    ClientCount count;
    count.client = key.client;
    count.listener = key.slot;
    count.connections = connections;
    top.add(count);
  }
  return top.take();
}

}  // namespace agent::conns
