#include "tests/simulation/one_view/run.h"

#include <algorithm>
#include <memory>

#include "base/memcache/stored_key.h"
#include "tests/simulation/one_view/controller.h"

namespace one_view {

namespace {

constexpr Instant kFaultsFrom{1'100'000'000};
constexpr Duration kFaultsFor = 1700ms;
constexpr Instant kHealed{3'400'000'000};
constexpr Instant kEnd{3'700'000'000};
constexpr Instant kRecovered{7'400'000'000};
constexpr Instant kRecoveryEnd{7'700'000'000};
constexpr size_t kClients = 6;

enum class FaultKind {
  kStopProxy,
  kKillProxy,
  kStopBackend,
  kKillBackend,
  kStopAgent,
  kKillAgent,
  kBlockControl,  // agent and proxy
  kBlockRecords,  // agent and backend
  kBlockLink,     // proxy and backend
  kWeights,
  kFlush,
};

struct Fault {
  FaultKind kind = FaultKind::kWeights;
  Instant at;
  Duration lasts{0};
  uint64_t first = 0, second = 0;  // whom; taken modulo their number
};

struct Key {
  base::CacheId cache = 0;
  std::string name;
  base::Slot slot = 0;
  uint64_t last_value = 0;
};

class Run {
 public:
  Run(Tables& tables, const RunOptions& options);
  RunResult go();

 private:
  Key make_key(base::CacheId cache, std::string name);
  std::vector<Fault> choose_faults();
  void happen(const Fault& fault);
  void change_weights(const Fault& fault);
  void flush(base::CacheId cache);
  void kill_backend(size_t backend, Duration back_after);
  void start_backend(size_t backend);
  void kill_proxy(size_t proxy, Duration back_after);
  void start_proxy(size_t proxy);
  void heal();
  void expect_recovery();
  void client_turn();
  void operate(Key& key, size_t proxy, size_t worker, bool write,
               std::function<void(bool served)> then);

  const RunOptions& options_;
  Simulation simulation_;
  Chance plan_;  // faults only, so that leaving one out changes nothing of the others
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<std::unique_ptr<SimProxy>> proxies_;
  World world_;
  std::unique_ptr<Controller> controller_;
  std::vector<Key> keys_;
  std::vector<Fault> faults_;
  History history_;
  RunResult result_;
  std::optional<Violation> stuck_;
};

Run::Run(Tables& tables, const RunOptions& options)
    : options_(options),
      simulation_(options.seed, options.tracing),
      plan_(options.seed ^ 0x5eed),
      world_{simulation_, tables, options.mutation, {}, {}, {}, {}, {}, {}} {
  const size_t backends = 2 + plan_.below(2);
  const size_t proxies = 2 + plan_.one_in(4);
  Disk disk;
  disk.committed = tables.next(nullptr, 1, std::vector<uint32_t>(backends, 1), false);
  disk.last_epoch = 1;
  auto directory = std::make_shared<proxy::tenant::Directory>();
  for (const base::CacheId id : {1u, 2u}) {
    proxy::tenant::Cache cache;
    cache.id = id;
    directory->put_cache(std::move(cache));
    disk.generations[id] = 1;
  }
  for (size_t i = 0; i < backends; ++i) {
    backends_.push_back(std::make_unique<Backend>(Tables::backend_id(i)));
    backends_.back()->preset(std::string(base::memcache::kFenceKey), "1 0");
    world_.backends.push_back(backends_.back().get());
  }
  for (size_t i = 0; i < proxies; ++i) {
    proxies_.push_back(std::make_unique<SimProxy>(simulation_, tables, options_.mutation,
                                                  "proxy-" + std::to_string(i + 1), world_.backends,
                                                  disk.committed, directory));
    world_.proxies.push_back(proxies_.back().get());
  }
  world_.to_backends.resize(backends);
  world_.to_proxies.resize(proxies);
  world_.running.assign(backends, true);
  world_.kill_backend = [this](size_t backend) {
    kill_backend(backend, simulation_.chance().between(5ms, 300ms));
  };
  controller_ = std::make_unique<Controller>(world_, std::move(disk));
  for (const char* name : {"a", "b", "c"}) keys_.push_back(make_key(1, name));
  keys_.push_back(make_key(2, "a"));
  faults_ = choose_faults();
}

Key Run::make_key(base::CacheId cache, std::string name) {
  Key key;
  key.cache = cache;
  key.slot = base::slot_of(cache, name);
  key.name = std::move(name);
  return key;
}

// Some at any time, and some around each change and flush, since that is where it hurts.
std::vector<Fault> Run::choose_faults() {
  constexpr FaultKind kAnything[] = {
      FaultKind::kStopProxy,    FaultKind::kKillProxy,    FaultKind::kStopBackend,
      FaultKind::kKillBackend,  FaultKind::kStopAgent,    FaultKind::kKillAgent,
      FaultKind::kBlockControl, FaultKind::kBlockRecords, FaultKind::kBlockLink,
      FaultKind::kWeights,      FaultKind::kFlush};
  constexpr FaultKind kSilent[] = {FaultKind::kStopProxy, FaultKind::kBlockControl};
  constexpr FaultKind kUnreachable[] = {FaultKind::kStopBackend, FaultKind::kKillBackend,
                                        FaultKind::kBlockRecords};
  constexpr FaultKind kInTheMiddle[] = {FaultKind::kKillAgent, FaultKind::kStopAgent,
                                        FaultKind::kKillProxy, FaultKind::kKillBackend,
                                        FaultKind::kBlockLink, FaultKind::kStopBackend};
  std::vector<Fault> faults;
  const auto add = [&](FaultKind kind, Instant at, Duration lasts, uint64_t first,
                       uint64_t second) {
    faults.push_back(Fault{kind, std::max(at, kFaultsFrom), lasts, first, second});
  };
  const auto some_time = [&] {
    return plan_.one_in(3) ? plan_.between(1ms, 150ms) : plan_.between(150ms, 1500ms);
  };
  const size_t episodes = 2 + plan_.below(3);
  for (size_t i = 0; i < episodes; ++i) {
    const FaultKind kind = plan_.one_in(4) ? FaultKind::kFlush : FaultKind::kWeights;
    const Instant at = kFaultsFrom + plan_.between(0ns, kFaultsFor);
    const uint64_t proxy = plan_.below(proxies_.size()), backend = plan_.below(backends_.size());
    add(kind, at, 0ns, proxy, backend);
    const uint64_t story = plan_.below(6);
    if (story == 0) {
      // It acknowledges, is cut off and dies, before the others have acknowledged.
      add(FaultKind::kBlockControl, at - 1ms, plan_.between(60ms, 280ms), proxy + 1, backend);
      add(FaultKind::kBlockControl, at + plan_.between(15ms, 50ms), 1s, proxy, backend);
      add(FaultKind::kKillProxy, at + plan_.between(15ms, 60ms), plan_.between(1ms, 100ms), proxy,
          backend);
      continue;
    }
    const Duration lasts = plan_.between(500ms, 1500ms);
    if (story == 5) {
      // Proxy and old owner sleep through the change and wake together; others answer later.
      const Duration sleep = plan_.between(850ms, 1400ms);
      add(FaultKind::kStopProxy, at - 50ms, sleep, proxy, backend);
      add(FaultKind::kStopBackend, at - 50ms, sleep + plan_.between(0ms, 60ms), proxy, backend);
      add(FaultKind::kBlockLink, at - 50ms, sleep + plan_.between(0ms, 200ms), proxy, backend + 1);
      continue;
    }
    if (story <= 4) {
      add(kSilent[plan_.below(2)], at - plan_.between(0ms, 150ms), lasts, proxy, backend);
    }
    if (story <= 3) {
      const Duration less = plan_.one_in(2) ? plan_.between(0ms, 200ms) : plan_.between(0ms, 400ms);
      add(kUnreachable[plan_.below(3)], at - plan_.between(0ms, 400ms), lasts - less, proxy,
          backend);
    }
    if (plan_.one_in(2)) {
      add(kInTheMiddle[plan_.below(std::size(kInTheMiddle))], at + plan_.between(0ms, 700ms),
          some_time(), proxy + plan_.below(2), backend);
    }
  }
  const size_t anything = plan_.below(4);
  for (size_t i = 0; i < anything; ++i) {
    add(kAnything[plan_.below(std::size(kAnything))], kFaultsFrom + plan_.between(0ns, kFaultsFor),
        some_time(), plan_.next(), plan_.next());
  }
  return faults;
}

void Run::happen(const Fault& fault) {
  const size_t proxy = fault.first % proxies_.size();
  const size_t backend = fault.second % backends_.size();
  const auto stop_for = [&](Process& process) {
    simulation_.stop(process);
    const uint64_t life = process.life;
    simulation_.after(fault.lasts, [this, &process, life] {
      if (process.life == life) simulation_.resume(process);
    });
  };
  const auto block = [&](Line& line, const std::string& what) {
    line.blocked_until = std::max(line.blocked_until, simulation_.now() + fault.lasts);
    simulation_.tell("BLOCK " + what + " for " +
                     std::to_string(base::to_seconds(fault.lasts) * 1e3) + " ms");
  };
  switch (fault.kind) {
    case FaultKind::kStopProxy:
      return stop_for(proxies_[proxy]->process);
    case FaultKind::kKillProxy:
      return kill_proxy(proxy, fault.lasts / 4);
    case FaultKind::kStopBackend:
      return stop_for(backends_[backend]->process);
    case FaultKind::kKillBackend:
      return kill_backend(backend, fault.lasts / 4);
    case FaultKind::kStopAgent:
      return stop_for(controller_->process);
    case FaultKind::kKillAgent:
      controller_->kill();
      return simulation_.after(fault.lasts / 4, [this] { controller_->start(); });
    case FaultKind::kBlockControl:
      return block(world_.to_proxies[proxy], "agent - " + proxies_[proxy]->process.name);
    case FaultKind::kBlockRecords:
      return block(world_.to_backends[backend], "agent - " + backends_[backend]->process.name);
    case FaultKind::kBlockLink:
      return block(proxies_[proxy]->lines[backend],
                   proxies_[proxy]->process.name + " - " + backends_[backend]->process.name);
    case FaultKind::kWeights:
      return change_weights(fault);
    case FaultKind::kFlush:
      return flush(fault.first % 3 == 0 ? 2 : 1);
  }
}

// One backend leaves or comes back.
void Run::change_weights(const Fault& fault) {
  std::vector<uint32_t> weights;
  for (const auto& entry : controller_->disk().committed->backends) weights.push_back(entry.weight);
  const size_t backend = fault.second % weights.size();
  weights[backend] = weights[backend] == 0 ? 1 : 0;
  if (std::count(weights.begin(), weights.end(), 0u) == static_cast<ptrdiff_t>(weights.size())) {
    weights[(backend + 1) % weights.size()] = 1;
  }
  std::string text;
  for (const uint32_t weight : weights) text += " " + std::to_string(weight);
  simulation_.tell("ASK for weights" + text);
  controller_->change(std::move(weights), fault.first % 4 == 0);
}

void Run::flush(base::CacheId cache) {
  std::vector<std::string> names;
  for (const Key& key : keys_) {
    if (key.cache == cache) names.push_back(std::to_string(cache) + "/" + key.name);
  }
  const uint64_t begin = simulation_.stamp();
  simulation_.tell("ASK for a flush of cache " + std::to_string(cache));
  controller_->flush(cache, [this, names, begin, cache] {
    history_.flush(names, begin, simulation_.stamp());
    ++result_.flushes;
    simulation_.tell("flush of cache " + std::to_string(cache) + " is acknowledged");
  });
}

// The provider notices the end a little later, and starts a new process when the agent can.
void Run::kill_backend(size_t backend, Duration back_after) {
  if (!backends_[backend]->process.alive) return;
  backends_[backend]->kill(simulation_);
  simulation_.after(simulation_.chance().between(0ms, 5ms), [this, backend] {
    world_.running[backend] = false;
    controller_->backend_changed(backend);
  });
  simulation_.after(6ms + back_after, [this, backend] { start_backend(backend); });
}

void Run::start_backend(size_t backend) {
  if (backends_[backend]->process.alive) return;
  if (!controller_->can_act())
    return simulation_.after(20ms, [this, backend] { start_backend(backend); });
  world_.running[backend] = true;
  controller_->backend_changed(backend);
  backends_[backend]->start(simulation_);
}

void Run::kill_proxy(size_t proxy, Duration back_after) {
  if (!proxies_[proxy]->process.alive) return;
  proxies_[proxy]->kill();
  controller_->proxy_changed(proxy);
  simulation_.after(back_after, [this, proxy] { start_proxy(proxy); });
}

void Run::start_proxy(size_t proxy) {
  if (proxies_[proxy]->process.alive) return;
  proxies_[proxy]->start();
  controller_->proxy_changed(proxy);
}

void Run::heal() {
  simulation_.calm();
  controller_->start();
  simulation_.resume(controller_->process);
  for (size_t i = 0; i < backends_.size(); ++i) {
    simulation_.resume(backends_[i]->process);
    start_backend(i);
  }
  for (size_t i = 0; i < proxies_.size(); ++i) {
    simulation_.resume(proxies_[i]->process);
    start_proxy(i);
  }
}

void Run::operate(Key& key, size_t proxy, size_t worker, bool write,
                  std::function<void(bool)> then) {
  const std::string name = std::to_string(key.cache) + "/" + key.name;
  const uint64_t begin = simulation_.stamp();
  auto operation = std::make_shared<Operation>();
  operation->cache = key.cache;
  operation->key = key.name;
  operation->slot = key.slot;
  operation->value = write ? ++key.last_value : 0;
  const uint64_t value = operation->value;
  if (write) history_.write_begins(name, value, begin);
  SimProxy& target = *proxies_[proxy];
  const auto open = std::make_shared<bool>(true);
  const std::string where = target.process.name + "/" + std::to_string(worker);
  if (write)
    simulation_.tell("op " + name + " set through " + where + " value " + std::to_string(value));
  operation->answered = [this, name, begin, value, open, then, where](uint64_t found, bool stored) {
    if (!std::exchange(*open, false)) return;  // the client has gone away
    const uint64_t end = simulation_.stamp();
    if (stored) history_.write_ends(name, value, end);
    if (found != 0) history_.read(name, found, begin, end);
    if (simulation_.tracing() && (stored || found != 0)) {
      simulation_.tell("op " + name + " " + where + " [" + std::to_string(begin) + ".." +
                       std::to_string(end) + "] " +
                       (stored ? "stored value " + std::to_string(value)
                               : "gave value " + std::to_string(found)));
    }
    then(stored || found != 0);
  };
  // Longer than the slowest way there and back, or a client that was merely unlucky looks cut off.
  simulation_.after(simulation_.chance().between(300ms, 800ms), [open, then] {
    if (std::exchange(*open, false)) then(false);
  });
  simulation_.after(simulation_.latency(), target.process,
                    [&target, worker, operation] { target.take(worker, operation); });
}

void Run::client_turn() {
  if (simulation_.now() >= (options_.recovery ? kRecovered : kEnd)) return;
  Chance& chance = simulation_.chance();
  Key& key = keys_[chance.below(keys_.size())];
  const size_t proxy = chance.below(proxies_.size());
  const size_t worker = chance.below(kWorkers);
  operate(key, proxy, worker, chance.one_in(3), [this](bool) {
    const bool recovering = simulation_.now() > kEnd;
    const Duration pause = simulation_.chance().between(500us, recovering ? 200ms : 20ms);
    simulation_.after(pause, [this] { client_turn(); });
  });
}

// After healing: every worker of every proxy stores and finds every key.
void Run::expect_recovery() {
  for (size_t proxy = 0; proxy < proxies_.size(); ++proxy) {
    for (size_t worker = 0; worker < kWorkers; ++worker) {
      for (Key& key : keys_) {
        const std::string name = std::to_string(key.cache) + "/" + key.name;
        operate(key, proxy, worker, true, [this, proxy, name](bool stored) {
          if (stored || stuck_) return;
          stuck_ = Violation{name,
                             proxies_[proxy]->process.name +
                                 " does not serve it although everything has healed; it has " +
                                 proxies_[proxy]->state() + "; the agent: " + controller_->state(),
                             {}};
        });
      }
    }
  }
}

RunResult Run::go() {
  for (size_t i = 0; i < faults_.size(); ++i) {
    if ((options_.left_out >> i & 1) != 0) continue;
    simulation_.after(faults_[i].at - simulation_.now(), [this, i] { happen(faults_[i]); });
  }
  for (size_t i = 0; i < kClients; ++i) {
    simulation_.after(simulation_.chance().between(50ms, 80ms), [this] { client_turn(); });
  }
  simulation_.after(kHealed - simulation_.now(), [this] { heal(); });
  if (options_.recovery) {
    simulation_.after(kRecovered - simulation_.now(), [this] { expect_recovery(); });
  }
  simulation_.run_until(options_.recovery ? kRecoveryEnd + 600ms : kEnd);
  result_.violation = history_.check();
  if (!result_.violation) result_.violation = std::move(stuck_);
  result_.faults = faults_.size();
  result_.reads_with_value = history_.reads();
  result_.epochs = controller_->disk().committed->epoch;
  result_.timeline = simulation_.told();
  return std::move(result_);
}

}  // namespace

RunResult run(Tables& tables, const RunOptions& options) {
  Run run(tables, options);
  return run.go();
}

std::string explain(Tables& tables, RunOptions options) {
  options.tracing = false;
  const size_t faults = run(tables, options).faults;
  for (size_t i = 0; i < faults; ++i) {
    RunOptions fewer = options;
    fewer.left_out |= uint64_t{1} << i;
    if (run(tables, fewer).violation) options = fewer;
  }
  options.tracing = true;
  const RunResult result = run(tables, options);
  const Violation& violation = *result.violation;
  std::string text = "seed " + std::to_string(options.seed) +
                     ", faults left out: " + std::to_string(options.left_out) + "\n" +
                     violation.key + ": " + violation.what + "\n";
  // Of the clients' operations, those about the values in question.
  for (const std::string& line : result.timeline) {
    const bool operation = line.find("  op ") != std::string::npos;
    const bool about =
        std::any_of(violation.values.begin(), violation.values.end(), [&](uint64_t value) {
          return line.find("  op " + violation.key + " ") != std::string::npos &&
                 line.ends_with(" value " + std::to_string(value));
        });
    if (!operation || about) text += line + "\n";
  }
  return text;
}

}  // namespace one_view
