#include "agent/collect/backend_probes.h"

#include <algorithm>
#include <utility>

namespace agent::collect {
namespace {

// Less than a second: who is still waited for when its turn comes is passed over.
constexpr base::Duration kTimeout = std::chrono::milliseconds(950);
// Between probes of who is vouched for.
constexpr base::Duration kVouchedEvery = std::chrono::seconds(1);
constexpr base::Duration kBeat = std::chrono::milliseconds(100);  // probes begin at beats

}  // namespace

BackendProbes::BackendProbes(Surroundings around) : around_(std::move(around)) {
  for (const auto& [id, figures] : around_.figures) backends_[id];
}

void BackendProbes::start() {
  base::spawn(around_.executor, around_.gate, "probe backends", ask_forever());
}

void BackendProbes::vouched(std::string_view backend) {
  const auto at = backends_.find(backend);
  if (at != backends_.end()) at->second.vouched = around_.timers.clock().now();
}

void BackendProbes::doubt(const std::string& proxy, bool doubted) {
  if (!doubted) {
    doubting_.erase(proxy);
    return;
  }
  if (!doubting_.insert(proxy).second) return;
  std::vector<std::string> ids;
  for (const coord::BackendSpec& backend : around_.region.cluster_of(proxy)->backends) {
    const auto at = backends_.find(backend.id);
    if (at == backends_.end() || at->second.under_way) continue;
    if (around_.region.process(backend.id)->pid != 0) ids.push_back(backend.id);
  }
  if (!ids.empty()) base::spawn(around_.executor, around_.gate, "probe backends", ask(ids));
}

bool BackendProbes::is_in_doubt(const std::string& cluster) const {
  return std::any_of(doubting_.begin(), doubting_.end(), [&](const std::string& proxy) {
    return around_.region.cluster_of(proxy)->name == cluster;
  });
}

bool BackendProbes::is_due(const std::string& id, const Backend& backend, base::Instant now) const {
  if (backend.under_way) return false;
  const base::Duration pace = around_.pace();
  const base::Duration every = std::max(pace, std::min(2 * pace, kVouchedEvery));
  const bool calm = backend.answered && backend.vouched.ns != 0 && now - backend.vouched < every &&
                    backend.pid == around_.region.process(id)->pid &&
                    !is_in_doubt(around_.region.cluster_of(id)->name);
  return !calm || now - backend.asked >= every - pace / 4;
}

base::Instant BackendProbes::next(base::Instant due) const {
  const base::Duration every = around_.pace();
  const base::Instant earliest = around_.timers.clock().now() + every / 10;
  return base::next_beat(std::max(due + every, earliest), kBeat);
}

boost::asio::awaitable<void> BackendProbes::ask_forever() {
  base::Instant due = around_.timers.clock().now();
  std::vector<std::string> ids;
  while (!around_.gate.closed()) {
    const base::Instant now = around_.timers.clock().now();
    ids.clear();
    for (auto& [id, backend] : backends_) {
      if (around_.region.process(id)->pid == 0) {
        around_.figures[id].probe_ok = false;
      } else if (is_due(id, backend, now)) {
        ids.push_back(id);
      }
    }
    if (!ids.empty()) co_await ask(ids);
    due = next(due);
    co_await around_.timers.wait_until(due);
  }
}

boost::asio::awaitable<void> BackendProbes::ask(std::vector<std::string> ids) {
  // Two doubts at once each wanted them asked before either did.
  std::erase_if(ids, [this](const std::string& id) { return backends_[id].under_way; });
  if (ids.empty()) co_return;
  const base::Instant now = around_.timers.clock().now();
  for (const std::string& id : ids) {
    Backend& backend = backends_[id];
    backend.under_way = true;
    backend.asked = now;
    backend.pid = around_.region.process(id)->pid;
  }
  const auto answers = co_await around_.backends.probe_all(ids);
  std::vector<series::Sample> samples;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (answers[i]) {
      note(ids[i], answers[i]->ok(), samples);
    } else {
      base::spawn(around_.executor, around_.gate, "probe backend", await_answer(ids[i]));
    }
  }
  if (!samples.empty()) around_.sink(samples);
}

boost::asio::awaitable<void> BackendProbes::await_answer(std::string id) {
  const auto answer = co_await around_.backends.finish_probe(id, kTimeout);
  std::vector<series::Sample> samples;
  note(id, answer.ok(), samples);
  if (!samples.empty()) around_.sink(samples);
}

// While an answer is awaited the last one stands.
void BackendProbes::note(const std::string& id, bool answered, std::vector<series::Sample>& out) {
  Backend& backend = backends_[id];
  backend.under_way = false;
  backend.answered = answered;
  around_.figures[id].probe_ok = answered;
  const coord::Process& process = *around_.region.process(id);
  // A process that ended meanwhile says nothing about the next one.
  if (process.pid != backend.pid) return;
  series::Sample sample;
  sample.key.name = "backend_probe_ok";
  sample.key.cluster = process.cluster;
  sample.key.backend = id;
  sample.at = around_.timers.clock().now();
  sample.value = answered ? 1 : 0;
  out.push_back(std::move(sample));
}

}  // namespace agent::collect
