// The Statuspage v2 documents. Key names and their order are the contract: clients that were
// written for the vendor's pages read these. boost::json keeps the order of insertion.
#include <algorithm>
#include <boost/json.hpp>

#include "agent/publish/render.h"

namespace agent::publish {

namespace {

namespace json = boost::json;

json::value time_or_null(base::WallTime at) {
  if (at.ns == 0) return nullptr;
  return json::string(at.to_rfc3339());
}

// A widely used client turns every string that begins like a year into a Date.
json::string undated(const std::string& text) {
  const bool like_a_year =
      text.size() >= 4 &&
      std::all_of(text.begin(), text.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
  return json::string(like_a_year ? "Note: " + text : text);
}

json::object page_json(const PageModel& model) {
  json::object page;
  page["id"] = model.identity.id;
  page["name"] = undated(model.identity.name);
  page["url"] = model.identity.url;
  page["time_zone"] = "Etc/UTC";
  page["updated_at"] = model.generated.to_rfc3339();
  return page;
}

json::object status_json(const PageModel& model) {
  const Indicator indicator = roll_up(model.groups);
  json::object status;
  status["indicator"] = to_string(indicator);
  status["description"] = description(indicator);
  return status;
}

struct Common {
  const PageModel& model;
  size_t position;
  json::value group_id;
};

json::object component_json(const Component& component, const Common& common) {
  json::object out;
  out["id"] = component.id;
  out["name"] = component.name;
  out["status"] = to_string(component.status);
  out["created_at"] = common.model.identity.created.to_rfc3339();
  out["updated_at"] = component.updated.to_rfc3339();
  out["position"] = common.position;
  out["description"] = component.description;
  out["showcase"] = false;
  out["start_date"] = nullptr;
  out["group_id"] = common.group_id;
  out["page_id"] = common.model.identity.id;
  out["group"] = false;
  out["only_show_if_degraded"] = false;
  return out;
}

json::object group_json(const ComponentGroup& group, const Common& common) {
  Component whole;
  whole.id = group.id;
  whole.name = group.name;
  whole.status = group.status();
  json::array children;
  for (const Component& component : group.components) {
    whole.updated = std::max(whole.updated, component.updated);
    children.emplace_back(component.id);
  }
  json::object out = component_json(whole, common);
  out["description"] = nullptr;
  out["group"] = true;
  out["components"] = std::move(children);
  return out;
}

// Calls `each(object, id)` for every component in the order of the page: a group, then its parts.
template <class Each>
void for_each_component(const PageModel& model, Each each) {
  size_t group_position = 0;
  for (const ComponentGroup& group : model.groups) {
    each(group_json(group, Common{model, ++group_position, nullptr}), group.id);
    size_t position = 0;
    for (const Component& component : group.components) {
      each(component_json(component, Common{model, ++position, json::string(group.id)}),
           component.id);
    }
  }
}

json::array components_json(const PageModel& model) {
  json::array out;
  for_each_component(model, [&](json::object component, const std::string&) {
    out.push_back(std::move(component));
  });
  return out;
}

json::array components_json(const PageModel& model, const std::vector<AffectedComponent>& parts) {
  json::array out;
  for_each_component(model, [&](json::object component, const std::string& id) {
    const bool wanted = std::any_of(parts.begin(), parts.end(),
                                    [&](const AffectedComponent& part) { return part.id == id; });
    if (wanted) out.push_back(std::move(component));
  });
  return out;
}

std::string full_name(const PageModel& model, const std::string& id) {
  for (const ComponentGroup& group : model.groups) {
    for (const Component& component : group.components) {
      if (component.id == id) return group.name + " - " + component.name;
    }
  }
  return id;
}

// What an update changed: the first takes a component from operational to its trouble, a recovery
// takes it back, the others leave it.
json::value affected_json(const PageModel& model, const PageIncident& incident, size_t index) {
  if (incident.components.empty()) return nullptr;
  const auto troubled = [&](size_t i) {
    const IncidentStatus status = incident.updates[i].status;
    return status == IncidentStatus::kInvestigating || status == IncidentStatus::kIdentified;
  };
  const bool before = index + 1 < incident.updates.size() && troubled(index + 1);
  const bool after = troubled(index);
  json::array out;
  for (const AffectedComponent& part : incident.components) {
    const auto said = [&](bool trouble) {
      return to_string(trouble ? part.status : ComponentStatus::kOperational);
    };
    json::object entry;
    entry["code"] = part.id;
    entry["name"] = full_name(model, part.id);
    entry["old_status"] = said(before);
    entry["new_status"] = said(after);
    out.push_back(std::move(entry));
  }
  return out;
}

json::object update_json(const PageModel& model, const PageIncident& incident, size_t index) {
  const IncidentUpdate& update = incident.updates[index];
  json::object out;
  out["id"] = update.id;
  out["status"] = to_string(update.status);
  out["body"] = undated(update.body);
  out["incident_id"] = incident.id;
  out["created_at"] = update.at.to_rfc3339();
  out["updated_at"] = update.at.to_rfc3339();
  out["display_at"] = update.at.to_rfc3339();
  out["affected_components"] = affected_json(model, incident, index);
  out["deliver_notifications"] = false;
  out["custom_tweet"] = nullptr;
  out["tweet_id"] = nullptr;
  return out;
}

json::object incident_json(const PageModel& model, const PageIncident& incident) {
  json::object out;
  out["id"] = incident.id;
  out["name"] = undated(incident.name);
  out["status"] = to_string(incident.status);
  out["created_at"] = incident.created.to_rfc3339();
  out["updated_at"] = incident.updated.to_rfc3339();
  out["monitoring_at"] = time_or_null(incident.monitoring);
  out["resolved_at"] = time_or_null(incident.resolved);
  out["impact"] = to_string(incident.impact);
  out["shortlink"] = model.identity.url + "/incidents/" + incident.id + ".html";
  out["started_at"] = incident.started.to_rfc3339();
  out["page_id"] = model.identity.id;
  json::array updates;
  for (size_t i = 0; i < incident.updates.size(); ++i) {
    updates.push_back(update_json(model, incident, i));
  }
  out["incident_updates"] = std::move(updates);
  out["components"] = components_json(model, incident.components);
  out["reminder_intervals"] = nullptr;
  return out;
}

json::array incidents_json(const PageModel& model, IncidentSelection selection) {
  json::array out;
  for (const PageIncident& incident : model.incidents) {
    if (selection == IncidentSelection::kUnresolved &&
        incident.status == IncidentStatus::kResolved) {
      continue;
    }
    out.push_back(incident_json(model, incident));
  }
  return out;
}

}  // namespace

std::string render_status_json(const PageModel& model) {
  json::object out;
  out["page"] = page_json(model);
  out["status"] = status_json(model);
  return json::serialize(out);
}

std::string render_summary_json(const PageModel& model) {
  json::object out;
  out["page"] = page_json(model);
  out["components"] = components_json(model);
  out["incidents"] = incidents_json(model, IncidentSelection::kUnresolved);
  out["scheduled_maintenances"] = json::array();
  out["status"] = status_json(model);
  return json::serialize(out);
}

std::string render_components_json(const PageModel& model) {
  json::object out;
  out["page"] = page_json(model);
  out["components"] = components_json(model);
  return json::serialize(out);
}

std::string render_incidents_json(const PageModel& model, IncidentSelection selection) {
  json::object out;
  out["page"] = page_json(model);
  out["incidents"] = incidents_json(model, selection);
  return json::serialize(out);
}

std::string render_maintenances_json(const PageModel& model) {
  json::object out;
  out["page"] = page_json(model);
  out["scheduled_maintenances"] = json::array();
  return json::serialize(out);
}

std::string render_meta_json(const PageModel& model) {
  json::object out;
  out["generated_at_ns"] = model.generated.ns;
  return json::serialize(out);
}

}  // namespace agent::publish
