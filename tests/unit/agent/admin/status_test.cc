// The status document against the sample in docs/architecture.md, and region.json.
#include "agent/admin/status.h"

#include "tests/unit/agent/admin/operator_bench.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

json::value documented() {
  const std::string text = base::read_file("docs/architecture.md").value();
  const std::string begin = "`status` answers\n```json\n";
  const size_t from = text.find(begin) + begin.size();
  std::string sample = text.substr(from, text.find("\n```", from) - from);
  // Incidents and runs are named there by their members only.
  sample.resize(sample.find("\"incidents\""));
  sample.erase(sample.find_last_of(','));
  return json::parse(sample + "}");
}

// Every member that is documented is there, with its kind.
void expect_shape(const json::value& wanted, const json::value& shown, const std::string& at) {
  if (wanted.is_object()) {
    ASSERT_TRUE(shown.is_object()) << at;
    for (const auto& member : wanted.get_object()) {
      const std::string name(member.key());
      const json::value* found = shown.get_object().if_contains(name);
      ASSERT_NE(found, nullptr) << at << "." << name;
      expect_shape(member.value(), *found, at + "." + name);
    }
  } else if (wanted.is_array()) {
    ASSERT_TRUE(shown.is_array() && !shown.get_array().empty()) << at;
    for (const json::value& each : shown.get_array()) {
      expect_shape(wanted.get_array().at(0), each, at + "[]");
    }
  } else {
    EXPECT_EQ(wanted.is_string(), shown.is_string()) << at;
    EXPECT_EQ(wanted.is_bool(), shown.is_bool()) << at;
    EXPECT_EQ(wanted.is_number(), shown.is_number()) << at;
  }
}

TEST(Status, HasTheDocumentedShape) {
  OperatorBench bench;
  json::object wanted = documented().as_object();
  json::object& cluster = wanted["clusters"].as_array().at(0).as_object();
  cluster.erase("open");  // only where the listener is
  expect_shape(wanted, bench.admin.status(), "status");
}

TEST(Status, NamesTheOpenListenerWhereThereIsOne) {
  coord::RegionSpec spec = test::small_region("/nowhere");
  spec.clusters[0].ports.open = 11213;
  OperatorBench bench;
  coord::Region region(spec);
  const auto described = describe_region(region, bench.coordinator.tenants(), 7);
  ASSERT_TRUE(described.ok());
  const auto& clusters = described->at("clusters").as_array();
  EXPECT_EQ(clusters.at(0).at("open").as_string(), "127.0.1.1:11213");
  EXPECT_FALSE(clusters.at(1).as_object().contains("open"));
}

TEST(Status, ListsIncidentsAndRunsByTheirDocumentedMembers) {
  OperatorBench bench;
  (void)bench.open_incident();
  ASSERT_TRUE(
      bench.call("runbooks.run", R"({"name":"flush","params":{"target":"cache/12","reason":"r"}})")
          .ok());
  const json::object status = bench.admin.status();
  const auto& incident = status.at("incidents").as_array().at(0).as_object();
  for (const char* name : {"id", "type", "title", "state", "scope", "started_at", "detected_at",
                           "updated_at", "resolved_at", "confidence"}) {
    EXPECT_TRUE(incident.contains(name)) << name;
  }
  for (const char* name : {"cluster", "proxy", "backend", "client"}) {
    EXPECT_TRUE(incident.at("scope").as_object().contains(name)) << name;
  }
  const auto& run = status.at("runs").as_array().at(0).as_object();
  for (const char* name : {"id", "runbook", "incident", "state", "step", "steps", "started_at",
                           "finished_at", "outcome"}) {
    EXPECT_TRUE(run.contains(name)) << name;
  }
}

TEST(Status, AClusterIsHealthyDegradedOrDown) {
  OperatorBench bench;
  const auto state = [&bench] {
    const json::object status = bench.admin.status();
    return std::string(status.at("clusters").as_array().at(0).at("state").as_string());
  };
  EXPECT_EQ(state(), "down");
  bench.region.started("amber-proxy-1", 100, "t", bench.clock.wall());
  bench.region.set_state("amber-proxy-1", coord::ProcessState::kUp);
  EXPECT_EQ(state(), "degraded");
}

TEST(DescribeRegion, CarriesOneCacheWithItsCredential) {
  OperatorBench bench;
  bench.region.started("amber-proxy-1", 4711, "t", bench.clock.wall());
  const auto described = describe_region(bench.region, bench.coordinator.tenants(), 7);
  ASSERT_TRUE(described.ok()) << described.error().context;
  const auto& proxy = described->at("clusters").as_array().at(0).at("proxies").as_array().at(0);
  EXPECT_EQ(proxy.at("id").as_string(), "amber-proxy-1");
  EXPECT_EQ(proxy.at("pid").to_number<int>(), 4711);
  const auto& cache = described->at("cache").as_object();
  EXPECT_EQ(cache.at("servers").as_string(), "127.0.1.1:11211,127.0.1.2:11211");
  EXPECT_FALSE(cache.at("password").as_string().empty());
  for (const char* name : {"operator", "status", "customer", "metrics"}) {
    EXPECT_TRUE(described->at("urls").as_object().contains(name)) << name;
  }
  EXPECT_EQ(described->at("agent").at("pid").to_number<int>(), 7);
}

TEST(DescribeRegion, GoesOnWithoutACacheWhenNoneIsLeft) {
  OperatorBench bench;
  const auto id = bench.coordinator.tenants().first_cache()->id;
  ASSERT_TRUE(bench.wait(bench.coordinator.tenants().delete_cache(id)).ok());
  const auto described = describe_region(bench.region, bench.coordinator.tenants(), 7);
  ASSERT_TRUE(described.ok()) << described.error().context;
  EXPECT_FALSE(described->contains("cache"));
}

}  // namespace
}  // namespace agent::admin
