#include "agent/runbook/reference.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace agent::runbook {
namespace {

namespace json = boost::json;

struct Found {
  size_t begin = 0;  // of "${"
  size_t end = 0;    // behind "}"
  std::string_view name;
};

std::optional<Found> next_reference(std::string_view text, size_t from) {
  const size_t begin = text.find("${", from);
  if (begin == std::string_view::npos) return std::nullopt;
  const size_t close = text.find('}', begin);
  if (close == std::string_view::npos) return std::nullopt;
  return Found{begin, close + 1, text.substr(begin + 2, close - begin - 2)};
}

std::string text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  return json::serialize(value);
}

json::value substitute_text(std::string_view text, const json::object& scope) {
  const std::optional<Found> first = next_reference(text, 0);
  if (first.has_value() && first->begin == 0 && first->end == text.size()) {
    if (std::optional<json::value> value = resolve(scope, first->name)) return *value;
  }
  return json::value(substitute(text, scope));
}

}  // namespace

std::vector<std::string> references_in(std::string_view text) {
  std::vector<std::string> names;
  for (auto found = next_reference(text, 0); found; found = next_reference(text, found->end)) {
    names.emplace_back(found->name);
  }
  return names;
}

std::vector<std::string> references_in(const json::value& value) {
  std::vector<std::string> names;
  const auto add = [&names](std::vector<std::string> more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  if (value.is_string()) add(references_in(std::string_view(value.get_string())));
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) add(references_in(item));
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.get_object()) add(references_in(item));
  }
  return names;
}

std::optional<json::value> resolve(const json::object& scope, std::string_view name) {
  const json::object* within = &scope;
  while (true) {
    const size_t dot = name.find('.');
    const json::value* found = within->if_contains(name.substr(0, dot));
    if (found == nullptr) return std::nullopt;
    if (dot == std::string_view::npos) {
      if (!found->is_object()) return *found;
      const json::value* id = found->get_object().if_contains("id");
      return id == nullptr ? *found : *id;
    }
    if (!found->is_object()) return std::nullopt;
    within = &found->get_object();
    name.remove_prefix(dot + 1);
  }
}

std::string substitute(std::string_view text, const json::object& scope) {
  std::string result;
  size_t done = 0;
  for (auto found = next_reference(text, 0); found; found = next_reference(text, found->end)) {
    result += text.substr(done, found->begin - done);
    const std::optional<json::value> value = resolve(scope, found->name);
    result += value.has_value() ? text_of(*value)
                                : std::string(text.substr(found->begin, found->end - found->begin));
    done = found->end;
  }
  return result += text.substr(done);
}

json::value substitute(const json::value& value, const json::object& scope) {
  if (value.is_string()) return substitute_text(value.get_string(), scope);
  if (value.is_array()) {
    json::array result;
    for (const json::value& item : value.get_array()) result.push_back(substitute(item, scope));
    return result;
  }
  if (value.is_object()) {
    json::object result;
    for (const auto& [key, item] : value.get_object()) result[key] = substitute(item, scope);
    return result;
  }
  return value;
}

base::Result<> all_resolved(const json::value& value) {
  const std::vector<std::string> left = references_in(value);
  if (left.empty()) return {};
  return base::Error(base::ErrorCode::kInvalid, "${" + left.front() + "} has no value");
}

}  // namespace agent::runbook
