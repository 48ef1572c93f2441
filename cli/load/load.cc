#include "cli/load/load.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "base/memcache/request.h"

namespace cli {
namespace {

using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

constexpr Duration kAnswerTimeout = 5s;
constexpr Duration kSweepEvery = 500ms;
constexpr Duration kStormSweepEvery = 50ms;
constexpr Duration kReconnectPause = 50ms;
constexpr uint32_t kFillBatch = 64;
constexpr size_t kMostPipelined = 4096;  // on one connection of an open loop
constexpr std::string_view kKeyHead = "b:";

// All keys and the value, made once.
class Workload {
 public:
  explicit Workload(const LoadOptions& options)
      : width_(options.key_bytes), value_(options.value_bytes, 'v') {
    keys_.reserve(size_t{options.keys} * width_);
    for (uint32_t i = 0; i < options.keys; ++i) {
      std::string number = std::to_string(i);
      number.insert(0, width_ - kKeyHead.size() - number.size(), '0');
      keys_.append(kKeyHead).append(number);
    }
    set_tail_ = " 0 0 " + std::to_string(value_.size()) + "\r\n" + value_ + "\r\n";
  }

  void append_set(std::string& out, uint32_t key) const {
    out.append("set ").append(name(key)).append(set_tail_);
  }
  void append_get_start(std::string& out) const { out.append("get"); }
  void append_key(std::string& out, uint32_t key) const { out.append(1, ' ').append(name(key)); }

 private:
  std::string_view name(uint32_t key) const {
    return std::string_view(keys_).substr(size_t{key} * width_, width_);
  }
  const size_t width_;
  std::string keys_;
  const std::string value_;
  std::string set_tail_;
};

std::string login_of(const LoadOptions& options) {
  if (options.user.empty()) return {};
  const std::string password(options.password.reveal());
  return "set " + options.user + " 0 0 " + std::to_string(password.size()) + "\r\n" + password +
         "\r\n";
}

// What the threads agree on. Thread: any.
struct Phase {
  std::atomic<bool> measuring{false};
  std::atomic<bool> over{false};
};

// One thread's connections. Thread: its own, but for the report, read when it has ended.
class Generator {
 public:
  Generator(const LoadOptions& options, const Workload& workload, std::string_view login,
            const base::Clock& clock, Phase& phase, uint32_t index)
      : options_(options),
        workload_(workload),
        clock_(clock),
        phase_(phase),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        random_(options.seed * 0x9e3779b97f4a7c15u + index) {
    const uint32_t busy = options.busy == 0 ? options.connections : options.busy;
    for (uint32_t i = index; i < options.connections; i += options.threads) {
      const ServerAddress& server = options.servers[i % options.servers.size()];
      sessions_.push_back(std::make_unique<Slot>(server, login, i < busy));
      busy_ += i < busy ? 1 : 0;
    }
  }

