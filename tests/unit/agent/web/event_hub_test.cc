#include "agent/web/event_hub.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/support/fake_operator_api.h"
#include "tests/support/manual_time.h"

namespace agent::web {
namespace {

using namespace std::chrono_literals;

class FakeStream final : public base::net::EventStream {
 public:
  bool send(std::string_view event, std::string_view data) override {
    if (!open_) return false;
    events.emplace_back(event, data);
    return true;
  }
  bool open() const override { return open_; }
  void close() { open_ = false; }

  std::vector<std::pair<std::string, std::string>> events;

 private:
  bool open_ = true;
};

class EventHubTest : public ::testing::Test {
 protected:
  EventHubTest() {
    api_.answer("status", test::sample_status());
    hub_.start();
    timers_.run_ready();
  }
  // Somebody reads the page.
  void read() {
    boost::asio::co_spawn(
        io_,
        [](EventHub& hub) -> boost::asio::awaitable<void> {
          auto sample = co_await hub.fresh();
          EXPECT_TRUE(sample.ok());
        }(hub_),
        boost::asio::detached);
    timers_.run_ready();
  }
  ~EventHubTest() override {
    boost::asio::co_spawn(io_, hub_.stop(), boost::asio::detached);
    timers_.run_for(1s);
  }
  std::shared_ptr<FakeStream> reader() {
    auto stream = std::make_shared<FakeStream>();
    hub_.add(stream);
    return stream;
  }

  boost::asio::io_context io_;
  test::ManualClock clock_;
  test::ManualTimers timers_{io_, clock_};
  test::FakeOperatorApi api_;
  EventHub hub_{io_.get_executor(), timers_, api_};
};

TEST_F(EventHubTest, ANewReaderHearsAtOnceWhatIsFresh) {
  read();
  const auto stream = reader();
  ASSERT_EQ(stream->events.size(), 1u);
  EXPECT_EQ(stream->events[0].first, "status");
  EXPECT_TRUE(stream->events[0].second.starts_with("{\"region\":\"local\""));
}

TEST_F(EventHubTest, ANewReaderWaitsAtMostATickForAFreshSample) {
  read();
  timers_.run_for(1500ms);
  const auto stream = reader();
  EXPECT_TRUE(stream->events.empty());
  timers_.run_for(100ms);
  EXPECT_EQ(stream->events.size(), 1u);
}

TEST_F(EventHubTest, ManyReadersShareOneComputation) {
  read();
  std::vector<std::shared_ptr<FakeStream>> streams;
  for (int i = 0; i < 30; ++i) streams.push_back(reader());
  const size_t before = api_.count("status");
  timers_.run_for(10s);
  EXPECT_EQ(api_.count("status") - before, 10u);
  for (const auto& stream : streams) EXPECT_EQ(stream->events.size(), 11u);
}

TEST_F(EventHubTest, SendsEachChangeWithinATickAndNoFaster) {
  read();
  const auto stream = reader();
  api_.change();
  timers_.run_for(100ms);
  EXPECT_EQ(stream->events.size(), 2u);
  for (int i = 0; i < 50; ++i) api_.change();
  timers_.run_for(100ms);
  EXPECT_EQ(stream->events.size(), 3u);
}

TEST_F(EventHubTest, AReadOfThePageDoesNotHideAChangeFromReaders) {
  read();
  const auto stream = reader();
  api_.change();
  read();
  EXPECT_EQ(stream->events.size(), 2u);
}

TEST_F(EventHubTest, AsksNothingButTheRatesWhenNobodyReads) {
  api_.rate({"amber", "amber-proxy-1", 7});
  timers_.run_for(10s);
  EXPECT_EQ(api_.count("status"), 0u);
  EXPECT_EQ(hub_.history().of("cluster/amber"), (std::deque<double>{7, 7, 7, 7, 7}));
}

TEST_F(EventHubTest, ForgetsReadersThatAreGone) {
  const auto stays = reader();
  const auto goes = reader();
  goes->close();
  timers_.run_for(1100ms);
  EXPECT_EQ(hub_.readers(), 1u);
}

TEST_F(EventHubTest, SamplesFromTheFirstReaderToTheLastAndAgainForTheNext) {
  const auto first = reader();
  timers_.run_for(1s);
  EXPECT_FALSE(first->events.empty());
  first->close();
  timers_.run_for(100ms);
  EXPECT_EQ(hub_.readers(), 0u);
  const size_t before = api_.count("status");
  api_.change();
  timers_.run_for(10s);
  EXPECT_EQ(api_.count("status"), before);
  const auto next = reader();
  timers_.run_ready();
  EXPECT_EQ(next->events.size(), 1u);
  timers_.run_for(5s);
  EXPECT_EQ(next->events.size(), 6u);
}

TEST_F(EventHubTest, HasRoomForSixtyFourReaders) {
  for (size_t i = 0; i < EventHub::kMaxReaders; ++i) {
    EXPECT_TRUE(hub_.has_room());
    reader();
  }
  EXPECT_FALSE(hub_.has_room());
}

TEST_F(EventHubTest, KeepsReadersThroughAStatusThatFails) {
  read();
  const auto stream = reader();
  api_.fail("status", base::Error(base::ErrorCode::kUnavailable, "not yet"));
  timers_.run_for(3s);
  EXPECT_EQ(stream->events.size(), 1u);
  api_.answer("status", test::sample_status());
  timers_.run_for(1100ms);
  EXPECT_EQ(stream->events.size(), 2u);
}

}  // namespace
}  // namespace agent::web
