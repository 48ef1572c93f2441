#include "agent/publish/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/publish/page_samples.h"

namespace agent::publish {
namespace {

using incident::State;
using incident::Type;
using test::at_second;
using test::sample_identity;
using test::sample_incident;
using test::sample_page;
using test::sound_cluster;
using ::testing::HasSubstr;
using ::testing::Not;

ComponentStatus status_of(const PageModel& model, std::string_view id) {
  const Component* component = model.find_component(id);
  EXPECT_NE(component, nullptr) << id;
  return component ? component->status : ComponentStatus::kOperational;
}

PageModel page_of(const ClusterHealth& cluster) {
  return build_page(sample_identity(), {cluster}, {}, at_second(200), nullptr);
}

TEST(BuildPage, ShowsThreeThingsACustomerNoticesPerCluster) {
  const PageModel model = sample_page({});
  ASSERT_EQ(model.groups.size(), 2u);
  EXPECT_EQ(model.groups[0].id, "cluster-amber");
  EXPECT_EQ(model.groups[0].name, "Cluster amber");
  ASSERT_EQ(model.groups[0].components.size(), 3u);
  EXPECT_EQ(model.groups[0].components[0].name, "Connections");
  EXPECT_EQ(model.groups[0].components[1].name, "Response times");
  EXPECT_EQ(model.groups[0].components[2].name, "Cache contents");
}

TEST(BuildPage, CountsProxiesForConnections) {
  ClusterHealth cluster = sound_cluster("amber");
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-connections"),
            ComponentStatus::kOperational);
  cluster.proxies_serving = 1;
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-connections"),
            ComponentStatus::kPartialOutage);
  cluster.proxies_serving = 0;
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-connections"),
            ComponentStatus::kMajorOutage);
}

TEST(BuildPage, CallsABackendThatIsOutOfTheTableLessBadThanOneThatIsWaitedFor) {
  ClusterHealth cluster = sound_cluster("amber");
  cluster.backends_serving = 1;
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-cache-contents"),
            ComponentStatus::kPartialOutage);
  cluster.backends_ejected = 1;
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-cache-contents"),
            ComponentStatus::kDegradedPerformance);
  cluster.backends_serving = 0;
  EXPECT_EQ(status_of(page_of(cluster), "cluster-amber-cache-contents"),
            ComponentStatus::kMajorOutage);
}

struct EffectCase {
  Type type;
  State state;
  std::string_view connections, response_times, contents;
};

TEST(BuildPage, ColoursComponentsByIncidentType) {
  const std::vector<EffectCase> cases = {
      {Type::kProxyDead, State::kOpen, "partial_outage", "operational", "operational"},
      {Type::kProxyStuck, State::kMitigating, "partial_outage", "operational", "operational"},
      {Type::kBackendDead, State::kOpen, "operational", "operational", "partial_outage"},
      {Type::kBackendStuck, State::kMitigating, "operational", "operational",
       "degraded_performance"},
      {Type::kConnectionSurge, State::kOpen, "degraded_performance", "operational", "operational"},
      {Type::kClientFlood, State::kOpen, "degraded_performance", "operational", "operational"},
      {Type::kNetworkDegraded, State::kOpen, "operational", "degraded_performance", "operational"},
      {Type::kMemberSlow, State::kOpen, "operational", "degraded_performance", "operational"},
      {Type::kSeveralClusters, State::kOpen, "degraded_performance", "degraded_performance",
       "operational"},
      {Type::kClusterLost, State::kOpen, "major_outage", "major_outage", "major_outage"},
      {Type::kControlPlaneLost, State::kOpen, "operational", "operational", "operational"},
      {Type::kOther, State::kOpen, "operational", "operational", "operational"},
  };
  for (const EffectCase& expected : cases) {
    SCOPED_TRACE(static_cast<int>(expected.type));
    const PageModel model =
        sample_page({sample_incident(expected.type, expected.state, {"opened"})});
    EXPECT_EQ(to_string(status_of(model, "cluster-amber-connections")), expected.connections);
    EXPECT_EQ(to_string(status_of(model, "cluster-amber-response-times")), expected.response_times);
    EXPECT_EQ(to_string(status_of(model, "cluster-amber-cache-contents")), expected.contents);
    EXPECT_EQ(model.groups[1].status(), ComponentStatus::kOperational) << "birch is not in scope";
  }
}

TEST(BuildPage, WhatMayHappenAndHasNotIsNotTold) {
  for (const Type type : {Type::kResourcesLow, Type::kCertificateExpiring}) {
    const PageModel model = sample_page({sample_incident(type, State::kOpen, {"opened"})});
    EXPECT_TRUE(model.incidents.empty());
    EXPECT_EQ(model.groups[0].status(), ComponentStatus::kOperational);
  }
}

TEST(BuildPage, WhatIsOnlyUnusualIsToldWhenPeopleSaySo) {
  ReportedIncident reported = sample_incident(Type::kOther, State::kOpen, {"opened"});
  EXPECT_TRUE(sample_page({reported}).incidents.empty());
  reported.incident.alert = "fingerprint";
  EXPECT_EQ(sample_page({reported}).incidents.size(), 1u);
}

TEST(BuildPage, AnIncidentWithoutAClusterConcernsEveryCluster) {
  ReportedIncident reported = sample_incident(Type::kSeveralClusters, State::kOpen, {"opened"});
  reported.incident.scope = {};
  const PageModel model = sample_page({reported});
  EXPECT_EQ(model.groups[0].status(), ComponentStatus::kDegradedPerformance);
  EXPECT_EQ(model.groups[1].status(), ComponentStatus::kDegradedPerformance);
  EXPECT_EQ(model.incidents[0].components.size(), 4u);
}