  void run() {
    Instant now = clock_.now();
    next_due_ = now;
    for (auto& slot : sessions_) {
      if (is_storm()) {
        idle_.push_back(slot.get());
      } else {
        begin(*slot, now);
      }
    }
    const Duration sweep_every = is_storm() ? kStormSweepEvery : kSweepEvery;
    Instant sweep = now + sweep_every;
    std::array<epoll_event, 512> events;
    while (!phase_.over.load(std::memory_order_relaxed)) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), int(events.size()), wait_ms(now));
      now = clock_.now();
      notice_phase();
      for (int i = 0; i < count; ++i) {
        on_ready(*static_cast<Slot*>(events[size_t(i)].data.ptr), events[size_t(i)].events);
      }
      if (options_.rate > 0) send_due(clock_.now());
      if (now >= sweep) {
        give_up_late(now);
        sweep = now + sweep_every;
      }
    }
    notice_phase();
  }

  LoadReport& report() { return report_; }

 private:
  struct Slot {
    Slot(const ServerAddress& server, std::string_view login, bool is_busy)
        : session(server, login), busy(is_busy) {}
    Session session;
    const bool busy;
    bool dead = false;   // waits for retry_at
    bool asked = false;  // this connection has had a request
    Instant retry_at;
    Instant due;  // in a storm
    uint32_t events = 0;
  };

  bool is_storm() const { return options_.churn && options_.rate > 0; }

  int wait_ms(Instant now) const {
    if (options_.rate <= 0) return 20;
    const int64_t left = (next_due_ - now).count();
    return left <= 0 ? 0 : static_cast<int>(std::min<int64_t>(20, left / 1'000'000));
  }

  // The figures begin afresh when the warm-up is over.
  void notice_phase() {
    const bool measuring = phase_.measuring.load(std::memory_order_relaxed);
    if (measuring == measuring_) return;
    measuring_ = measuring;
    if (!measuring) return;
    report_ = LoadReport();
    report_.began = clock_.now();
  }

  void begin(Slot& slot, Instant now) {
    ++report_.connects;
    if (!slot.session.connect(now)) return fail(slot, now);
    slot.dead = slot.asked = false;
    want_events(slot, EPOLL_CTL_ADD, EPOLLOUT);
  }

  void count_requests(uint64_t answered, Instant now) {
    report_.requests += answered;
    if (options_.interval == Duration(0) || !measuring_) return;
    const auto at = static_cast<size_t>((now - report_.began) / options_.interval);
    if (report_.series.size() <= at) report_.series.resize(at + 1);
    report_.series[at] += answered;
  }

  void want_events(Slot& slot, int operation, uint32_t events) {
    slot.events = events;
    epoll_event event{};
    event.events = events;
    event.data.ptr = &slot;
    ::epoll_ctl(epoll_.get(), operation, slot.session.fd(), &event);
  }

  void fail(Slot& slot, Instant now) {
    ++report_.errors;
    if (!slot.session.last_error().empty()) report_.last_error = slot.session.last_error();
    slot.session.close();
    if (is_storm()) return idle_.push_back(&slot);
    slot.dead = true;
    slot.retry_at = now + kReconnectPause;
  }

  void watch(Slot& slot) {
    const uint32_t wanted = EPOLLIN | (slot.session.wants_to_write() ? EPOLLOUT : 0u);
    if (wanted != slot.events) want_events(slot, EPOLL_CTL_MOD, wanted);
  }

  void on_ready(Slot& slot, uint32_t events) {
    Session& session = slot.session;
    const Instant now = clock_.now();
    if (session.state() == Session::State::kConnecting) {
      if (!session.on_connected(now)) return fail(slot, now);
    } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      const uint64_t before = report_.latencies.count();
      const Session::Heard heard = session.receive(now, report_.latencies);
      count_requests(report_.latencies.count() - before, now);
      report_.hits += heard.values;
      report_.errors += heard.errors;
      if (heard.errors > 0) report_.last_error = session.last_error();
      if (heard.lost) return fail(slot, now);
    }
    if ((events & EPOLLOUT) != 0 && !session.flush()) return fail(slot, now);
    if (session.state() == Session::State::kReady) go_on(slot, now);
    if (session.state() != Session::State::kClosed) watch(slot);
  }

  // A closed loop sends when everything was answered.
  void go_on(Slot& slot, Instant now) {
    if (!slot.busy || slot.session.outstanding() > 0) return;
    if (options_.churn && slot.asked) {
      slot.session.close();
      return is_storm() ? idle_.push_back(&slot) : begin(slot, now);
    }
    if (options_.rate > 0 && !is_storm()) return;
    const Instant due = is_storm() ? slot.due : now;
    for (uint32_t i = 0; i < options_.depth; ++i) queue(slot, due);
    slot.asked = true;
    if (!slot.session.flush()) fail(slot, now);
  }

  void queue(Slot& slot, Instant due) {
    std::string& out = slot.session.out();
    if (options_.set_share > 0 && share_(random_) < options_.set_share) {
      workload_.append_set(out, pick());
    } else {
      workload_.append_get_start(out);
      for (uint32_t i = 0; i < options_.keys_per_get; ++i) workload_.append_key(out, pick());
      out.append("\r\n");
    }
    slot.session.queued(due);
  }

  uint32_t pick() { return static_cast<uint32_t>((random_() >> 32) * options_.keys >> 32); }

  // An open loop sends what is due by now, on one connection after the other.
  void send_due(Instant now) {
    if (busy_ == 0) return;
    const double per_ns = options_.rate / options_.threads / 1e9;
    while (next_due_ <= now) {
      if (is_storm()) {
        next_due_ = next_due_ + Duration(static_cast<int64_t>(gap_(random_) / per_ns) + 1);
        break_out(now);
        continue;
      }
      Slot* const slot = next_ready();
      if (slot == nullptr) {
        ++report_.errors;  // nobody is connected: the request is lost, not postponed
      } else {
        queue(*slot, next_due_);
        if (!slot->session.flush()) {
          fail(*slot, now);
        } else {
          watch(*slot);
        }
      }
      next_due_ = next_due_ + Duration(static_cast<int64_t>(gap_(random_) / per_ns) + 1);
    }
  }

  // One more connection of a storm.
  void break_out(Instant now) {
    if (idle_.empty()) {
      ++report_.errors;
      report_.last_error = "more connections are needed for this rate";
      return;
    }
    Slot* const slot = idle_.back();
    idle_.pop_back();
    slot->due = now;
    begin(*slot, now);
  }

  Slot* next_ready() {
    for (size_t tried = 0; tried < sessions_.size(); ++tried) {
      cursor_ = (cursor_ + 1) % sessions_.size();
      Slot& slot = *sessions_[cursor_];
      const Session& session = slot.session;
      if (slot.busy && session.state() == Session::State::kReady &&
          session.outstanding() < kMostPipelined) {
        return &slot;
      }
    }
    return nullptr;
  }

  void give_up_late(Instant now) {
    for (auto& slot : sessions_) {
      if (is_storm()) {
        const bool is_late =
            slot->session.state() != Session::State::kClosed && now - slot->due > options_.give_up;
        if (is_late) fail(*slot, now);
        continue;
      }
      const Session& session = slot->session;
      const bool waits = session.outstanding() > 0 || (session.state() != Session::State::kReady &&
                                                       session.state() != Session::State::kClosed);
      if (slot->dead && now >= slot->retry_at) {
        begin(*slot, now);
      } else if (waits && now - session.since() > options_.give_up) {
        report_.last_error = "no answer in time";
        fail(*slot, now);
      }
    }
  }

  const LoadOptions& options_;
  const Workload& workload_;
  const base::Clock& clock_;
  Phase& phase_;
  base::net::UniqueFd epoll_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> share_{0, 1};
  std::exponential_distribution<double> gap_{1};
  std::vector<std::unique_ptr<Slot>> sessions_;
  std::vector<Slot*> idle_;  // in a storm: without a connection
  size_t busy_ = 0;
  size_t cursor_ = 0;
  Instant next_due_;
  bool measuring_ = false;
  LoadReport report_;
};

