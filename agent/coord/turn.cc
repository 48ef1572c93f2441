#include "agent/coord/turn.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <deque>

namespace agent::coord {
namespace {

using Wake = boost::asio::experimental::channel<void(boost::system::error_code)>;

void wake(Wake& channel) {
  channel.try_send(boost::system::error_code());
}

boost::asio::awaitable<void> sleep_until_woken(std::shared_ptr<Wake> channel) {
  // An error here is a cancellation, which must end the coroutine as it would anywhere else.
  co_await channel->async_receive(boost::asio::use_awaitable);
}

}  // namespace

struct Turn::State {
  explicit State(boost::asio::any_io_executor e) : executor(std::move(e)) {}
  boost::asio::any_io_executor executor;
  bool taken = false;
  std::deque<std::weak_ptr<Wake>> waiters;
};

Turn::Turn(boost::asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {}

void Turn::wake_next(State& state) {
  while (!state.waiters.empty()) {
    const auto next = state.waiters.front().lock();
    state.waiters.pop_front();
    if (next == nullptr) continue;  // its coroutine was cancelled
    wake(*next);
    break;
  }
}

boost::asio::awaitable<Turn::Held> Turn::take() {
  // A waiter that is cancelled after it was woken passes the wake-up on, or the others would sleep
  // on.
  struct PassOn {
    explicit PassOn(std::shared_ptr<State> s) : state(std::move(s)) {}
    PassOn(const PassOn&) = delete;
    ~PassOn() {
      if (!state->taken) wake_next(*state);
    }
    std::shared_ptr<State> state;
  };
  const PassOn pass_on(state_);
  const std::shared_ptr<State> state = state_;
  while (state->taken) {
    auto channel = std::make_shared<Wake>(state->executor, 1);
    state->waiters.push_back(channel);
    co_await sleep_until_woken(std::move(channel));
  }
  state->taken = true;
  co_return Held(state);
}

Turn::Held Turn::try_take() {
  if (state_->taken) return {};
  state_->taken = true;
  return Held(state_);
}

Turn::Held::~Held() {
  if (state_ == nullptr) return;
  state_->taken = false;
  wake_next(*state_);
}

boost::asio::awaitable<void> run_all(boost::asio::any_io_executor executor,
                                     std::vector<boost::asio::awaitable<void>> works) {
  if (works.empty()) co_return;
  auto left = std::make_shared<size_t>(works.size());
  auto done = std::make_shared<Wake>(executor, 1);
  for (auto& work : works) {
    auto on_end = [left, done](std::exception_ptr) {
      if (--*left == 0) wake(*done);
    };
    boost::asio::co_spawn(executor, std::move(work), std::move(on_end));
  }
  co_await sleep_until_woken(done);
}

struct Signal::State {
  explicit State(boost::asio::any_io_executor e) : executor(std::move(e)) {}
  boost::asio::any_io_executor executor;
  std::vector<std::weak_ptr<Wake>> waiters;
};

Signal::Signal(boost::asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {}
Signal::~Signal() = default;

void Signal::notify() {
  for (const auto& waiter : std::exchange(state_->waiters, {})) {
    if (const auto channel = waiter.lock()) wake(*channel);
  }
}

boost::asio::awaitable<void> Signal::wait() {
  const std::shared_ptr<State> state = state_;
  auto channel = std::make_shared<Wake>(state->executor, 1);
  // Waiters that lost a race against a timer are swept here, so that the list stays short.
  std::erase_if(state->waiters, [](const auto& waiter) { return waiter.expired(); });
  state->waiters.push_back(channel);
  co_await sleep_until_woken(std::move(channel));
}

boost::asio::awaitable<void> nap(base::Timers& timers, base::Instant until) {
  try {
    co_await timers.wait_until(until);
  } catch (const boost::system::system_error&) {
  }
}

boost::asio::awaitable<Turn::Held> take_by(Turn& turn, base::Timers& timers, base::Instant until) {
  using namespace boost::asio::experimental::awaitable_operators;  // NOLINT: for ||
  if (Turn::Held held = turn.try_take(); held.holds()) co_return held;
  auto first = co_await (turn.take() || nap(timers, until));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return Turn::Held();
}

boost::asio::awaitable<void> wait_signal(Signal& signal, base::Timers& timers,
                                         base::Instant until) {
  using namespace boost::asio::experimental::awaitable_operators;  // NOLINT: for ||
  co_await (signal.wait() || nap(timers, until));
}

}  // namespace agent::coord
