#include "agent/collect/backend_probes.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "tests/support/fake_region.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::collect {
namespace {

struct Bench {
  test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  base::Gate gate;
  coord::Region region{test::small_region(dir.path())};
  test::FakeBackends backends{timers};
  std::map<std::string, BackendFigures> figures;
  std::vector<series::Sample> samples;
  std::unique_ptr<BackendProbes> probes;

  explicit Bench(base::Duration pace = std::chrono::milliseconds(500)) {
    for (const std::string id : {"amber-backend-1", "amber-backend-2"}) {
      figures[id].id = id;
      region.started(id, 100, "token", clock.wall());
    }
    probes = std::make_unique<BackendProbes>(BackendProbes::Surroundings{
        io.get_executor(), gate, timers, region, backends, figures, [pace] { return pace; },
        [this](const std::vector<series::Sample>& news) {
          samples.insert(samples.end(), news.begin(), news.end());
        }});
    probes->start();
  }
  ~Bench() {
    gate.close();
    timers.run_for(std::chrono::seconds(5));
  }
  // For a second, with a canary of all each half of it.
  void second(bool with_canaries) {
    for (int i = 0; i < 2; ++i) {
      if (with_canaries) {
        probes->vouched("amber-backend-1");
        probes->vouched("amber-backend-2");
      }
      timers.run_for(std::chrono::milliseconds(500));
    }
  }
  int count(const std::string& id, bool answered) const {
    int count = 0;
    for (const series::Sample& sample : samples) {
      EXPECT_EQ(sample.key.name, "backend_probe_ok");
      count += sample.key.backend == id && (sample.value == 1) == answered ? 1 : 0;
    }
    return count;
  }
};

TEST(BackendProbes, AskTwiceASecondAndHalfAsOftenWhileCanariesVouch) {
  Bench bench;
  for (int i = 0; i < 10; ++i) bench.second(false);
  EXPECT_NEAR(bench.backends.at("amber-backend-1").probes, 20, 1);
  EXPECT_EQ(bench.count("amber-backend-1", true), bench.backends.at("amber-backend-1").probes);
  EXPECT_TRUE(bench.figures["amber-backend-1"].probe_ok);
  const int before = bench.backends.at("amber-backend-1").probes;
  for (int i = 0; i < 10; ++i) bench.second(true);
  EXPECT_NEAR(bench.backends.at("amber-backend-1").probes - before, 10, 1);
}

TEST(BackendProbes, AskNoMoreSeldomThanTheBrownOutSaysWhileCanariesVouch) {
  for (const int seconds : {1, 2}) {
    Bench bench{std::chrono::seconds(seconds)};
    for (int i = 0; i < 20; ++i) bench.second(true);
    EXPECT_NEAR(bench.backends.at("amber-backend-1").probes, 20 / seconds, 1) << seconds;
  }
}

TEST(BackendProbes, AskAtOnceWhenACanaryIsInDoubtAndThenTwiceASecond) {
  Bench bench;
  for (int i = 0; i < 4; ++i) bench.second(true);
  bench.timers.run_for(std::chrono::milliseconds(150));
  const int before = bench.backends.at("amber-backend-1").probes;
  bench.probes->doubt("amber-proxy-1", true);
  bench.timers.run_ready();
  EXPECT_EQ(bench.backends.at("amber-backend-1").probes, before + 1);
  EXPECT_EQ(bench.backends.at("amber-backend-2").probes, before + 1);
  bench.probes->doubt("amber-proxy-1", true);
  bench.timers.run_ready();
  EXPECT_EQ(bench.backends.at("amber-backend-1").probes, before + 1) << "of each doubt once";
  for (int i = 0; i < 4; ++i) bench.second(true);
  EXPECT_NEAR(bench.backends.at("amber-backend-1").probes - before, 9, 1);
  const int doubted = bench.backends.at("amber-backend-1").probes;
  bench.probes->doubt("amber-proxy-1", false);
  for (int i = 0; i < 10; ++i) bench.second(true);
  EXPECT_NEAR(bench.backends.at("amber-backend-1").probes - doubted, 10, 1);
}

TEST(BackendProbes, AskOnceWhenTwoProxiesAreInDoubtAtOnce) {
  Bench bench;
  bench.second(false);
  bench.timers.run_for(std::chrono::milliseconds(150));
  bench.backends.at("amber-backend-1").silent = true;
  bench.samples.clear();
  const int before = bench.backends.at("amber-backend-1").probes;
  bench.probes->doubt("amber-proxy-1", true);
  bench.probes->doubt("amber-proxy-2", true);
  bench.timers.run_for(std::chrono::milliseconds(955));  // its answer is waited for so long
  EXPECT_EQ(bench.backends.at("amber-backend-1").probes, before + 1);
  EXPECT_EQ(bench.count("amber-backend-1", false), 1);
}

TEST(BackendProbes, WaitForWhoIsSilentWithoutKeepingTheOthers) {
  Bench bench;
  bench.second(false);
  bench.backends.at("amber-backend-1").silent = true;
  bench.samples.clear();
  for (int i = 0; i < 10; ++i) bench.second(true);
  EXPECT_FALSE(bench.figures["amber-backend-1"].probe_ok);
  EXPECT_EQ(bench.count("amber-backend-1", true), 0);
  EXPECT_GE(bench.count("amber-backend-1", false), 9) << "once a second";
  EXPECT_EQ(bench.count("amber-backend-2", false), 0);
  EXPECT_GE(bench.count("amber-backend-2", true), 9);
}

TEST(BackendProbes, SayNothingOfAProcessThatEndedMeanwhile) {
  Bench bench;
  bench.second(false);
  bench.backends.at("amber-backend-1").silent = true;
  bench.timers.run_for(std::chrono::milliseconds(600));  // it has been asked
  bench.samples.clear();
  bench.region.ended("amber-backend-1", "killed", bench.clock.wall());
  bench.timers.run_for(std::chrono::milliseconds(1000));
  EXPECT_EQ(bench.count("amber-backend-1", false), 0);
  EXPECT_FALSE(bench.figures["amber-backend-1"].probe_ok);
  bench.timers.run_for(std::chrono::seconds(3));
  EXPECT_EQ(bench.count("amber-backend-1", false), 0) << "who is not there is not asked";
}

}  // namespace
}  // namespace agent::collect
