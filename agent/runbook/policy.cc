#include "agent/runbook/policy.h"

#include <algorithm>

#include "agent/runbook/reference.h"
#include "agent/runbook/yaml_text.h"

namespace agent::runbook {
namespace {

using base::Duration;
using base::Result;
using base::config::Document;
using base::config::Map;
using base::config::Node;
using base::config::Problems;
using namespace std::chrono_literals;

const std::vector<std::string>& mode_names() {
  static const std::vector<std::string> names = {"shadow", "suggest", "approve", "auto"};
  return names;
}

// "22:30" since midnight.
std::optional<Duration> time_of_day(std::string_view text) {
  const auto digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) {
    return std::nullopt;
  }
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (hours > 24 || minutes > 59 || (hours == 24 && minutes > 0)) return std::nullopt;
  return std::chrono::hours(hours) + std::chrono::minutes(minutes);
}

std::optional<incident::Type> incident_type(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(incident::Type::kOther); ++i) {
    if (incident::to_string(static_cast<incident::Type>(i)) == name) {
      return static_cast<incident::Type>(i);
    }
  }
  return std::nullopt;
}

std::string incident_type_names() {
  std::string names;
  for (int i = 0; i <= static_cast<int>(incident::Type::kOther); ++i) {
    names += (i == 0 ? "" : ", ");
    names += incident::to_string(static_cast<incident::Type>(i));
  }
  return names;
}

// Reads one policy. Thread: one. Owner: parse_policy.
class Reader {
 public:
  Reader(const Library& library, Problems& problems) : library_(library), problems_(problems) {}

  Policy policy(const Node& root) {
    Policy policy;
    Map map = root.map();
    policy.name = map.required("policy").text();
    if (auto node = map.optional("min_healthy")) {
      Map healthy = node->map();
      policy.min_healthy_proxies = static_cast<int>(healthy.integer("proxies", 1, 0, 10000));
      policy.min_healthy_backends = static_cast<int>(healthy.integer("backends", 1, 0, 10000));
      healthy.finish();
    }
    if (auto node = map.optional("correlation")) read_correlation(*node, policy.correlation);
    if (auto node = map.optional("budget")) read_budget(*node, policy.budget);
    if (auto node = map.optional("observe_only")) read_observe_only(*node, policy.observe_only);
    policy.retries_per_run = static_cast<int>(map.integer("retries_per_run", 10, 0, 1000));
    policy.backend_grace = map.duration("backend_grace", 3s, 0s, 1h);
    policy.symptom_return = map.duration("symptom_return", 60s, 0s, 24h);
    for (const auto& [name, node] : map.required("responses").entries()) {
      read_response(name, node, policy);
    }
    if (auto node = map.optional("cooldowns")) {
      for (const auto& [name, item] : node->entries()) read_cooldown(name, item, policy);
    }
    if (auto node = map.optional("clusters")) {
      for (const auto& [name, item] : node->entries()) policy.clusters[name] = read_cluster(item);
    }
    if (auto node = map.optional("quiet")) {
      for (const Node& item : node->list()) policy.quiet.push_back(read_quiet(item));
    }
    if (auto node = map.optional("preapproved")) {
      for (const Node& item : node->list()) policy.preapproved.push_back(read_preapproval(item));
    }
    map.finish();
    return policy;
  }

 private:
  void read_correlation(const Node& node, Policy::Correlation& correlation) {
    Map map = node.map();
    correlation.window = map.duration("window", 5min, 1ms, 24h);
    correlation.share = map.share("share", 1.0 / 3);
    correlation.at_least = static_cast<int>(map.integer("at_least", 2, 2, 10000));
    correlation.clusters = static_cast<int>(map.integer("clusters", 2, 2, 10000));
    map.finish();
  }

  void read_observe_only(const Node& node, Policy::ObserveOnly& rule) {
    Map map = node.map();
    rule.starts = static_cast<int>(map.integer("starts", 5, 2, 100000));
    rule.window = map.duration("within", 5min, 1s, 24h);
    rule.length = map.duration("for", 10min, 1s, 24h);
    map.finish();
  }

