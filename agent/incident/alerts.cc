#include "agent/incident/alerts.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>

namespace agent::incident {
namespace {

namespace json = boost::json;

constexpr size_t kMostInMessage = 1024;
constexpr size_t kNameMax = 100;
constexpr size_t kSummaryMax = 300;
// What began longer ago began then: the clocks of others are not ours.
constexpr base::Duration kOldest = std::chrono::hours(24);

base::Error wrong(const std::string& where, std::string_view expected) {
  return base::Error(base::ErrorCode::kInvalid, where + ": expected " + std::string(expected),
                     base::Origin::kClient);
}

// One line, not longer than `most` bytes, cut between characters.
std::string one_line(std::string_view text, size_t most) {
  if (text.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    text = text.substr(0, most);
  }
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

const json::string* text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? &value->get_string() : nullptr;
}

std::string label(const json::object& labels, std::string_view name) {
  const json::string* text = text_of(labels, name);
  return text == nullptr ? std::string() : std::string(text->begin(), text->end());
}

// Labels of somebody else's machines name nothing here, and say nothing about where it is.
Scope scope_of(const json::object& labels, const KnownNames& names) {
  Scope scope;
  if (const auto proxy = names.proxies.find(label(labels, "proxy")); proxy != names.proxies.end()) {
    scope.proxy = proxy->first;
    scope.cluster = proxy->second;
  }
  const auto backend = names.backends.find(label(labels, "backend"));
  if (backend != names.backends.end() &&
      (scope.cluster.empty() || scope.cluster == backend->second)) {
    scope.backend = backend->first;
    scope.cluster = backend->second;
  }
  const std::string cluster = label(labels, "cluster");
  if (scope.cluster.empty() && names.clusters.contains(cluster)) scope.cluster = cluster;
  return scope;
}

base::Result<Alert> parse_alert(const json::value& item, const std::string& where,
                                const KnownNames& names) {
  if (!item.is_object()) return wrong(where, "an object");
  const json::object& object = item.get_object();
  Alert alert;
  const json::string* status = text_of(object, "status");
  if (status == nullptr || (*status != "firing" && *status != "resolved")) {
    return wrong(where + ".status", "firing or resolved");
  }
  alert.firing = *status == "firing";
  const json::string* fingerprint = text_of(object, "fingerprint");
  const bool hexadecimal = fingerprint != nullptr && !fingerprint->empty() &&
                           fingerprint->size() <= 64 &&
                           std::all_of(fingerprint->begin(), fingerprint->end(),
                                       [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!hexadecimal) {
    return wrong(where + ".fingerprint", "1 to 64 hexadecimal digits");
  }
  alert.fingerprint.assign(fingerprint->begin(), fingerprint->end());
  // A message about the end need not carry anything else.
  if (!alert.firing) return alert;
  const json::value* labels = object.if_contains("labels");
  if (labels == nullptr || !labels->is_object()) {
    return wrong(where + ".labels", "an object of strings");
  }
  alert.name = one_line(label(labels->get_object(), "alertname"), kNameMax);
  if (alert.name.empty()) return wrong(where + ".labels.alertname", "a name");
  alert.scope = scope_of(labels->get_object(), names);
  if (const json::value* annotations = object.if_contains("annotations")) {
    if (!annotations->is_object()) return wrong(where + ".annotations", "an object of strings");
    alert.summary = one_line(label(annotations->get_object(), "summary"), kSummaryMax);
  }
  const json::string* starts = text_of(object, "startsAt");
  const auto at =
      starts == nullptr ? std::nullopt : base::WallTime::from_rfc3339(std::string_view(*starts));
  if (!at) return wrong(where + ".startsAt", "a time like 2026-11-23T07:28:17.042Z");
  alert.starts = *at;
  return alert;
}

}  // namespace

base::Result<std::vector<Alert>> parse_alerts(const json::object& message,
                                              const KnownNames& names) {
  const json::string* version = text_of(message, "version");
  if (version == nullptr || *version != "4") {
    return wrong("version", "\"4\", as Alertmanager's webhook sends it");
  }
  const json::value* list = message.if_contains("alerts");
  if (list == nullptr || !list->is_array()) return wrong("alerts", "an array");
  const json::array& items = list->get_array();
  if (items.size() > kMostInMessage) {
    return wrong("alerts", "at most " + std::to_string(kMostInMessage) +
                               "; set max_alerts in Alertmanager's webhook_configs");
  }
  std::vector<Alert> alerts;
  for (size_t i = 0; i < items.size(); ++i) {
    auto alert = parse_alert(items[i], "alerts[" + std::to_string(i) + "]", names);
    if (!alert) return alert.error();
    alerts.push_back(*std::move(alert));
  }
  return alerts;
}

base::Result<Alerts::Received> Alerts::receive(std::vector<Alert> alerts, Moment at) {
  Received taken;
  for (const Alert& alert : alerts) {
    if (!alert.firing) taken.resolved += firing_.erase(alert.fingerprint);
  }
  size_t without_room = 0;
  for (Alert& alert : alerts) {
    if (!alert.firing) continue;
    const auto known = firing_.find(alert.fingerprint);
    if (known != firing_.end()) {
      known->second.heard = at.now;
      known->second.alert = std::move(alert);
    } else if (firing_.size() < kMost) {
      const base::Duration ago =
          std::clamp(base::Duration(at.wall - alert.starts), base::Duration(0), kOldest);
      Known entry{alert, at.now - ago, at.now};
      firing_.emplace(alert.fingerprint, std::move(entry));
    } else {
      ++without_room;
      continue;
    }
    ++taken.firing;
  }
  received_.firing += taken.firing;
  received_.resolved += taken.resolved;
  if (without_room > 0) {
    return base::Error(base::ErrorCode::kExhausted,
                       std::to_string(kMost) + " alerts fire already; " +
                           std::to_string(without_room) + " of this message were not taken");
  }
  return taken;
}

void Alerts::restore(const std::vector<const Incident*>& unresolved, base::Instant now) {
  for (const Incident* incident : unresolved) {
    if (incident->alert.empty() || firing_.size() >= kMost) continue;
    Alert alert;
    alert.fingerprint = incident->alert;
    alert.name = incident->title;
    alert.scope = incident->scope;
    alert.starts = incident->started;
    Known entry{alert, now, now};
    firing_.emplace(alert.fingerprint, std::move(entry));
  }
}

std::vector<Verdict> Alerts::verdicts(base::Instant now) {
  std::erase_if(firing_, [&](const auto& entry) { return now - entry.second.heard >= kForget; });
  std::vector<Verdict> verdicts;
  for (const auto& [fingerprint, known] : firing_) {
    Verdict verdict;
    verdict.rule = "alertmanager/" + fingerprint;
    verdict.alert = fingerprint;
    verdict.scope = known.alert.scope;
    verdict.since = known.since;
    verdict.title = known.alert.summary.empty() ? known.alert.name
                                                : known.alert.name + ": " + known.alert.summary;
    verdict.sentence = "Alertmanager says: " + verdict.title + ".";
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

std::vector<Alert> Alerts::firing() const {
  std::vector<Alert> list;
  for (const auto& [fingerprint, known] : firing_) list.push_back(known.alert);
  return list;
}

}  // namespace agent::incident
