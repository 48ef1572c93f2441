#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agent/publish/render.h"
#include "tests/unit/agent/publish/page_samples.h"

namespace agent::publish {
namespace {

namespace json = boost::json;
using incident::State;
using incident::Type;
using test::sample_incident;
using test::sample_page;

std::vector<std::string> keys(const json::value& value) {
  std::vector<std::string> out;
  for (const auto& member : value.as_object()) out.emplace_back(member.key());
  return out;
}

using Keys = std::vector<std::string>;
const Keys kComponent = {"id",
                         "name",
                         "status",
                         "created_at",
                         "updated_at",
                         "position",
                         "description",
                         "showcase",
                         "start_date",
                         "group_id",
                         "page_id",
                         "group",
                         "only_show_if_degraded"};

ReportedIncident dead_proxy() {
  return sample_incident(Type::kProxyDead, State::kMonitoring,
                         {"detected", "opened", "run", "monitoring"});
}

TEST(StatusJson, IsExactlyThis) {
  EXPECT_EQ(render_status_json(sample_page({})),
            R"({"page":{"id":"page-local","name":"Memcache at Example",)"
            R"("url":"https://status.example.com","time_zone":"Etc/UTC",)"
            R"("updated_at":"2026-01-01T00:03:20.000Z"},)"
            R"("status":{"indicator":"none","description":"All Systems Operational"}})");
}

TEST(SummaryJson, HasItsPartsInOrderAndOnlyUnresolvedIncidents) {
  ReportedIncident over = sample_incident(Type::kProxyDead, State::kResolved,
                                          {"opened", "run", "monitoring", "resolved"});
  over.incident.id = "inc-over";
  const json::value summary = json::parse(render_summary_json(sample_page({dead_proxy(), over})));
  EXPECT_EQ(keys(summary),
            (Keys{"page", "components", "incidents", "scheduled_maintenances", "status"}));
  ASSERT_EQ(summary.at("incidents").as_array().size(), 1u);
  EXPECT_EQ(summary.at("incidents").at(0).at("id").as_string(), "inc-20260101-000140-1");
  EXPECT_TRUE(summary.at("scheduled_maintenances").as_array().empty());
}

TEST(ComponentsJson, ListsEachGroupBeforeItsComponents) {
  const json::value document = json::parse(render_components_json(sample_page({})));
  EXPECT_EQ(keys(document), (Keys{"page", "components"}));
  const json::array& components = document.at("components").as_array();
  ASSERT_EQ(components.size(), 8u);

  Keys group = kComponent;
  group.push_back("components");
  EXPECT_EQ(keys(components[0]), group);
  EXPECT_EQ(components[0].at("id").as_string(), "cluster-amber");
  EXPECT_TRUE(components[0].at("group").as_bool());
  EXPECT_TRUE(components[0].at("group_id").is_null());
  EXPECT_EQ(components[0].at("components").at(0).as_string(), "cluster-amber-connections");

  EXPECT_EQ(keys(components[1]), kComponent) << "a leaf has no `components` key";
  EXPECT_FALSE(components[1].at("group").as_bool());
  EXPECT_EQ(components[1].at("group_id").as_string(), "cluster-amber");
  EXPECT_EQ(components[1].at("position").to_number<int>(), 1);
  EXPECT_EQ(components[4].at("id").as_string(), "cluster-birch");
  EXPECT_EQ(components[4].at("position").to_number<int>(), 2);
}

TEST(IncidentsJson, HasTheFieldsOfTheContractInOrder) {
  const json::value document =
      json::parse(render_incidents_json(sample_page({dead_proxy()}), IncidentSelection::kAll));
  const json::value& incident = document.at("incidents").at(0);
  EXPECT_EQ(keys(incident),
            (Keys{"id", "name", "status", "created_at", "updated_at", "monitoring_at",
                  "resolved_at", "impact", "shortlink", "started_at", "page_id", "incident_updates",
                  "components", "reminder_intervals"}));
  EXPECT_EQ(incident.at("status").as_string(), "monitoring");
  EXPECT_EQ(incident.at("impact").as_string(), "major");
  EXPECT_EQ(incident.at("monitoring_at").as_string(), "2026-01-01T00:02:10.000Z");
  EXPECT_TRUE(incident.at("resolved_at").is_null());
  EXPECT_EQ(incident.at("shortlink").as_string(),
            "https://status.example.com/incidents/inc-20260101-000140-1.html");
  ASSERT_EQ(incident.at("components").as_array().size(), 1u);
  EXPECT_EQ(keys(incident.at("components").at(0)), kComponent);

  const json::value& update = incident.at("incident_updates").at(0);
  EXPECT_EQ(keys(update),
            (Keys{"id", "status", "body", "incident_id", "created_at", "updated_at", "display_at",
                  "affected_components", "deliver_notifications", "custom_tweet", "tweet_id"}));
  EXPECT_EQ(update.at("status").as_string(), "monitoring") << "newest first";
}

TEST(IncidentsJson, SaysWhatEachUpdateChanged) {
  const json::value document =
      json::parse(render_incidents_json(sample_page({dead_proxy()}), IncidentSelection::kAll));
  const json::array& updates = document.at("incidents").at(0).at("incident_updates").as_array();
  ASSERT_EQ(updates.size(), 3u);
  const auto change = [&](size_t i) {
    const json::value& part = updates[i].at("affected_components").at(0);
    return std::string(part.at("old_status").as_string()) + " > " +
           std::string(part.at("new_status").as_string());
  };
  EXPECT_EQ(change(2), "operational > partial_outage");
  EXPECT_EQ(change(1), "partial_outage > partial_outage");
  EXPECT_EQ(change(0), "partial_outage > operational");
  EXPECT_EQ(updates[0].at("affected_components").at(0).at("name").as_string(),
            "Cluster amber - Connections");
}

TEST(IncidentsJson, HasNullForAnIncidentThatTouchesNoComponent) {
  const json::value document = json::parse(render_incidents_json(
      sample_page({sample_incident(Type::kControlPlaneLost, State::kOpen, {"opened"})}),
      IncidentSelection::kAll));
  const json::value& incident = document.at("incidents").at(0);
  EXPECT_TRUE(incident.at("incident_updates").at(0).at("affected_components").is_null());
  EXPECT_EQ(incident.at("impact").as_string(), "none");
}

TEST(IncidentsJson, NeverBeginsATextLikeAYear) {
  ReportedIncident reported = dead_proxy();
  reported.wording.title = "2026 outage";
  reported.wording.monitoring = "2026-11 was long";
  const json::value document =
      json::parse(render_incidents_json(sample_page({reported}), IncidentSelection::kAll));
  const json::value& incident = document.at("incidents").at(0);
  EXPECT_EQ(incident.at("name").as_string(), "Note: 2026 outage");
  EXPECT_EQ(incident.at("incident_updates").at(0).at("body").as_string(), "Note: 2026-11 was long");
}

// Ids that look like dates or numbers become something else in clients.
void expect_letters_in_ids(const json::value& value) {
  if (value.is_array()) {
    for (const json::value& item : value.as_array()) expect_letters_in_ids(item);
  } else if (value.is_object()) {
    for (const auto& member : value.as_object()) {
      expect_letters_in_ids(member.value());
      const std::string_view key = member.key();
      if (!(key == "id" || key.ends_with("_id")) || member.value().is_null()) continue;
      const std::string id(member.value().as_string());
      EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(id.at(0)))) << id;
    }
  }
}

TEST(PageJson, EveryDocumentIsStrictJsonWithLettersInItsIds) {
  const FileSet files = render_page(sample_page({dead_proxy()}));
  int documents = 0;
  for (const auto& [path, content] : files) {
    if (!path.ends_with(".json")) continue;
    SCOPED_TRACE(path);
    ++documents;
    boost::system::error_code error;
    const json::value value = json::parse(content, error);
    ASSERT_FALSE(error) << error.message();
    if (path == "meta.json") continue;
    EXPECT_EQ(keys(value).at(0), "page");
    expect_letters_in_ids(value);
  }
  EXPECT_EQ(documents, 9);
}

TEST(MetaJson, IsExactlyThis) {
  EXPECT_EQ(render_meta_json(sample_page({})), R"({"generated_at_ns":1767225800000000000})");
}

}  // namespace
}  // namespace agent::publish