  void read_budget(const Node& node, Policy::Budget& budget) {
    Map map = node.map();
    budget.window = map.duration("window", 1h, 1s, 24h * 7);
    budget.cluster = static_cast<int>(map.integer("cluster", 6, 0, 100000));
    budget.fleet = static_cast<int>(map.integer("fleet", 12, 0, 100000));
    map.finish();
  }

  void read_response(const std::string& name, const Node& node, Policy& policy) {
    const std::optional<incident::Type> type = incident_type(name);
    if (!type.has_value()) {
      problems_.add(node.place(), node.path(),
                    "no such incident type, expected one of: " + incident_type_names());
    }
    Response response;
    Map map = node.map();
    const Node runbook_node = map.required("runbook");
    response.runbook = runbook_node.text();
    const Runbook* book = known_runbook(runbook_node);
    response.mode =
        static_cast<Mode>(map.choice("mode", static_cast<size_t>(Mode::kSuggest), mode_names()));
    response.hold_down = map.duration("hold_down", 0s, 0s, 24h);
    if (auto params = map.optional("params")) {
      for (const auto& [param, value] : params->entries()) {
        if (book != nullptr && book->param(param) == nullptr) {
          problems_.add(value.place(), value.path(), book->name + " has no such param");
        }
        response.params[param] = scope_text(value);
      }
    }
    if (book != nullptr) check_required(*book, response, node);
    if (auto correlated = map.optional("when_correlated")) {
      response.when_correlated = correlated->text();
      const Runbook* whole = known_runbook(*correlated);
      if (whole != nullptr && whole->param("cluster") == nullptr) {
        correlated->problem("a runbook with the param cluster");
      }
    }
    map.finish();
    if (type.has_value()) policy.responses[*type] = std::move(response);
  }

  void check_required(const Runbook& book, const Response& response, const Node& node) {
    for (const Param& param : book.params) {
      if (param.required && response.params.count(param.name) == 0) {
        problems_.add(node.place(), node.path() + ".params",
                      book.name + " requires " + param.name + ", expected it here");
      }
    }
  }

  const Runbook* known_runbook(const Node& node) {
    const std::string name = node.text();
    const Runbook* book = library_.find(name);
    if (book == nullptr && !node.is_null()) {
      std::string known;
      for (const auto& [each, unused] : library_.all()) known += (known.empty() ? "" : ", ") + each;
      node.problem("a runbook: " + known);
    }
    return book;
  }

  std::string scope_text(const Node& node) {
    std::string text = text_of(node);
    static const std::vector<std::string> allowed = {
        "scope.cluster", "scope.proxy",   "scope.backend", "scope.client",
        "incident.id",   "incident.type", "incident.title"};
    for (const std::string& name : references_in(text)) {
      if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
      problems_.add(node.place(), node.path(),
                    "${" + name +
                        "}: expected scope.cluster, scope.proxy, scope.backend, "
                        "scope.client, incident.id, incident.type or incident.title");
    }
    return text;
  }

  void read_cooldown(const std::string& name, const Node& node, Policy& policy) {
    if (library_.find(name) == nullptr) {
      problems_.add(node.place(), node.path(), "no such runbook, expected the name of one");
    }
    CooldownOverride cooldown;
    Map map = node.map();
    cooldown.base = map.duration("base", 0s, 0s, 24h);
    cooldown.factor = map.number("factor", 1, 1, 100);
    cooldown.max = map.duration("max", cooldown.base, cooldown.base, 24h * 7);
    map.finish();
    policy.cooldowns[name] = cooldown;
  }

  ClusterPolicy read_cluster(const Node& node) {
    ClusterPolicy cluster;
    Map map = node.map();
    if (auto healthy_node = map.optional("min_healthy")) {
      Map healthy = healthy_node->map();
      if (auto n = healthy.optional("proxies")) {
        cluster.min_healthy_proxies = static_cast<int>(n->integer(0, 10000));
      }
      if (auto n = healthy.optional("backends")) {
        cluster.min_healthy_backends = static_cast<int>(n->integer(0, 10000));
      }
      healthy.finish();
    }
    if (auto modes = map.optional("modes")) {
      Map by_runbook = modes->map();
      for (const auto& [name, value] : modes->entries()) {
        if (library_.find(name) == nullptr) {
          problems_.add(value.place(), value.path(), "no such runbook, expected the name of one");
        }
        cluster.modes[name] = static_cast<Mode>(by_runbook.choice(name, 0, mode_names()));
      }
    }
    map.finish();
    return cluster;
  }

