#include "agent/coord/reconciler.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/coord/bench.h"

namespace agent::coord {
namespace {

using namespace std::chrono_literals;

class ReconcilerTest : public ::testing::Test {
 protected:
  // How often it was asked for its status in that time.
  size_t asked_in(base::Duration time) {
    const size_t before = bench_.proxies.at("amber-proxy-1").asked;
    bench_.timers.run_for(time);
    return bench_.proxies.at("amber-proxy-1").asked - before;
  }
  void start(bool vouches) {
    vouches_ = vouches;
    bench_.restart();
    bench_.coordinator->reconciler().set_witness(
        [this](const std::string&, const ProxyStatus& known) {
          known_ = known;
          return vouches_;
        });
    bench_.timers.run_for(10s);
  }

  Bench bench_;
  bool vouches_ = false;
  ProxyStatus known_;  // as the witness was last asked about
};

TEST_F(ReconcilerTest, AsksAProxyOnceASecond) {
  start(false);
  EXPECT_NEAR(static_cast<double>(asked_in(60s)), 60 / 1.1, 6);
}

TEST_F(ReconcilerTest, AsksSeldomWhileItsTelemetryVouches) {
  start(true);
  EXPECT_NEAR(static_cast<double>(asked_in(60s)), 12, 2);
  EXPECT_EQ(known_.committed, bench_.committed());
  vouches_ = false;
  EXPECT_GE(asked_in(1100ms), 1u) << "nobody vouches any more";
}

TEST_F(ReconcilerTest, TellsAVouchedProxyAtOnceWhatIsNew) {
  start(true);
  // Of tenants nobody tells a proxy but the reconciler.
  Tenants& tenants = bench_.coordinator->tenants();
  for (int i = 0; i < 20; ++i) {
    bench_.timers.run_for(730ms);  // at any time between two questions
    const auto issued = bench_.run(tenants.create_credential(1, Capabilities()));
    ASSERT_TRUE(issued.ok());
    bench_.timers.run_for(kLookEvery);
    EXPECT_TRUE(bench_.proxies.at("amber-proxy-1").users.contains(issued->credential.user)) << i;
  }
}

TEST_F(ReconcilerTest, FindsAVouchedProxySilentWithinFiveSeconds) {
  start(true);
  bench_.proxies.at("amber-proxy-1").silent = true;
  bench_.timers.run_for(kAskVouchedEvery + kStatusTimeout + 2 * kLookEvery);
  EXPECT_NE(bench_.coordinator->sync().known("amber-proxy-1").silent_since.ns, 0);
}

// Looks at backends that hold their records.
class ReconcilerCalm : public ReconcilerTest {
 protected:
  static constexpr const char* kId = "amber-backend-1";
  FenceRecords& fences() { return bench_.coordinator->fences(); }
  bool holds() { return fences().held_since(kId, fences().wanted("amber")).has_value(); }
  // Until just after the first look behind a reading of the record: then it is calm for longest.
  void begin_calm() {
    const auto next = [this](const auto& count) {
      const auto before = count();
      for (int i = 0; i < 10'000 && count() == before; ++i) bench_.timers.run_for(1ms);
      ASSERT_NE(count(), before);
    };
    next([this] { return bench_.backends.at(kId).raises; });
    next([this] { return bench_.backends.at(kId).looks; });
    ASSERT_TRUE(holds());
  }
};

TEST_F(ReconcilerCalm, LooksAtABackendThreeTimesASecondWhileNothingMoreIsDemanded) {
  start(true);
  const size_t before = bench_.backends.at(kId).looks;
  bench_.timers.run_for(60s);
  EXPECT_NEAR(static_cast<double>(bench_.backends.at(kId).looks - before), 60 * 3.5, 60);
}

TEST_F(ReconcilerCalm, ANewDemandEndsIt) {
  start(true);
  begin_calm();
  // Without Flushes, who would raise the record himself.
  ASSERT_TRUE(bench_.run(bench_.coordinator->tenants().bump("amber", {}, {})).ok());
  ASSERT_FALSE(holds());
  bench_.timers.run_for(kLookEvery);
  EXPECT_TRUE(holds());
}

TEST_F(ReconcilerCalm, ALossEndsIt) {
  start(true);
  begin_calm();
  fences().forget(kId);
  ASSERT_FALSE(holds());
  bench_.timers.run_for(kLookEvery);
  EXPECT_TRUE(holds());
}

}  // namespace
}  // namespace agent::coord
