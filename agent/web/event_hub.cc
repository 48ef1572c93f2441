#include "agent/web/event_hub.h"

#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

namespace agent::web {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {
constexpr base::Duration kTick = 100ms;  // also the least time between two samples
constexpr base::Duration kWatched = 1s;  // between samples while somebody reads events
constexpr base::Duration kStopPatience = 2s;
}  // namespace

EventHub::EventHub(asio::any_io_executor executor, base::Timers& timers, OperatorApi& api)
    : executor_(std::move(executor)),
      timers_(timers),
      api_(api),
      asked_(timers.clock().now() - kWatched) {}

void EventHub::start() {
  keep_history();
}

asio::awaitable<void> EventHub::stop() {
  gate_.close();
  next_point_.reset();
  readers_.clear();
  co_await gate_.wait_empty(timers_, timers_.clock().now() + kStopPatience);
}

void EventHub::add(std::shared_ptr<base::net::EventStream> reader) {
  // Without a fresh sample the first turn makes one: is_due() sees a reader and an old sample.
  if (is_fresh() && !reader->send("status", sample_->text)) return;
  readers_.push_back(std::move(reader));
  if (std::exchange(sampling_, true)) return;
  base::spawn(executor_, gate_, "status samples", sample_for_readers());
}

bool EventHub::is_fresh() const {
  return sample_ && api_.change_count() == sampled_change_ &&
         timers_.clock().now() - sample_->at < kWatched;
}

bool EventHub::is_due() const {
  if (readers_.empty()) return false;
  const base::Duration age = timers_.clock().now() - asked_;
  return age >= kWatched || !sample_ || api_.change_count() != sampled_change_;
}

void EventHub::keep_history() {
  if (gate_.closed()) return;
  history_.add(api_.rates());
  const base::Instant earliest = timers_.clock().now() + History::kStep / 2;
  next_point_ =
      timers_.alarm(base::next_beat(earliest, History::kStep), [this] { keep_history(); });
}

// Until the last one has gone.
asio::awaitable<void> EventHub::sample_for_readers() {
  while (!gate_.closed()) {
    std::erase_if(readers_, [](const auto& reader) { return !reader->open(); });
    if (readers_.empty()) break;
    if (is_due()) {
      // An error is not shown here: whoever asks for `status` gets it, and the next turn tries again.
      base::Result<> ignored = co_await take_sample();
      static_cast<void>(ignored);
    }
    co_await timers_.wait_for_beat(kTick);
  }
  sampling_ = false;
}

asio::awaitable<base::Result<>> EventHub::take_sample() {
  asked_ = timers_.clock().now();
  const uint64_t change = api_.change_count();
  boost::json::object none;
  std::string verb = "status";
  base::Result<boost::json::value> status = co_await api_.call(std::move(verb), std::move(none));
  if (!status) co_return status.error();
  auto sample = std::make_shared<Sample>();
  sample->text = boost::json::serialize(*status);
  sample->status = *std::move(status);
  sample->at = timers_.clock().now();
  sampled_change_ = change;
  sample_ = std::move(sample);
  send_to_all();
  co_return base::Done{};
}

asio::awaitable<base::Result<std::shared_ptr<const Sample>>> EventHub::fresh() {
  if (!is_fresh()) {
    base::Result<> taken = co_await take_sample();
    if (!taken) co_return taken.error();
  }
  co_return sample_;
}

void EventHub::send_to_all() {
  std::erase_if(readers_,
                [this](const auto& reader) { return !reader->send("status", sample_->text); });
}

}  // namespace agent::web