// Waits until `ready` or the deadline; false when it was the deadline.
bool wait_for(int fd, short events, const base::Clock& clock, Instant deadline) {
  pollfd waits{fd, events, 0};
  const int64_t left = (deadline - clock.now()).count() / 1'000'000;
  return left > 0 && ::poll(&waits, 1, static_cast<int>(left)) > 0;
}

base::Error no_answer(const ServerAddress& server, const std::string& why) {
  return base::Error(base::ErrorCode::kUnavailable, server.text + " " + why,
                     base::Origin::kBackend);
}

// Brings a session to kReady and lets `done` replies come, or says why not.
base::Result<> settle(Session& session, const ServerAddress& server, const base::Clock& clock) {
  const Instant deadline = clock.now() + kAnswerTimeout;
  Latencies ignored;
  while (session.state() != Session::State::kReady || session.outstanding() > 0) {
    const short events = session.wants_to_write() ? short(POLLIN | POLLOUT) : short(POLLIN);
    if (!wait_for(session.fd(), events, clock, deadline)) {
      return no_answer(server, "does not answer within 5 s");
    }
    if (session.state() == Session::State::kConnecting) {
      if (!session.on_connected(clock.now())) return no_answer(server, "refuses the connection");
      continue;
    }
    if (!session.flush()) return no_answer(server, "closed the connection");
    const Session::Heard heard = session.receive(clock.now(), ignored);
    if (heard.lost || heard.errors > 0) {
      return no_answer(server, session.last_error().empty() ? "closed the connection"
                                                            : "answered " + session.last_error());
    }
  }
  return base::Done{};
}

