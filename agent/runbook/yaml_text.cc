#include "agent/runbook/yaml_text.h"

#include <boost/json/array.hpp>
#include <charconv>

namespace agent::runbook {
namespace {

namespace json = boost::json;
using base::config::Node;
using base::config::Problems;

bool is_reference_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

std::string rewrite(std::string_view text, char open, char close, char new_open, char new_close) {
  std::string result(text);
  for (size_t at = 0; at + 1 < result.size(); ++at) {
    if (result[at] != '$' || result[at + 1] != open) continue;
    size_t end = at + 2;
    while (end < result.size() && is_reference_char(result[end])) ++end;
    if (end == result.size() || result[end] != close) continue;
    result[at + 1] = new_open;
    result[end] = new_close;
  }
  return result;
}

}  // namespace

std::string shield_references(std::string_view yaml) {
  return rewrite(yaml, '{', '}', '(', ')');
}
std::string restore_references(std::string_view text) {
  return rewrite(text, '(', ')', '{', '}');
}

std::string text_of(const Node& node) {
  return restore_references(node.text());
}

json::value json_of(const Node& node) {
  if (node.is_map()) return object_of(node);
  if (node.is_list()) {
    json::array items;
    for (const Node& item : node.list()) items.push_back(json_of(item));
    return items;
  }
  if (node.is_null()) return nullptr;
  const std::string text = text_of(node);
  if (node.is_quoted()) return json::value(text);
  if (text == "true" || text == "false") return text == "true";
  int64_t integer = 0;
  const char* end = text.data() + text.size();
  if (auto [at, bad] = std::from_chars(text.data(), end, integer);
      at == end && bad == std::errc()) {
    return integer;
  }
  double number = 0;
  if (auto [at, bad] = std::from_chars(text.data(), end, number); at == end && bad == std::errc()) {
    return number;
  }
  return json::value(text);
}

json::object object_of(const Node& node) {
  json::object object;
  for (const auto& [key, value] : node.entries()) object[key] = json_of(value);
  return object;
}

Expression expression_of(const Node& node, Problems& problems) {
  const std::string text = text_of(node);
  base::Result<Expression> expression = Expression::parse(text);
  if (expression.ok()) return *expression;
  problems.add(node.place(), node.path(),
               "got \"" + text + "\", expected an expression: " + expression.error().context);
  return {};
}

base::Error error_of(const Problems& problems) {
  return base::Error(base::ErrorCode::kInvalid, restore_references(problems.to_string()));
}

}  // namespace agent::runbook
