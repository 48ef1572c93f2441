// ctemplate 2.4 uses strlen without including this.
#include <cstring>

#include <ctemplate/template_dictionary.h>

#include <array>

#include "agent/publish/civil_time.h"
#include "agent/publish/render.h"
#include "agent/publish/templates.h"
#include "agent_publish_embedded.h"

namespace agent::publish {

namespace {

using ctemplate::TemplateDictionary;

const Templates& templates() {
  static const auto files = [] {
    static constexpr std::array<std::string_view, 10> kNames = {
        "head.tpl",  "icons.tpl",   "banner.tpl",   "script.tpl", "update.tpl",
        "index.tpl", "history.tpl", "incident.tpl", "atom.tpl",   "atom_content.tpl"};
    std::array<Templates::File, kNames.size()> out;
    for (size_t i = 0; i < kNames.size(); ++i) out[i] = {kNames[i], embedded(kNames[i])};
    return out;
  }();
  static const Templates parsed{files};
  return parsed;
}

void set(TemplateDictionary& values, const char* name, std::string_view text) {
  values.SetValue(name, ctemplate::TemplateString(text.data(), text.size()));
}

void set_time(TemplateDictionary& values, const std::string& name, base::WallTime at) {
  set(values, name.c_str(), at.to_rfc3339());
  set(values, (name + "_WORDS").c_str(), date_and_clock(at));
}

std::string_view icon(ComponentStatus status) {
  return to_string(impact_of(status));
}

std::string_view impact_words(Indicator impact) {
  switch (impact) {
    case Indicator::kNone:
      return "None on caches";
    case Indicator::kMinor:
      return "Minor: slower than usual";
    case Indicator::kMajor:
      return "Major: some requests fail";
    case Indicator::kCritical:
      return "Critical: most or all requests fail";
  }
  return "";
}

// "Cluster amber: Connections, Response times", by group.
std::string where(const PageModel& model, const PageIncident& incident) {
  std::string out;
  for (const ComponentGroup& group : model.groups) {
    std::string parts;
    for (const Component& component : group.components) {
      for (const AffectedComponent& part : incident.components) {
        if (part.id == component.id) parts += (parts.empty() ? "" : ", ") + component.name;
      }
    }
    if (!parts.empty()) out += (out.empty() ? "" : "; ") + group.name + ": " + parts;
  }
  return out.empty() ? "No component" : out;
}

void fill_shell(const PageModel& model, TemplateDictionary& page, bool live) {
  set(page, "PAGE_NAME", model.identity.name);
  page.AddIncludeDictionary("HEAD")->SetFilename("head.tpl");
  page.AddIncludeDictionary("ICONS")->SetFilename("icons.tpl");
  if (live) page.AddIncludeDictionary("SCRIPT")->SetFilename("script.tpl");
}

void fill_banner(const PageModel& model, TemplateDictionary& page) {
  TemplateDictionary& banner = *page.AddIncludeDictionary("BANNER");
  banner.SetFilename("banner.tpl");
  const Indicator indicator = roll_up(model.groups);
  set(banner, "INDICATOR", to_string(indicator));
  set(banner, "DESCRIPTION", description(indicator));
  set(banner, "GENERATED", model.generated.to_rfc3339());
  set(banner, "GENERATED_WORDS", date_and_seconds(model.generated));
  set(banner, "GENERATED_MS", std::to_string(model.generated.ns / 1'000'000));
  set(banner, "VALID", model.valid_until().to_rfc3339());
  set(banner, "VALID_WORDS", civil(model.valid_until()).seconds + " UTC");
  set(banner, "VALID_FOR_MS", std::to_string(model.identity.valid_for.count() / 1'000'000));
}

void fill_updates(const PageIncident& incident, TemplateDictionary& parent) {
  for (const IncidentUpdate& update : incident.updates) {
    TemplateDictionary& entry = *parent.AddSectionDictionary("UPDATES");
    TemplateDictionary& body = *entry.AddIncludeDictionary("UPDATE");
    body.SetFilename("update.tpl");
    set(body, "STATUS", to_string(update.status));
    set(body, "STATUS_WORDS", words(update.status));
    set(body, "AT", update.at.to_rfc3339());
    set(body, "AT_WORDS", date_and_seconds(update.at));
    set(body, "BODY", update.body);
  }
}

void fill_incident(const PageModel& model, const PageIncident& incident, TemplateDictionary& out) {
  set(out, "ID", incident.id);
  set(out, "NAME", incident.name);
  set(out, "STATUS", to_string(incident.status));
  set(out, "STATUS_WORDS", words(incident.status));
  set(out, "IMPACT", impact_words(incident.impact));
  set(out, "WHERE", where(model, incident));
  set_time(out, "STARTED", incident.started);
  if (incident.resolved.ns != 0) {
    const std::string lasted = duration_words(incident.resolved - incident.started);
    set(out, "LASTED", lasted);
    out.SetValueAndShowSection("LASTED", lasted, "LASTED_SECTION");
  }
}

void fill_components(const PageModel& model, TemplateDictionary& page) {
  const auto status = [](TemplateDictionary& out, ComponentStatus value) {
    set(out, "STATUS", to_string(value));
    set(out, "STATUS_WORDS", words(value));
    set(out, "ICON", icon(value));
  };
  for (const ComponentGroup& group : model.groups) {
    TemplateDictionary& sheet = *page.AddSectionDictionary("GROUP");
    set(sheet, "NAME", group.name);
    status(sheet, group.status());
    for (const Component& component : group.components) {
      TemplateDictionary& row = *sheet.AddSectionDictionary("COMPONENT");
      set(row, "NAME", component.name);
      set(row, "TEXT", component.description);
      status(row, component.status);
    }
  }
  if (model.groups.empty()) page.ShowSection("NO_GROUP");
}

std::string render_index(const PageModel& model) {
  constexpr int kPastShown = 10;
  TemplateDictionary page("index");
  fill_shell(model, page, true);
  fill_banner(model, page);
  fill_components(model, page);
  int past = 0;
  bool active = false;
  for (const PageIncident& incident : model.incidents) {
    if (incident.status != IncidentStatus::kResolved) {
      active = true;
      TemplateDictionary& article = *page.AddSectionDictionary("ACTIVE");
      fill_incident(model, incident, article);
      fill_updates(incident, article);
    } else if (++past <= kPastShown) {
      fill_incident(model, incident, *page.AddSectionDictionary("PAST"));
    }
  }
  if (active) page.ShowSection("ACTIVE_SECTION");
  page.ShowSection(past > 0 ? "PAST_SECTION" : "NO_PAST");
  return templates().expand("index.tpl", page);
}

std::string render_history(const PageModel& model) {
  TemplateDictionary page("history");
  fill_shell(model, page, true);
  fill_banner(model, page);
  std::string date;
  TemplateDictionary* day = nullptr;
  for (const PageIncident& incident : model.incidents) {
    const std::string began = civil(incident.started).date;
    if (!day || began != date) {
      day = page.AddSectionDictionary("DAY");
      set(*day, "DATE", began);
      date = began;
    }
    fill_incident(model, incident, *day->AddSectionDictionary("PAST"));
  }
  if (model.incidents.empty()) page.ShowSection("NO_PAST");
  return templates().expand("history.tpl", page);
}

std::string render_incident(const PageModel& model, const PageIncident& incident) {
  const bool live = incident.status != IncidentStatus::kResolved;
  TemplateDictionary page("incident");
  fill_shell(model, page, live);
  fill_incident(model, incident, page);
  fill_updates(incident, page);
  if (live) {
    page.ShowSection("LIVE");
    fill_banner(model, page);
  }
  return templates().expand("incident.tpl", page);
}

std::string host_of(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find_first_of(":/", begin) - begin);
}

std::string atom_content(const PageIncident& incident) {
  TemplateDictionary content("content");
  for (const IncidentUpdate& update : incident.updates) {
    TemplateDictionary& entry = *content.AddSectionDictionary("UPDATES");
    const CivilTime at = civil(update.at);
    set(entry, "MONTH", at.month);
    set(entry, "DAY_OF_MONTH", at.day_of_month);
    set(entry, "CLOCK", at.clock);
    set(entry, "STATUS_WORDS", words(update.status));
    set(entry, "BODY", update.body);
  }
  return templates().expand("atom_content.tpl", content);
}

}  // namespace