// Every server is reached once before the load begins, and the first stores all keys.
base::Result<> prepare(const LoadOptions& options, const Workload& workload, std::string_view login,
                       const base::Clock& clock) {
  for (const ServerAddress& server : options.servers) {
    Session session(server, login);
    if (!session.connect(clock.now())) return no_answer(server, std::strerror(errno));
    auto ready = settle(session, server, clock);
    if (!ready) return ready;
    const bool fills = options.fill && &server == &options.servers.front();
    for (uint32_t key = 0; fills && key < options.keys;) {
      for (uint32_t i = 0; i < kFillBatch && key < options.keys; ++i, ++key) {
        workload.append_set(session.out(), key);
        session.queued(clock.now());
      }
      if (!session.flush()) return no_answer(server, "closed the connection");
      auto stored = settle(session, server, clock);
      if (!stored) return stored;
    }
  }
  return base::Done{};
}

base::Result<> check(const LoadOptions& options) {
  const auto refuse = [](const std::string& why) {
    return base::Error(base::ErrorCode::kInvalid, why, base::Origin::kClient);
  };
  const size_t digits = std::to_string(options.keys).size();
  if (options.servers.empty()) return refuse("no server to send to");
  if (options.threads == 0 || options.threads > options.connections) {
    return refuse("threads: expected 1 to the number of connections, " +
                  std::to_string(options.connections));
  }
  if (options.key_bytes < kKeyHead.size() + digits ||
      options.key_bytes > base::memcache::kMaxKeyLength) {
    return refuse("key bytes: expected " + std::to_string(kKeyHead.size() + digits) + " to " +
                  std::to_string(base::memcache::kMaxKeyLength) + " for so many keys");
  }
  return base::Done{};
}

// Sleeps on the caller's thread while the generators work.
void pause(Duration wait) {
  ::poll(nullptr, 0, static_cast<int>(wait.count() / 1'000'000));
}

}  // namespace

base::Result<LoadReport> run_load(const LoadOptions& options, const base::Clock& clock,
                                  const LoadMoments& moments) {
  auto possible = check(options);
  if (!possible) return possible.error();
  const Workload workload(options);
  const std::string login = login_of(options);
  auto prepared = prepare(options, workload, login, clock);
  if (!prepared) return prepared.error();
  Phase phase;
  std::vector<std::unique_ptr<Generator>> generators;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < options.threads; ++i) {
    generators.push_back(std::make_unique<Generator>(options, workload, login, clock, phase, i));
  }
  for (auto& generator : generators) {
    threads.emplace_back([&generator] { generator->run(); });
  }
  pause(options.warmup);
  if (moments.warm) moments.warm();
  const Instant began = clock.now();
  phase.measuring = true;
  pause(options.duration);
  if (moments.done) moments.done();
  const Duration took = clock.now() - began;
  phase.over = true;
  for (std::thread& thread : threads) thread.join();
  LoadReport sum;
  sum.began = began;
  sum.took = took;
  for (auto& generator : generators) {
    const LoadReport& one = generator->report();
    sum.requests += one.requests;
    sum.hits += one.hits;
    sum.errors += one.errors;
    sum.connects += one.connects;
    sum.latencies.merge(one.latencies);
    sum.series.resize(std::max(sum.series.size(), one.series.size()));
    for (size_t i = 0; i < one.series.size(); ++i) sum.series[i] += one.series[i];
    if (!one.last_error.empty()) sum.last_error = one.last_error;
  }
  return sum;
}

}  // namespace cli
