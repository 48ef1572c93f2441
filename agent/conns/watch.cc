#include "agent/conns/watch.h"

#include <algorithm>

#include "base/telemetry/log.h"
#include "base/time/thread_time.h"

namespace agent::conns {
namespace {

constexpr base::Duration kEvery = std::chrono::seconds(1);
// While the kernel's events count there is only the tending of them to do, which has time unless
// cells become scarce, and the queues, for which the kernel walks all its listening sockets.
constexpr base::Duration kLookEvery = std::chrono::seconds(2);
constexpr base::Duration kAfterFailure = std::chrono::seconds(10);

bool is_ipv6(const Address& address) {
  return !std::all_of(address.begin(), address.begin() + 10, [](uint8_t b) { return b == 0; }) ||
         address[10] != 0xff;
}

}  // namespace

base::Result<std::unique_ptr<Watch>> Watch::start(std::vector<WatchedPort> ports,
                                                  const base::Clock& clock,
                                                  std::function<Rights()> rights) {
  auto slots = Slots::create(ports);
  if (!slots.ok()) return slots.error();
  return std::unique_ptr<Watch>(
      new Watch(std::move(ports), std::move(*slots), clock, std::move(rights)));
}

Watch::Watch(std::vector<WatchedPort> ports, Slots slots, const base::Clock& clock,
             std::function<Rights()> rights)
    : ports_(std::move(ports)),
      slots_(std::move(slots)),
      clock_(clock),
      rights_(std::move(rights)),
      queues_(slots_.size()),
      thread_([this] { run(); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    follow_rights();
    if (const base::Instant now = clock_.now(); now >= next_look_) {
      next_look_ = now + kLookEvery - kEvery / 2;
      read_queues();
    }
    if (bpf_ != nullptr) {
      tend_bpf();
    } else {
      tend_diagnostics();
    }
    const double used = base::to_seconds(base::ThreadTime::ran());
    lock.lock();
    processor_seconds_ = used;
    const bool has_time = bpf_ != nullptr && !crowded_;
    wake_.wait_for(lock, has_time ? kLookEvery : kEvery, [this] { return stopping_; });
  }
}

void Watch::follow_rights() {
  const Rights rights = rights_();
  if (tried_ == rights) return;
  tried_ = rights;
  const Choice choice = choose(rights);
  if (choice.source == SourceKind::kBpf) {
    if (use_bpf()) return;
  } else {
    use_diagnostics(choice.why);
  }
}

bool Watch::use_bpf() {
  auto attached = BpfSource::attach(ports_);
  auto seeded = attached.ok() ? (*attached)->seed() : base::Result<>(attached.error());
  if (!seeded.ok()) {
    use_diagnostics("the kernel's events cannot be used: " + seeded.error().context);
    return false;
  }
  base::log::info("connections_counted", {{"source", to_string(SourceKind::kBpf)}});
  const std::lock_guard lock(mutex_);
  bpf_ = std::move(*attached);
  diag_.reset();
  why_ = choose(*tried_).why;
  return true;
}

void Watch::use_diagnostics(std::string why) {
  base::log::info("connections_counted",
                  {{"source", to_string(SourceKind::kDiagnostics)}, {"why", why}});
  auto source = DiagSource::create(ports_);
  const std::lock_guard lock(mutex_);
  bpf_.reset();
  diag_ = std::make_shared<DiagSource>(std::move(*source));
  why_ = std::move(why);
  failure_.clear();
  next_step_ = base::Instant{};
}

void Watch::tend_bpf() {
  const std::shared_ptr<BpfSource> bpf = bpf_;
  if (bpf == nullptr) return;
  crowded_ = bpf->reclaim_clients();
  const base::Instant now = clock_.now();
  if (!bpf->is_doubtful() || now < next_seeding_) return;
  const base::Duration before = base::ThreadTime::ran();
  auto seeded = bpf->seed();
  const auto cost = static_cast<double>((base::ThreadTime::ran() - before).count());
  next_seeding_ = now + std::max(kEvery, base::Duration(static_cast<int64_t>(cost / kBudget)));
  if (!seeded.ok()) {
    base::log::warn("connections_not_seeded", {{"error", seeded.error().context}});
    next_seeding_ = std::max(next_seeding_, now + kAfterFailure);
  }
}

void Watch::tend_diagnostics() {
  const std::shared_ptr<DiagSource> diag = diag_;
  const base::Instant now = clock_.now();
  if (diag == nullptr || now < next_step_) return;
  auto done = diag->step(now, ipv6_);
  next_step_ = now + (done.ok() ? diag->pause() : std::max(diag->pause(), kAfterFailure));
  if (!done.ok()) base::log::warn("connections_not_counted", {{"error", done.error().context}});
  const std::lock_guard lock(mutex_);
  failure_ = done.ok() ? "" : done.error().context;
}

// Costs by the number of listening sockets alone.
void Watch::read_queues() {
  std::vector<Queue> queues(slots_.size());
  DumpQuestion question;
  question.states = state_bit(kListen);
  ipv6_ = false;
  auto done = dump(question, [&](const SocketRow& row) {
    const int slot = slots_.find(row.local_port, row.local);
    if (slot < 0) return;
    ipv6_ = ipv6_ || is_ipv6(row.local);
    Queue& queue = queues[static_cast<size_t>(slot)];
    queue.length += row.queue;
    queue.limit += row.queue_limit;
    queue.drops += row.drops;
    ++queue.listening;
  });
  if (!done.ok()) return;
  const std::lock_guard lock(mutex_);
  queues_ = std::move(queues);
}

Counts Watch::counts() {
  Counts counts;
  const std::lock_guard lock(mutex_);
  if (bpf_ != nullptr) {
    bpf_->fill(counts);
  } else if (diag_ != nullptr) {
    diag_->fill(counts, clock_.now());
    for (size_t i = 0; i < counts.listeners.size(); ++i) {
      counts.listeners[i].states[kListen] = queues_[i].listening;
    }
  }
  counts.why = why_;
  if (bpf_ == nullptr && !failure_.empty()) {
    counts.source = SourceKind::kNone;
    counts.known = false;
    counts.why = why_ + "; " + failure_;
  }
  counts.processor_seconds = processor_seconds_;
  for (size_t i = 0; i < counts.listeners.size(); ++i) {
    counts.listeners[i].queue = queues_[i].length;
    counts.listeners[i].queue_limit = queues_[i].limit;
    counts.listeners[i].queue_drops = queues_[i].drops;
  }
  return counts;
}

std::vector<ClientCount> Watch::top_clients(size_t limit) {
  std::shared_ptr<BpfSource> bpf;
  std::shared_ptr<DiagSource> diag;
  {
    const std::lock_guard lock(mutex_);
    bpf = bpf_;
    diag = diag_;
  }
  if (bpf != nullptr) return bpf->top_clients(limit);
  if (diag != nullptr) return diag->top_clients(limit);
  return {};
}

}  // namespace agent::conns
