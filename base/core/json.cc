#include "base/core/json.h"

#include <algorithm>
#include <boost/json/stream_parser.hpp>
#include <cmath>

namespace base {
namespace {

namespace json = boost::json;

bool is_finite(const json::value& value) {
  if (value.is_object()) {
    const json::object& members = value.get_object();
    return std::all_of(members.begin(), members.end(),
                       [](const auto& member) { return is_finite(member.value()); });
  }
  if (value.is_array()) {
    return std::all_of(value.get_array().begin(), value.get_array().end(), is_finite);
  }
  return !value.is_double() || std::isfinite(value.get_double());
}

std::string place_of(std::string_view before) {
  const size_t line_start = before.rfind('\n') + 1;  // 0 when there is none
  return "line " + std::to_string(std::count(before.begin(), before.end(), '\n') + 1) +
         ", column " + std::to_string(before.size() - line_start + 1);
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  json::stream_parser parser;
  json::error_code failed;
  size_t read = parser.write_some(text.data(), text.size(), failed);
  if (!failed && read < text.size()) failed = json::error::extra_data;
  if (!failed) parser.finish(failed);
  if (failed) {
    read = std::min(read, text.size());
    return Error(ErrorCode::kInvalid, place_of(text.substr(0, read)) + ": " + failed.message(),
                 Origin::kClient);
  }
  json::value value = parser.release();
  if (!is_finite(value)) {
    return Error(ErrorCode::kInvalid, "a number in it is beyond 1.8e308", Origin::kClient);
  }
  return value;
}

}  // namespace base
