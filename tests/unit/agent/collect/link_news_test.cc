// When a reading of a proxy's segment tells of a link: each time while something is amiss with it, else once
// a second.
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/collect/proxy_telemetry.h"
#include "tests/support/temp_dir.h"

namespace agent::collect {
namespace {

using std::chrono::milliseconds;

class LinkNews : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = base::telemetry::SegmentWriter::create(path_, "amber-proxy-1", "amber", 2);
    ASSERT_TRUE(created.ok());
    writer_ = std::move(*created);
    backend_ = *writer_->backend_index("amber-backend-1");
    connect(0, true);
    connect(1, true);
    ASSERT_TRUE(read()) << "the first reading";
  }
  void connect(uint32_t worker, bool connected) {
    writer_->worker(worker).backends[backend_].connected.set(connected ? 1 : 0);
  }
  // The oldest request of a worker is that old at the next reading; 0: none is under way.
  void wait(uint32_t worker, base::Duration age) {
    const base::Instant since = now_ + kEvery - age;
    writer_->worker(worker).backends[backend_].oldest_in_flight_ns.set(
        age.count() == 0 ? 0 : static_cast<uint64_t>(since.ns));
  }
  // The next reading. Whether it told of the link; then oldest_ and connected_ are what it told.
  bool read() {
    now_ = now_ + kEvery;
    std::vector<series::Sample> samples;
    telemetry_.read(::getpid(), now_, samples);
    int told = 0;
    for (const series::Sample& sample : samples) {
      const bool is_oldest = sample.key.name == "backend_oldest_in_flight_seconds";
      if (!is_oldest && sample.key.name != "backend_connected") continue;
      EXPECT_EQ(sample.key.backend, "amber-backend-1");
      EXPECT_EQ(sample.at, now_);
      (is_oldest ? oldest_ : connected_) = sample.value;
      ++told;
    }
    EXPECT_TRUE(told == 0 || told == 2) << "each once, or neither";
    return told == 2;
  }
  // Of so many readings.
  int count_told(int readings) {
    int told = 0;
    for (int i = 0; i < readings; ++i) told += read() ? 1 : 0;
    return told;
  }

  static constexpr base::Duration kEvery = milliseconds(100);
  test::TempDir dir_;
  const std::string path_ = dir_.file("p.seg");
  std::unique_ptr<base::telemetry::SegmentWriter> writer_;
  uint32_t backend_ = 0;
  base::Instant now_{1'000'000'000'000};
  ProxyTelemetry telemetry_{path_, "amber", "amber-proxy-1"};
  double oldest_ = -1;
  double connected_ = -1;
};

TEST_F(LinkNews, IsToldOnceASecondWhileAllIsWell) {
  EXPECT_EQ(count_told(9), 0);
  EXPECT_TRUE(read());
  EXPECT_EQ(oldest_, 0);
  EXPECT_EQ(connected_, 1);
  EXPECT_EQ(count_told(50), 5);
}

TEST_F(LinkNews, IsToldAtEachReadingWhileARequestIsOld) {
  wait(0, milliseconds(99));
  EXPECT_FALSE(read());
  wait(0, milliseconds(0));
  wait(1, milliseconds(100));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(read()) << i;
    EXPECT_NEAR(oldest_, 0.1 * (i + 1), 1e-6);
  }
}

TEST_F(LinkNews, IsToldOnceMoreWhenNoRequestIsOldAnyMore) {
  wait(0, milliseconds(400));
  ASSERT_TRUE(read());
  wait(0, milliseconds(20));
  ASSERT_TRUE(read()) << "or it would be thought to wait on for a second";
  EXPECT_NEAR(oldest_, 0.02, 1e-6);
  wait(0, milliseconds(0));
  EXPECT_EQ(count_told(9), 0);
  EXPECT_TRUE(read());
}

TEST_F(LinkNews, IsToldWhenTheShareOfWorkersThatAreConnectedChanges) {
  connect(1, false);
  ASSERT_TRUE(read());
  EXPECT_EQ(connected_, 0.5);
  EXPECT_FALSE(read());
  connect(0, false);
  ASSERT_TRUE(read());
  EXPECT_EQ(connected_, 0);
  EXPECT_FALSE(read());
  connect(0, true);
  ASSERT_TRUE(read());
  EXPECT_EQ(connected_, 0.5);
  connect(0, false);
  connect(1, true);
  EXPECT_FALSE(read()) << "as many as before";
}

}  // namespace
}  // namespace agent::collect
