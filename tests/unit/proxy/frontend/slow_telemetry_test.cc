#include "proxy/frontend/slow_telemetry.h"

#include <gtest/gtest.h>

#include <memory>

namespace proxy {
namespace {

using base::Duration;
using base::Instant;
using base::operator""ms;
using base::operator""s;
using base::telemetry::DetailBlock;
using base::telemetry::Failure;
using base::telemetry::Operation;
using base::telemetry::SlowCells;
using Fate = SlowTelemetry::Fate;

const Instant kStart{1'000'000'000'000};

SlowRequest request(const char* key = "key") {
  SlowRequest r;
  r.operation = Operation::kGet;
  r.cache = 3;
  r.backend = 5;
  r.read = kStart;
  r.sent = kStart + 2ms;
  r.done = kStart + 40ms;
  r.client = {0, 7};
  r.key = key;
  return r;
}

class SlowTelemetryTest : public testing::Test {
 protected:
  SlowTelemetryTest() { slow.set_policy(20ms, 4, true); }
  std::unique_ptr<DetailBlock> cells = std::make_unique<DetailBlock>();
  SlowTelemetry slow{*cells};
};

TEST_F(SlowTelemetryTest, IsSlowFromTheThresholdOn) {
  EXPECT_FALSE(slow.is_slow(Duration(20ms).count() - 1));
  EXPECT_TRUE(slow.is_slow(Duration(20ms).count()));
  slow.set_policy(Duration(0), 4, true);
  EXPECT_FALSE(slow.is_slow(Duration(3600s).count()));
}

TEST_F(SlowTelemetryTest, KeepsWhereTheTimeWent) {
  SlowRequest failed = request();
  failed.failure = Failure::kBackendTimeout;
  EXPECT_EQ(slow.add(failed), 1u);
  const SlowCells& sample = cells->slow[0];
  EXPECT_EQ(sample.queued_ns.get(), 2'000'000u);
  EXPECT_EQ(sample.backend_ns.get(), 38'000'000u);
  EXPECT_EQ(sample.written_ns.get(), base::telemetry::kUnknownTime);
  EXPECT_EQ(sample.failure.get(), 1 + uint64_t(Failure::kBackendTimeout));
  EXPECT_EQ(sample.backend.get(), 5u);
  EXPECT_EQ(sample.client[1].get(), 7u);
  EXPECT_EQ(base::telemetry::ShownKey::of(sample.key).text, "key");
}

TEST_F(SlowTelemetryTest, NotesWhenTheClientHasItsReply) {
  const uint64_t number = slow.add(request());
  slow.await_writing({number, 1, 2, 3, kStart + 40ms});
  slow.settle(kStart + 41ms, [](const auto&) { return Fate::kWaits; });
  EXPECT_TRUE(slow.has_unwritten());
  slow.settle(kStart + 45ms, [](const auto&) { return Fate::kWritten; });
  EXPECT_FALSE(slow.has_unwritten());
  EXPECT_EQ(cells->slow[0].written_ns.get(), 5'000'000u);
}

TEST_F(SlowTelemetryTest, LeavesItOpenWhenTheClientHasGone) {
  slow.await_writing({slow.add(request()), 1, 2, 3, kStart});
  slow.settle(kStart + 1s, [](const auto&) { return Fate::kGone; });
  EXPECT_FALSE(slow.has_unwritten());
  EXPECT_EQ(cells->slow[0].written_ns.get(), base::telemetry::kUnknownTime);
}

TEST_F(SlowTelemetryTest, DoesNotNoteForASampleWhosePlaceIsTaken) {
  slow.await_writing({slow.add(request()), 1, 2, 3, kStart});
  for (size_t i = 0; i < base::telemetry::kSlowSlots; ++i) slow.add(request());
  slow.settle(kStart + 1s, [](const auto&) { return Fate::kWritten; });
  EXPECT_EQ(cells->slow[0].number.get(), base::telemetry::kSlowSlots + 1);
  EXPECT_EQ(cells->slow[0].written_ns.get(), base::telemetry::kUnknownTime);
}

TEST_F(SlowTelemetryTest, CountsAllAndKeepsAFew) {
  int kept = 0;
  for (int i = 0; i < 1000; ++i) kept += slow.admit(kStart + Duration(i * 1'000'000)) ? 1 : 0;
  EXPECT_EQ(cells->slow_seen.get(), 1000u);
  EXPECT_EQ(kept, 4 + 3);  // a second's worth at once, then one each quarter of a second
}

TEST_F(SlowTelemetryTest, ReloadingGivesNoNewAllowance) {
  while (slow.admit(kStart)) {
  }
  slow.set_policy(20ms, 4, true);
  EXPECT_FALSE(slow.admit(kStart));
}

TEST_F(SlowTelemetryTest, ForgetsTextsWhenTurnedOffOrToldToHash) {
  const auto text = [&] { return base::telemetry::ShownKey::of(cells->slow[0].key).text; };
  slow.add(request("secret"));
  slow.set_policy(30ms, 4, true);
  EXPECT_EQ(text(), "secret");
  slow.set_policy(Duration(0), 4, true);
  EXPECT_EQ(text(), "");
  EXPECT_EQ(cells->slow[0].key.text[0].get(), 0u);
  EXPECT_NE(cells->slow[0].key.hash.get(), 0u);

  slow.set_policy(20ms, 4, true);
  for (size_t i = 0; i < base::telemetry::kSlowSlots; ++i) slow.add(request("secret"));
  EXPECT_EQ(text(), "secret");
  slow.set_policy(20ms, 4, false);
  EXPECT_EQ(text(), "");
}

TEST_F(SlowTelemetryTest, HoldsABoundedNumberOfUnwrittenOnes) {
  for (int i = 0; i < 1000; ++i) slow.await_writing({slow.add(request()), 1, 2, 3, kStart});
  int asked = 0;
  slow.settle(kStart, [&](const auto&) {
    ++asked;
    return Fate::kWritten;
  });
  EXPECT_EQ(asked, 16);
}

}  // namespace
}  // namespace proxy