TEST(BuildPage, SaysNothingAboutASuspicion) {
  const PageModel model =
      sample_page({sample_incident(Type::kProxyDead, State::kSuspected, {"detected"})});
  EXPECT_TRUE(model.incidents.empty());
  EXPECT_EQ(model.groups[0].status(), ComponentStatus::kOperational);
}

TEST(BuildPage, NoLongerColoursComponentsWhileMonitoring) {
  const PageModel model = sample_page({sample_incident(
      Type::kProxyDead, State::kMonitoring, {"detected", "opened", "run", "monitoring"})});
  EXPECT_EQ(model.groups[0].status(), ComponentStatus::kOperational);
  EXPECT_EQ(model.incidents[0].impact, Indicator::kMajor);
  EXPECT_EQ(model.incidents[0].monitoring, at_second(130));
}

TEST(BuildPage, TellsTheStagesNewestFirst) {
  const PageModel model = sample_page(
      {sample_incident(Type::kProxyDead, State::kResolved,
                       {"detected", "opened", "run", "step", "step", "monitoring", "resolved"})});
  const PageIncident& incident = model.incidents.at(0);
  ASSERT_EQ(incident.updates.size(), 4u);
  EXPECT_EQ(incident.updates[0].status, IncidentStatus::kResolved);
  EXPECT_EQ(incident.updates[0].at, at_second(160));
  EXPECT_EQ(incident.updates[0].id, "inc-20260101-000140-1-u4");
  EXPECT_EQ(incident.updates[1].status, IncidentStatus::kMonitoring);
  EXPECT_EQ(incident.updates[2].status, IncidentStatus::kIdentified);
  EXPECT_EQ(incident.updates[2].at, at_second(120));
  EXPECT_EQ(incident.updates[3].status, IncidentStatus::kInvestigating);
  EXPECT_EQ(incident.resolved, at_second(160));
  EXPECT_EQ(incident.updated, at_second(160));
}

TEST(BuildPage, BelievesTheStateWhenTheTimelineLagsBehind) {
  const PageModel model =
      sample_page({sample_incident(Type::kProxyDead, State::kMitigating, {"detected", "opened"})});
  ASSERT_EQ(model.incidents.at(0).updates.size(), 2u);
  EXPECT_EQ(model.incidents[0].updates[0].status, IncidentStatus::kIdentified);
}

TEST(BuildPage, StillKnowsTheCauseWhenARepairWasGivenUp) {
  const PageModel model = sample_page(
      {sample_incident(Type::kBackendDead, State::kOpen, {"opened", "run", "step", "run"})});
  EXPECT_EQ(model.incidents.at(0).status, IncidentStatus::kIdentified);
  EXPECT_EQ(model.incidents[0].updates.size(), 2u);
  EXPECT_EQ(status_of(model, "cluster-amber-cache-contents"), ComponentStatus::kPartialOutage);
}

TEST(BuildPage, TellsARecoveryThatDidNotHold) {
  const PageModel model = sample_page({sample_incident(
      Type::kProxyDead, State::kMitigating, {"opened", "run", "monitoring", "opened", "run"})});
  ASSERT_EQ(model.incidents.at(0).updates.size(), 5u);
  EXPECT_EQ(model.incidents[0].status, IncidentStatus::kIdentified);
}

TEST(BuildPage, KeepsAllUnresolvedAndTheFiftyNewestOthers) {
  std::vector<ReportedIncident> incidents;
  for (int i = 0; i < 70; ++i) {
    ReportedIncident reported =
        sample_incident(Type::kProxyDead, i == 0 ? State::kOpen : State::kResolved, {"opened"});
    reported.incident.id = "inc-" + std::to_string(i);
    reported.incident.started = at_second(i);
    incidents.push_back(reported);
  }
  const PageModel model = sample_page(incidents);
  ASSERT_EQ(model.incidents.size(), 51u);
  EXPECT_EQ(model.incidents.front().id, "inc-69");
  EXPECT_EQ(model.incidents.back().id, "inc-0");
}

TEST(BuildPage, DatesAComponentByItsLastChange) {
  const PageModel first = sample_page({});
  const PageModel same =
      build_page(sample_identity(), {sound_cluster("amber")}, {}, at_second(300), &first);
  EXPECT_EQ(same.find_component("cluster-amber-connections")->updated, at_second(200));
  ClusterHealth hurt = sound_cluster("amber");
  hurt.proxies_serving = 1;
  const PageModel changed = build_page(sample_identity(), {hurt}, {}, at_second(400), &same);
  EXPECT_EQ(changed.find_component("cluster-amber-connections")->updated, at_second(400));
  EXPECT_EQ(changed.find_component("cluster-amber-cache-contents")->updated, at_second(200));
}

TEST(DefaultWording, NamesNoMachineAndNoClient) {
  incident::Scope scope;
  scope.cluster = "amber";
  scope.proxy = "amber-proxy-1";
  scope.backend = "amber-backend-1";
  scope.client = "203.0.113.9";
  for (int type = 0; type <= static_cast<int>(Type::kOther); ++type) {
    const Wording wording = default_wording(static_cast<Type>(type), scope);
    for (const std::string& text : {wording.title, wording.investigating, wording.identified,
                                    wording.monitoring, wording.resolved}) {
      EXPECT_FALSE(text.empty()) << type;
      EXPECT_THAT(text, Not(HasSubstr("proxy")));
      EXPECT_THAT(text, Not(HasSubstr("backend")));
      EXPECT_THAT(text, Not(HasSubstr("203.0.113.9")));
    }
  }
}

}  // namespace
}  // namespace agent::publish
