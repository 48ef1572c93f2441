#include "agent/app/facts.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>

#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::app {
namespace {

using namespace std::chrono_literals;
using coord::ProcessState;
using runbook::ParamType;

struct FactsBench {
  test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  test::FakeStore store;
  coord::Region region{test::small_region(dir.path())};
  coord::SecretBox box = coord::SecretBox::open(dir.file("secret.key")).value();
  coord::TableJournal journal{region, store};
  coord::Tenants tenants{io.get_executor(), region, store, box, clock};
  collect::Snapshot snapshot;
  incident::IncidentBook book{incident::BookPolicy{}};
  RegionFacts facts{region, journal, tenants, snapshot, book, clock};

  FactsBench() {
    load(journal.load());
    load(tenants.load());
    for (const coord::Process* process : region.processes()) {
      region.started(process->id, 100, "token", clock.wall());
      region.set_state(process->id, ProcessState::kUp);
      if (process->kind == coord::Kind::kBackend) snapshot.backends[process->id].probe_ok = true;
    }
    for (const char* id : {"amber-proxy-1", "amber-proxy-2"}) {
      collect::ProxyFigures& figures = snapshot.proxies[id];
      figures.measured = true;
      figures.connections = 1000;
      figures.telemetry_age_seconds = 0.1;
    }
  }
  void load(boost::asio::awaitable<base::Result<>> work) {
    bool done = false;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr failed, base::Result<> r) {
      done = !failed && r.ok();
    });
    timers.run_ready();
    EXPECT_TRUE(done);
  }
  incident::Moment now() const { return {clock.now(), clock.wall()}; }
  std::vector<incident::Verdict> dead(const std::string& proxy) const {
    incident::Verdict verdict;
    verdict.type = incident::Type::kProxyDead;
    verdict.scope.cluster = "amber";
    verdict.scope.proxy = proxy;
    verdict.since = clock.now();
    return {verdict};
  }
};

TEST(RegionFacts, KnowWhoServesAndWhoIsProvenDead) {
  FactsBench bench;
  bench.region.ended("amber-proxy-1", "killed by signal 9", bench.clock.wall());
  const auto dead = bench.facts.target(ParamType::kProxy, "amber-proxy-1").value();
  EXPECT_TRUE(dead.proven_dead);
  EXPECT_FALSE(dead.serving);
  EXPECT_EQ(dead.cluster, "amber");
  const auto live = bench.facts.target(ParamType::kProxy, "amber-proxy-2").value();
  EXPECT_TRUE(live.serving);
  EXPECT_EQ(live.fields.at("address").as_string(), "127.0.1.2");
  const auto cluster = bench.facts.target(ParamType::kCluster, "amber").value();
  EXPECT_EQ(cluster.fields.at("dead_proxies").as_array().size(), 1u);
  EXPECT_EQ(bench.facts.target(ParamType::kBackend, "amber-proxy-1").code(),
            base::ErrorCode::kNotFound);
}

TEST(RegionFacts, FindCachesByNumberOnly) {
  FactsBench bench;
  const base::CacheId id = bench.tenants.first_cache()->id;
  EXPECT_TRUE(bench.facts.target(ParamType::kCache, std::to_string(id)).ok());
  for (const char* wrong : {"", "x", "-1", "99999999999", "4000"}) {
    EXPECT_EQ(bench.facts.target(ParamType::kCache, wrong).code(), base::ErrorCode::kNotFound);
  }
}

TEST(RegionFacts, LoadAndAgeOfALiveClusterAreKnown) {
  FactsBench bench;
  const auto facts = bench.facts.cluster("amber").value();
  EXPECT_EQ(facts.proxies_healthy, 2);
  EXPECT_EQ(facts.backends_healthy, 2);
  ASSERT_TRUE(facts.load.has_value());
  EXPECT_DOUBLE_EQ(*facts.load, 0.1);
  EXPECT_EQ(facts.telemetry_age, 100ms);
}

TEST(RegionFacts, FiguresThatWereNeverReadAreNotKnown) {
  FactsBench bench;
  bench.snapshot.proxies["birch-proxy-1"];
  const auto facts = bench.facts.cluster("birch").value();
  EXPECT_FALSE(facts.load.has_value());
  EXPECT_GT(facts.telemetry_age, 1h);
}

TEST(RegionFacts, ABackendThatDoesNotAnswerIsNotHealthy) {
  FactsBench bench;
  bench.snapshot.backends["amber-backend-1"].probe_ok = false;
  EXPECT_EQ(bench.facts.cluster("amber").value().backends_healthy, 1);
}

TEST(RegionFacts, SymptomsAreThoseInTroubleSinceTheInstant) {
  FactsBench bench;
  (void)bench.book.apply(bench.dead("amber-proxy-1"), bench.now());
  bench.clock.advance(10min);
  (void)bench.book.apply(bench.dead("amber-proxy-1"), bench.now());
  const auto lasting = bench.facts.symptoms(ParamType::kProxy, bench.clock.now() - 1s);
  ASSERT_EQ(lasting.size(), 1u) << "trouble that lasts counts however old it is";
  EXPECT_EQ(lasting[0].target, "amber-proxy-1");
  EXPECT_TRUE(bench.facts.symptoms(ParamType::kBackend, base::Instant()).empty());

  (void)bench.book.apply({}, bench.now());  // over
  bench.clock.advance(10s);
  (void)bench.book.apply({}, bench.now());  // resolved
  ASSERT_EQ(bench.book.resolved(5).size(), 1u);
  EXPECT_EQ(bench.facts.symptoms(ParamType::kProxy, bench.clock.now() - 1min).size(), 1u);
  EXPECT_TRUE(bench.facts.symptoms(ParamType::kProxy, bench.clock.now() - 9s).empty())
      << "its quiet time is no trouble";
}

}  // namespace
}  // namespace agent::app