std::string render_atom(const PageModel& model) {
  TemplateDictionary feed("atom");
  set(feed, "HOST", host_of(model.identity.url));
  set(feed, "URL", model.identity.url);
  set(feed, "PAGE_NAME", model.identity.name);
  base::WallTime updated = model.identity.created;
  for (const PageIncident& incident : model.incidents) {
    updated = std::max(updated, incident.updated);
    TemplateDictionary& entry = *feed.AddSectionDictionary("ENTRY");
    set(entry, "ID", incident.id);
    set(entry, "NAME", incident.name);
    set(entry, "PUBLISHED", incident.created.to_rfc3339());
    set(entry, "UPDATED", incident.updated.to_rfc3339());
    set(entry, "CONTENT", atom_content(incident));
  }
  set(feed, "UPDATED", updated.to_rfc3339());
  return templates().expand("atom.tpl", feed);
}

FileSet render_page(const PageModel& model) {
  FileSet files;
  files["index.html"] = render_index(model);
  files["history.html"] = render_history(model);
  files["history.atom"] = render_atom(model);
  for (const PageIncident& incident : model.incidents) {
    files["incidents/" + incident.id + ".html"] = render_incident(model, incident);
  }
  files["api/v2/status.json"] = render_status_json(model);
  files["api/v2/summary.json"] = render_summary_json(model);
  files["api/v2/components.json"] = render_components_json(model);
  files["api/v2/incidents.json"] = render_incidents_json(model, IncidentSelection::kAll);
  files["api/v2/incidents/unresolved.json"] =
      render_incidents_json(model, IncidentSelection::kUnresolved);
  const std::string none = render_maintenances_json(model);
  files["api/v2/scheduled-maintenances.json"] = none;
  files["api/v2/scheduled-maintenances/upcoming.json"] = none;
  files["api/v2/scheduled-maintenances/active.json"] = none;
  files["meta.json"] = render_meta_json(model);
  return files;
}

}  // namespace agent::publish
