#include "proxy/backend/loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/time/thread_time.h"

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

// The number of events, 0 when it is time for a tick or there is mail.
int Loop::wait(std::span<epoll_event> events, base::Instant next_tick) {
  for (;;) {
    base::Instant now = clock_.now();
    // Mail that came after the last look, whose wake-up was among the events of that turn.
    const bool has_mail = has_mail_.load(std::memory_order_acquire);
    if (!has_mail && coalescing_.is_on()) let_gather(now);
    const bool polls = now < last_event_ + policy_.busy_poll && now < next_tick;
    const int64_t left_ms = std::max<int64_t>(0, ((next_tick - now).count() + 999'999) / 1'000'000);
    const int64_t wait_ms = has_mail || polls ? 0 : left_ms;
    const int count = ::epoll_wait(epoll_.get(), events.data(), int(events.size()), int(wait_ms));
    CHECK(count >= 0 || errno == EINTR);
    if (count > 0 || has_mail || !polls) return std::max(0, count);
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
    const base::Instant now = clock_.now();
    looked_ = now;
    if (count > 0) last_event_ = now;
    ++turns_;
    turns.begin_turn(now);
    if (has_mail_.exchange(false, std::memory_order_acquire)) run_posted();
    for (int i = 0; i < count; ++i) {
      auto* const source = static_cast<Source*>(events[size_t(i)].data.ptr);
      if (source == nullptr) {
        forget_wake_ups();
      } else {
        source->on_ready(events[size_t(i)].events);
      }
    }
    if (now >= next_tick) {
      coalescing_.on_tick(now, {thread_time.wanted(), turns_, turns.messages()});
      turns.tick(now);
      next_tick = now + kTick;
    }
    turns.end_turn();
  }
}

}  // namespace proxy
