#include "cli/output/yaml_text.h"

#include <boost/json/serialize.hpp>

#include "cli/output/format.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kReserved[] = {"",      "~",   "null", "true", "false", "yes",  "no",
                                          "on",    "off", "y",    "n",    "Null",  "NULL", "True",
                                          "False", "Yes", "No",   "On",   "Off"};

bool needs_quotes(std::string_view text) {
  for (const std::string_view word : kReserved) {
    if (text == word) return true;
  }
  const char first = text.front();
  const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
                      first == '/' || first == '_' || static_cast<unsigned char>(first) >= 0x80;
  if (!letter || text.back() == ' ' || text.back() == ':') return true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos;
}

std::string scalar(const json::value& value) {
  if (value.is_double()) return format_number(value.get_double());
  if (!value.is_string()) return json::serialize(value);
  const std::string_view text(value.get_string().data(), value.get_string().size());
  return needs_quotes(text) ? json::serialize(value) : std::string(text);
}

bool is_leaf(const json::value& value) {
  if (value.is_object()) return value.get_object().empty();
  if (value.is_array()) return value.get_array().empty();
  return true;
}

void write_yaml(const json::value& value, size_t indent, std::string& out);

// One entry of a map or list behind its "key:" or "-".
void write_entry(const json::value& value, size_t indent, std::string& out) {
  if (is_leaf(value)) {
    out += " " + scalar(value) + "\n";
    return;
  }
  out += "\n";
  write_yaml(value, indent, out);
}

void write_yaml(const json::value& value, size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, child] : value.get_object()) {
      out += margin + scalar(json::value(key)) + ":";
      write_entry(child, indent + 2, out);
    }
    return;
  }
  for (const json::value& child : value.get_array()) {
    if (is_leaf(child)) {
      out += margin + "- " + scalar(child) + "\n";
      continue;
    }
    // The first line of what is inside goes behind the dash.
    std::string inside;
    write_yaml(child, indent + 2, inside);
    inside[indent] = '-';
    out += inside;
  }
}

void write_json(const json::value& value, size_t indent, std::string& out) {
  const std::string margin(indent + 2, ' ');
  if (is_leaf(value)) {
    out += value.is_double() ? format_number(value.get_double()) : json::serialize(value);
    return;
  }
  const bool object = value.is_object();
  out += object ? "{\n" : "[\n";
  bool first = true;
  const auto begin_item = [&] {
    if (!first) out += ",\n";
    first = false;
    out += margin;
  };
  if (object) {
    for (const auto& [key, child] : value.get_object()) {
      begin_item();
      out += json::serialize(json::value(key)) + ": ";
      write_json(child, indent + 2, out);
    }
  } else {
    for (const json::value& child : value.get_array()) {
      begin_item();
      write_json(child, indent + 2, out);
    }
  }
  out += "\n" + std::string(indent, ' ') + (object ? "}" : "]");
}

}  // namespace

std::string to_yaml_text(const json::value& value) {
  if (is_leaf(value)) return scalar(value) + "\n";
  std::string out;
  write_yaml(value, 0, out);
  return out;
}

std::string to_json_text(const json::value& value) {
  std::string out;
  write_json(value, 0, out);
  return out + "\n";
}

}  // namespace cli
