#include "agent/runbook/meaning.h"

#include <algorithm>

#include "agent/runbook/guard.h"
#include "base/config/scalar.h"

namespace agent::runbook {
namespace {

// Of a proxy or backend (runbook/facts.h).
std::vector<std::string> member_states() {
  return {"up", "starting", "stuck", "dead", "draining", "ejected"};
}

bool is_member(ParamType type) {
  return type == ParamType::kProxy || type == ParamType::kBackend;
}

bool has_target(const Runbook& book) {
  return std::any_of(book.params.begin(), book.params.end(),
                     [](const Param& param) { return is_target(param.types.front()); });
}

bool has_member(const Runbook& book) {
  return std::any_of(book.params.begin(), book.params.end(), [](const Param& param) {
    return std::any_of(param.types.begin(), param.types.end(), is_member);
  });
}

}  // namespace

const std::vector<std::string_view>& fields_of(ParamType type) {
  static const std::vector<std::string_view> member = {"id",      "kind", "cluster",
                                                       "address", "port", "state"};
  static const std::vector<std::string_view> cluster = {"id",      "kind",     "cluster",
                                                        "proxies", "backends", "dead_proxies"};
  static const std::vector<std::string_view> cache = {"id", "kind", "cluster", "label"};
  static const std::vector<std::string_view> none;
  switch (type) {
    case ParamType::kProxy:
    case ParamType::kBackend:
      return member;
    case ParamType::kCluster:
      return cluster;
    case ParamType::kCache:
      return cache;
    default:
      return none;
  }
}

bool is_list_field(std::string_view field) {
  return field == "proxies" || field == "backends" || field == "dead_proxies";
}

Meaning meaning_of(const std::string& reference, const Runbook& book,
                   const std::vector<ParamType>& item) {
  const size_t dot = reference.find('.');
  const std::string root = reference.substr(0, dot);
  const std::string field = dot == std::string::npos ? "" : reference.substr(dot + 1);
  if (root == "steps") return {};
  if (root == "run") return {{ParamType::kText}, false};
  if (root == "policy") return {{ParamType::kDuration}, false};
  if (root == "item") return {item, false};
  const Param* param = book.param(root);
  if (param == nullptr) return {};
  if (field.empty() || field == "id") return {param->types, false};
  if (field == "cluster") return {{ParamType::kCluster}, false};
  if (field == "port") return {{ParamType::kNumber}, false};
  return {{ParamType::kText}, is_list_field(field)};
}

bool fits(ParamType have, ParamType want) {
  // What a text is only the run knows.
  return have == want || have == ParamType::kText || want == ParamType::kText ||
         (have == ParamType::kNumber &&
          (want == ParamType::kDuration || want == ParamType::kCache));
}

bool fits(const boost::json::value& value, ParamType want) {
  constexpr double kDay = 86'400;
  if (value.is_number() && want == ParamType::kDuration) {
    const double seconds = value.to_number<double>();
    return seconds >= 0 && seconds <= kDay;
  }
  if (value.is_number()) return !is_target(want) || want == ParamType::kCache;
  if (!value.is_string()) return false;
  const std::string_view text = value.get_string();
  if (want == ParamType::kNumber) return base::config::parse_number(text).has_value();
  if (want == ParamType::kDuration) return parse_duration_argument(text).has_value();
  return true;
}

std::string words_for(const std::vector<ParamType>& types) {
  std::string text;
  for (const ParamType type : types) {
    text += text.empty() ? "" : " or ";
    text += (type == ParamType::kText ? "" : "a ") + std::string(to_string(type));
  }
  return text;
}

Domains guard_domains(const Runbook& book) {
  return [&book](std::string_view name, bool) -> std::optional<Domain> {
    const auto kind = guard_kind(name);
    if (!kind) return std::nullopt;
    if (name == "class") return Domain::one_of({std::string(to_string(book.cls))});
    if (name == "confidence") return Domain::between(*kind, 0, 1);
    if (name == "budget") return Domain::of(*kind);
    if (!has_target(book)) return Domain::never_known();
    if (name == "target.state") {
      return has_member(book) ? Domain::one_of(member_states()) : Domain::never_known();
    }
    Domain domain = Domain::of(*kind);
    // Nobody may have been healthy before the target was taken away.
    if (name != "healthy_after") domain.low = 0;
    return domain;
  };
}

Domains reference_domains(const Runbook& book) {
  return [&book](std::string_view name, bool is_reference) -> std::optional<Domain> {
    const size_t dot = name.find('.');
    if (!is_reference || dot == std::string_view::npos) return std::nullopt;
    const Param* param = book.param(name.substr(0, dot));
    const std::string_view field = name.substr(dot + 1);
    if (param == nullptr) return std::nullopt;
    if (field == "kind") {
      std::vector<std::string> kinds;
      for (const ParamType type : param->types) kinds.emplace_back(to_string(type));
      return Domain::one_of(std::move(kinds));
    }
    const bool members = std::all_of(param->types.begin(), param->types.end(), is_member);
    if (field == "state" && members) return Domain::one_of(member_states());
    return std::nullopt;
  };
}

}  // namespace agent::runbook
