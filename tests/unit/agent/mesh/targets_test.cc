#include "agent/mesh/targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent::mesh {
namespace {

using ::testing::ElementsAre;

coord::RegionSpec spec() {
  coord::RegionSpec spec;
  coord::ClusterSpec amber;
  amber.name = "amber";
  amber.proxies = {{"p1", "127.0.1.1", 0}, {"p2", "127.0.1.2", 0}};
  amber.backends.resize(1);
  amber.backends[0].id = "b1";
  amber.backends[0].address = "127.0.1.11";
  amber.ports.links = 11240;
  spec.clusters.push_back(amber);
  return spec;
}

std::vector<std::string> names(const std::vector<EchoTarget>& targets) {
  std::vector<std::string> all;
  for (const EchoTarget& target : targets) {
    all.push_back(target.name() + " at " + target.address + ":" + std::to_string(target.port));
  }
  return all;
}

TEST(EchoTargets, ARegionWithoutLinksAndPeersHasNone) {
  const coord::Region region(spec());
  EXPECT_TRUE(echo_targets(region).empty());
  EXPECT_EQ(region.spec().echo_address(), "");
}

TEST(EchoTargets, OnGameDaysEveryLinkIsOne) {
  coord::RegionSpec gameday = spec();
  gameday.gameday = true;
  const coord::Region region(gameday);
  EXPECT_THAT(names(echo_targets(region)),
              ElementsAre("p1/b1 at 127.0.1.11:11240", "p2/b1 at 127.0.1.11:11241"));
  EXPECT_EQ(region.spec().echo_address(), "127.0.0.1");
}

TEST(EchoTargets, PeersAreAskedAndMayAsk) {
  coord::RegionSpec with = spec();
  with.echo.listen = "10.0.0.1";
  with.echo.peers = {{"10.0.0.2", 7483}};
  const coord::Region region(with);
  EXPECT_THAT(names(echo_targets(region)), ElementsAre("10.0.0.2:7483 at 10.0.0.2:7483"));
  EXPECT_THAT(echo_askers(region.spec()), ElementsAre("10.0.0.2"));
}

}  // namespace
}  // namespace agent::mesh
