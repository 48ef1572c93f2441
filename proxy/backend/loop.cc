#include "proxy/backend/loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace proxy {
namespace {

constexpr size_t kEventsPerTurn = 256;

base::Error os_error(const char* what) {
  return base::Error(base::ErrorCode::kExhausted, std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

base::Result<std::unique_ptr<Loop>> Loop::create(base::Clock& clock) {
  base::net::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return os_error("cannot make an epoll descriptor");
  base::net::UniqueFd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return os_error("cannot make an event descriptor");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the mailbox
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    return os_error("cannot watch an event descriptor");
  }
  return std::unique_ptr<Loop>(new Loop(clock, std::move(epoll), std::move(wake)));
}

base::Result<> Loop::watch(int fd, Source& source, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return os_error("cannot watch a socket");
  }
  return base::Done{};
}

void Loop::change(int fd, Source& source, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::forget(int fd) {
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0);
}

void Loop::set_policy(const LoopPolicy& policy) {
  policy_ = policy;
  coalescing_.set_window(policy.coalesce);
  polling_.set_policy(policy.busy_poll, policy.busy_poll_when);
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  has_mail_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  // Full only after 2^64 - 1 unread posts; then it is readable anyway.
  [[maybe_unused]] const ssize_t wrote = ::write(wake_.get(), &one, sizeof one);
}

void Loop::stop() {
  post([this] { stopping_ = true; });
}

void Loop::forget_wake_ups() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
}

void Loop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const std::function<void()>& one : work) one();
}

void Loop::let_gather(base::Instant now) {
  const base::Duration rest = coalescing_.wait(looked_, now);
  if (rest == base::Duration(0)) return;
  pollfd mail{wake_.get(), POLLIN, 0};
  const timespec timeout{0, rest.count()};
  ::ppoll(&mail, 1, &timeout, nullptr);
}

// Until a moment to the microsecond, or a tick to the millisecond.
int Loop::wait_until(std::span<epoll_event> events, base::Instant now, base::Instant next_tick) {
  int64_t wait_ms = std::max<int64_t>(0, ((next_tick - now).count() + 999'999) / 1'000'000);
  if (wake_by_ && *wake_by_ < next_tick) {
    const int64_t left = std::max<int64_t>(0, (*wake_by_ - now).count());
    pollfd all{epoll_.get(), POLLIN, 0};
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    ::ppoll(&all, 1, &timeout, nullptr);
    wait_ms = 0;
  }
  return ::epoll_wait(epoll_.get(), events.data(), int(events.size()), int(wait_ms));
}

// The number of events, 0 when it is time for a tick or to wake up, or there is mail.
int Loop::wait(std::span<epoll_event> events, base::Instant next_tick) {
  base::Instant looked;
  for (bool polled = false;;) {
    const base::Instant now = clock_.now();
    if (polled) polled_ += now - looked;
    looked = now;
    // Mail that came after the last look, whose wake-up was among the events of that turn.
    const bool has_mail = has_mail_.load(std::memory_order_acquire);
    if (!has_mail && coalescing_.is_on()) let_gather(now);
    const base::Instant until = wake_by_ ? std::min(*wake_by_, next_tick) : next_tick;
    const bool polls = now < last_event_ + polling_.window() && now < until;
    const bool sleeps = !has_mail && !polls && now < until;
    const int count = sleeps ? wait_until(events, now, next_tick)
                             : ::epoll_wait(epoll_.get(), events.data(), int(events.size()), 0);
    CHECK(count >= 0 || errno == EINTR);
    fell_asleep_ = sleeps ? now : base::Instant();
    if (count > 0 || has_mail || !polls) return std::max(0, count);
    polled = true;
  }
}

// The first part of a turn: everything that came.
void Loop::take(Turns& turns, std::span<const epoll_event> events) {
  looked_ = clock_.now();
  wake_by_.reset();
  if (!events.empty()) {
    last_event_ = looked_;
    if (fell_asleep_ != base::Instant()) polling_.on_wait(looked_ - fell_asleep_);
  }
  ++turns_;
  turns.begin_turn(looked_);
  if (has_mail_.exchange(false, std::memory_order_acquire)) run_posted();
  if (events.size() == kEventsPerTurn) turns.begin_crowded();
  for (const epoll_event& event : events) {
    auto* const source = static_cast<Source*>(event.data.ptr);
    if (source == nullptr) {
      forget_wake_ups();
    } else {
      source->on_ready(event.events);
    }
  }
}

void Loop::run(Turns& turns) {
  // Short sleeps must end when they should, not up to 50 us later.
  ::prctl(PR_SET_TIMERSLACK, 1);
  std::array<epoll_event, kEventsPerTurn> events;
  const base::ThreadTime thread_time;
  base::Instant next_tick = clock_.now();
  while (!stopping_) {
    const int count = wait(events, next_tick);
    take(turns, {events.data(), size_t(count)});
    const base::Instant now = looked_;
    if (now >= next_tick) {
      const base::ThreadTime::Spent spent = thread_time.spent();
      const base::Duration ran = base::ThreadTime::ran();
      const base::Duration wanted = spent.wanted() - polled_;
      spent_ = {ran - polled_, spent.waited};
      coalescing_.on_tick(now, {wanted, turns_, turns.messages()});
      polling_.on_tick(now, {ran, wanted, turns.messages()}, !coalescing_.is_on());
      turns.tick(now);
      next_tick = now + kTick;
    }
    turns.end_turn();
  }
}

void Loop::turn(Turns& turns) {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), int(events.size()), 0);
  CHECK(count >= 0 || errno == EINTR);
  take(turns, {events.data(), size_t(std::max(0, count))});
  turns.end_turn();
}

}  // namespace proxy
