#include "agent/incident/json.h"

#include <boost/json/array.hpp>
#include <optional>

#include "agent/incident/wording.h"

namespace agent::incident {

namespace json = boost::json;

namespace {

json::value time_or_null(base::WallTime at) {
  if (at.ns == 0) return nullptr;
  return json::value(at.to_rfc3339());
}

json::string text(std::string_view view) {
  return json::string(view);
}

// Reads fields of one object; the first thing wrong is kept and makes everything after harmless.
class Reader {
 public:
  Reader(const json::object& object, std::string_view where, std::string& wrong)
      : object_(object), where_(where), wrong_(wrong) {}

  std::string text(std::string_view key) {
    const json::value* value = object_.if_contains(key);
    if (value != nullptr && value->is_string()) return std::string(value->as_string());
    return fail(key, "a string"), "";
  }
  double number(std::string_view key) {
    const json::value* value = object_.if_contains(key);
    if (value != nullptr && value->is_number()) return value->to_number<double>();
    return fail(key, "a number"), 0;
  }
  base::WallTime time(std::string_view key) {
    const json::value* value = object_.if_contains(key);
    if (value != nullptr && value->is_null()) return {};
    if (value != nullptr && value->is_string()) {
      if (const auto at = base::WallTime::from_rfc3339(value->as_string())) return *at;
    }
    return fail(key, "a time like 2026-11-23T07:28:17.042Z or null"), base::WallTime{};
  }
  const json::array& array(std::string_view key) {
    static const json::array kEmpty;
    const json::value* value = object_.if_contains(key);
    if (value != nullptr && value->is_array()) return value->as_array();
    return fail(key, "an array"), kEmpty;
  }
  const json::object& object(std::string_view key) {
    static const json::object kEmpty;
    const json::value* value = object_.if_contains(key);
    if (value != nullptr && value->is_object()) return value->as_object();
    return fail(key, "an object"), kEmpty;
  }
  void fail(std::string_view key, std::string_view expected) {
    if (!wrong_.empty()) return;
    wrong_ = std::string(where_) + "." + std::string(key) + ": expected " + std::string(expected);
  }

 private:
  const json::object& object_;
  std::string_view where_;
  std::string& wrong_;
};

void read_lists(const json::object& document, Incident& incident, std::string& wrong) {
  Reader reader(document, "incident", wrong);
  for (const json::value& item : reader.array("evidence")) {
    if (!item.is_object()) return reader.fail("evidence", "objects");
    Reader field(item.as_object(), "evidence", wrong);
    incident.evidence.push_back({field.text("series"), field.number("baseline"),
                                 field.number("observed"), field.text("unit")});
  }
  for (const json::value& item : reader.array("timeline")) {
    if (!item.is_object()) return reader.fail("timeline", "objects");
    Reader field(item.as_object(), "timeline", wrong);
    incident.timeline.push_back({field.time("at"), field.text("kind"), field.text("text")});
  }
  for (const json::value& item : reader.array("runs")) {
    if (!item.is_string()) return reader.fail("runs", "strings");
    incident.runs.emplace_back(item.as_string());
  }
}

}  // namespace

json::object to_json(const Scope& scope) {
  // A label that does not apply is an empty string, so that readers need no second case.
  json::object object;
  object["cluster"] = text(scope.cluster);
  object["proxy"] = text(scope.proxy);
  object["backend"] = text(scope.backend);
  object["client"] = text(scope.client);
  return object;
}

json::object to_json_brief(const Incident& incident) {
  json::object object;
  object["id"] = text(incident.id);
  object["type"] = text(to_string(incident.type));
  object["title"] = text(incident.title);
  object["state"] = text(to_string(incident.state));
  object["scope"] = to_json(incident.scope);
  object["started_at"] = time_or_null(incident.started);
  object["detected_at"] = time_or_null(incident.detected);
  object["updated_at"] = time_or_null(incident.updated);
  object["resolved_at"] = time_or_null(incident.resolved);
  object["confidence"] = incident.confidence;
  object["acknowledged_by"] = text(incident.acknowledged_by);
  object["alert"] = text(incident.alert);
  return object;
}

json::object to_json(const Incident& incident) {
  json::object object = to_json_brief(incident);
  json::array evidence;
  for (const Evidence& item : incident.evidence) {
    evidence.push_back(json::object{{"series", text(item.series)},
                                    {"baseline", item.baseline},
                                    {"observed", item.observed},
                                    {"unit", text(item.unit)}});
  }
  json::array timeline;
  for (const TimelineEntry& entry : incident.timeline) {
    timeline.push_back(json::object{
        {"at", time_or_null(entry.at)}, {"kind", text(entry.kind)}, {"text", text(entry.text)}});
  }
  json::array runs;
  for (const std::string& run : incident.runs) runs.push_back(text(run));
  object["last_present_at"] = time_or_null(incident.last_present);
  object["evidence"] = std::move(evidence);
  object["timeline"] = std::move(timeline);
  object["runs"] = std::move(runs);
  return object;
}

base::Result<Incident> from_json(const json::value& document) {
  std::string wrong;
  Incident incident;
  if (!document.is_object()) {
    return base::Error(base::ErrorCode::kInvalid, "incident: expected a JSON object");
  }
  const json::object& object = document.as_object();
  Reader reader(object, "incident", wrong);
  incident.id = reader.text("id");
  const auto type = parse_type(reader.text("type"));
  if (!type) reader.fail("type", "an incident type such as proxy_dead");
  const auto state = parse_state(reader.text("state"));
  if (!state) reader.fail("state", "suspected, open, mitigating, monitoring or resolved");
  Reader scope(reader.object("scope"), "scope", wrong);
  incident.scope = {scope.text("cluster"), scope.text("proxy"), scope.text("backend"),
                    scope.text("client")};
  incident.title = reader.text("title");
  if (object.contains("alert")) incident.alert = reader.text("alert");  // missing in older stores
  incident.confidence = reader.number("confidence");
  incident.started = reader.time("started_at");
  incident.detected = reader.time("detected_at");
  const bool has_present = object.contains("last_present_at");  // missing in older stores
  incident.last_present = has_present ? reader.time("last_present_at") : incident.detected;
  incident.updated = reader.time("updated_at");
  incident.resolved = reader.time("resolved_at");
  incident.acknowledged_by = reader.text("acknowledged_by");
  read_lists(object, incident, wrong);
  if (!wrong.empty()) return base::Error(base::ErrorCode::kInvalid, wrong);
  incident.type = *type;
  incident.state = *state;
  return incident;
}

}  // namespace agent::incident
