#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/action/bound_action.h"
#include "agent/action/forwarder_links.h"
#include "agent/action/proxy_file.h"
#include "tests/support/fake_region.h"

namespace agent::action {
namespace {

TEST(CanaryKeys, CoverEveryBackendThatOwnsSlots) {
  const auto table = base::next_table(base::EpochTable(), 1, {{"b1", 1}, {"b2", 3}, {"b3", 0}});
  const auto keys = keys_by_backend(table, 7, "canary-p1", 3);
  ASSERT_EQ(keys.size(), 2u);
  for (const auto& [backend, names] : keys) {
    EXPECT_EQ(names.size(), 3u);
    for (const std::string& name : names) {
      EXPECT_EQ(table.backends[table.owner[base::slot_of(7, name)]].id, backend);
    }
  }
}

TEST(CanaryKeys, AreNoneWhenNobodyOwnsSlots) {
  EXPECT_TRUE(keys_by_backend(base::EpochTable(), 7, "x", 3).empty());
  const auto table = base::next_table(base::EpochTable(), 1, {{"b1", 0}});
  EXPECT_TRUE(keys_by_backend(table, 7, "x", 3).empty());
}

TEST(ForwarderLinks, StandBetweenEveryProxyAndBackendOfACluster) {
  coord::RegionSpec spec = test::small_region("/d");
  spec.gameday = true;
  const coord::Region region(spec);
  const auto links = forwarder_links(region).at("links").as_array();
  ASSERT_EQ(links.size(), 8u);
  EXPECT_EQ(links[1].at("id").as_string(), "amber-proxy-1/amber-backend-2");
  EXPECT_EQ(links[2].at("listen").at("port").to_number<int>(), 11241);
  EXPECT_EQ(links[2].at("target").at("port").to_number<int>(), 11214);
  EXPECT_EQ(links[2].at("echo").at("address").as_string(), "127.0.0.1");
  EXPECT_EQ(links[2].at("echo").at("port").to_number<int>(), spec.ports.agents);
}

TEST(ProxyFile, NamesTheTlsListenerWhenThereIsAPort) {
  coord::RegionSpec spec = test::small_region("/d");
  const auto& cluster = spec.clusters[0];
  spec.clusters[0].ports.tls = 0;
  EXPECT_EQ(proxy_file(spec, cluster, cluster.proxies[0], 1).find("tls:"), std::string::npos);
  spec.clusters[0].ports.tls = 11212;
  EXPECT_NE(proxy_file(spec, cluster, cluster.proxies[0], 1)
                .find("tls: {port: 11212, certificate: \"/d/tls.pem\", key: \"/d/tls.key\"}"),
            std::string::npos);
}

TEST(ProxyFile, NamesTheOpenListenerOnlyWithACacheToServe) {
  coord::RegionSpec spec = test::small_region("/d");
  spec.clusters[0].ports.open = 11213;
  const auto& cluster = spec.clusters[0];
  EXPECT_NE(proxy_file(spec, cluster, cluster.proxies[0], 1).find("open: {port: 11213, cache: 1}"),
            std::string::npos);
  EXPECT_EQ(proxy_file(spec, cluster, cluster.proxies[0], 0).find("open:"), std::string::npos);
}

TEST(Actions, AreRegisteredUnderTheirNames) {
  runbook::ActionRegistry registry;
  add_action_names(registry);
  for (const char* name : {"proxy.replace", "proxy.drain", "canary.data_path", "epoch.eject",
                           "epoch.admit", "backend.await", "backend.replace", "backend.flush",
                           "cache.flush", "cluster.flush", "evidence.gather", "notify.page"}) {
    EXPECT_NE(registry.find(name), nullptr) << name;
  }
}

TEST(Arguments, AreReadAsPeopleWriteThem) {
  boost::json::object with;
  with["proxy"] = "proxy/amber-proxy-1";
  with["for"] = "250ms";
  with["cache"] = 12;
  const runbook::ActionCall call("key", 1, base::Instant(), std::move(with));
  const coord::Region region(test::small_region("/d"));
  EXPECT_EQ(*proxy_argument(call, region), "amber-proxy-1");
  EXPECT_EQ(*duration_argument(call, "for"), std::chrono::milliseconds(250));
  EXPECT_EQ(number_argument(call, "cache", 0), 12u);
  EXPECT_FALSE(backend_argument(call, region).ok());
  EXPECT_FALSE(duration_argument(call, "proxy").ok());
}

}  // namespace
}  // namespace agent::action