  QuietPeriod read_quiet(const Node& node) {
    QuietPeriod quiet;
    Map map = node.map();
    quiet.from = read_time(map.required("from"));
    quiet.to = read_time(map.required("to"));
    quiet.mode =
        static_cast<Mode>(map.choice("mode", static_cast<size_t>(Mode::kApprove), mode_names()));
    if (auto clusters = map.optional("clusters")) {
      for (const Node& item : clusters->list()) quiet.clusters.push_back(item.text());
    }
    map.finish();
    return quiet;
  }

  static Duration read_time(const Node& node) {
    const std::optional<Duration> time = time_of_day(node.text());
    if (!time.has_value() && !node.is_null())
      node.problem("a time of day in UTC such as \"22:30\"");
    return time.value_or(0s);
  }

  PreApproval read_preapproval(const Node& node) {
    PreApproval approval;
    Map map = node.map();
    const Node runbook_node = map.required("runbook");
    approval.runbook = runbook_node.text();
    known_runbook(runbook_node);
    approval.cluster = map.required("cluster").text();
    approval.by = map.required("by").text();
    approval.at = map.required("at").text();
    map.finish();
    return approval;
  }

  const Library& library_;
  Problems& problems_;
};

bool within(const QuietPeriod& quiet, std::string_view cluster, base::WallTime now) {
  if (!quiet.clusters.empty() &&
      std::find(quiet.clusters.begin(), quiet.clusters.end(), cluster) == quiet.clusters.end()) {
    return false;
  }
  const Duration day = 24h;
  const Duration time(now.ns % day.count());
  if (quiet.from <= quiet.to) return time >= quiet.from && time < quiet.to;
  return time >= quiet.from || time < quiet.to;
}

}  // namespace

std::string_view to_string(Mode mode) {
  return mode_names()[static_cast<size_t>(mode)];
}

int Policy::min_healthy(std::string_view cluster, ParamType kind) const {
  const auto at = clusters.find(cluster);
  if (kind == ParamType::kBackend) {
    if (at == clusters.end()) return min_healthy_backends;
    return at->second.min_healthy_backends.value_or(min_healthy_backends);
  }
  if (at == clusters.end()) return min_healthy_proxies;
  return at->second.min_healthy_proxies.value_or(min_healthy_proxies);
}

Mode Policy::mode(const Response& response, std::string_view cluster, base::WallTime now) const {
  Mode mode = response.mode;
  if (const auto at = clusters.find(cluster); at != clusters.end()) {
    const auto own = at->second.modes.find(response.runbook);
    if (own != at->second.modes.end()) mode = own->second;
  }
  for (const QuietPeriod& period : quiet) {
    if (within(period, cluster, now)) mode = std::min(mode, period.mode);
  }
  return mode;
}

Cooldown Policy::cooldown(const Runbook& runbook) const {
  Cooldown cooldown = runbook.cooldown;
  const auto at = cooldowns.find(runbook.name);
  if (at == cooldowns.end()) return cooldown;
  cooldown.base = at->second.base;
  cooldown.factor = at->second.factor;
  cooldown.max = at->second.max;
  return cooldown;
}

const PreApproval* Policy::preapproval(std::string_view runbook, std::string_view cluster) const {
  for (const PreApproval& approval : preapproved) {
    if (approval.runbook == runbook && approval.cluster == cluster) return &approval;
  }
  return nullptr;
}

Result<Policy> parse_policy(const SourceText& source, const Library& library) {
  Problems problems;
  const Node root = Document::parse(shield_references(source.text), source.file, problems);
  if (!problems.empty()) return error_of(problems);
  Policy policy = Reader(library, problems).policy(root);
  if (!problems.empty()) return error_of(problems);
  return policy;
}

}  // namespace agent::runbook
