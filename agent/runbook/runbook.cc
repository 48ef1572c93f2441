#include "agent/runbook/runbook.h"

#include <boost/json/array.hpp>

#include "agent/runbook/yaml_text.h"

namespace agent::runbook {

namespace json = boost::json;

const Param* Runbook::param(std::string_view param_name) const {
  for (const Param& candidate : params) {
    if (candidate.name == param_name) return &candidate;
  }
  return nullptr;
}

json::object Runbook::to_json() const {
  json::object out;
  out["name"] = name;
  out["version"] = version;
  out["summary"] = summary;
  out["class"] = to_string(cls);
  out["sha256"] = sha256;
  json::array all_params;
  for (const Param& one : params) {
    json::array types;
    for (const ParamType type : one.types) types.push_back(json::value(to_string(type)));
    json::object shown;
    shown["name"] = one.name;
    shown["types"] = std::move(types);
    shown["required"] = one.required;
    if (one.fallback.has_value()) shown["default"] = *one.fallback;
    all_params.push_back(std::move(shown));
  }
  out["params"] = std::move(all_params);
  json::array all_guards;
  for (const Guard& guard : guards) all_guards.push_back(json::value(guard.expression.text()));
  out["guards"] = std::move(all_guards);
  json::array all_steps;
  for (const Step& step : steps) {
    json::object shown;
    shown["id"] = step.id;
    shown["do"] = step.action;
    all_steps.push_back(std::move(shown));
  }
  out["steps"] = std::move(all_steps);
  out["text"] = text;
  return out;
}

base::Result<Library> Library::build(const std::vector<SourceText>& sources,
                                     const ActionRegistry& actions) {
  base::config::Problems problems;
  Library library;
  for (const SourceText& source : sources) {
    std::optional<Runbook> book = parse_runbook(source, problems);
    if (!book.has_value()) continue;
    lint(*book, actions, problems);
    const base::config::Place place = book->place;
    std::string name = book->name;
    if (!library.runbooks_.emplace(name, std::move(*book)).second) {
      problems.add(place, "runbook", "got \"" + name + "\" again, expected each name once");
    }
  }
  if (!problems.empty()) return error_of(problems);
  return library;
}

const Runbook* Library::find(std::string_view name) const {
  const auto at = runbooks_.find(name);
  return at == runbooks_.end() ? nullptr : &at->second;
}

}  // namespace agent::runbook
