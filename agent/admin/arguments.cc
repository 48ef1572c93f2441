#include "agent/admin/arguments.h"

#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/core/text.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

const json::value* present(const json::object& args, std::string_view name) {
  const json::value* value = args.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

base::Error wrong(std::string_view name, const json::value& value, std::string_view expected) {
  return base::Error(base::ErrorCode::kInvalid, std::string(name) + ": got " +
                                                    base::printable(json::serialize(value), 80) +
                                                    ", expected " + std::string(expected));
}

base::Error missing(std::string_view name) {
  return base::Error(base::ErrorCode::kInvalid, std::string(name) + " is missing");
}

}  // namespace

std::optional<std::string> text_argument(const json::object& args, std::string_view name) {
  const json::value* value = present(args, name);
  if (value == nullptr) return std::nullopt;
  if (const json::string* text = value->if_string()) return std::string(text->data(), text->size());
  return json::serialize(*value);
}

base::Result<std::string> required_text(const json::object& args, std::string_view name) {
  const json::value* value = present(args, name);
  if (value == nullptr) return missing(name);
  if (!value->is_string() && !value->is_number()) return wrong(name, *value, "a text");
  auto text = text_argument(args, name);
  if (text->empty()) return missing(name);
  return *std::move(text);
}

base::Result<uint64_t> required_number(const json::object& args, std::string_view name,
                                       uint64_t max) {
  if (present(args, name) == nullptr) return missing(name);
  return number_argument(args, name, 0, max);
}

base::Result<uint64_t> number_argument(const json::object& args, std::string_view name,
                                       uint64_t fallback, uint64_t max) {
  const json::value* value = present(args, name);
  if (value == nullptr) return fallback;
  const auto number = base::parse_u64(*text_argument(args, name));
  if (!number || *number > max) {
    return wrong(name, *value, "a whole number from 0 to " + std::to_string(max));
  }
  return *number;
}

base::Result<bool> boolean_argument(const json::object& args, std::string_view name,
                                    bool fallback) {
  const json::value* value = present(args, name);
  if (value == nullptr) return fallback;
  if (value->is_bool()) return value->get_bool();
  const std::string text = *text_argument(args, name);
  if (text == "true") return true;
  if (text == "false") return false;
  return wrong(name, *value, "true or false");
}

base::Result<json::object> object_argument(const json::object& args, std::string_view name) {
  const json::value* value = present(args, name);
  if (value == nullptr) return json::object{};
  if (!value->is_object()) return wrong(name, *value, "an object");
  return value->get_object();
}

base::Result<double> share_argument(const json::object& args, std::string_view name,
                                    double fallback) {
  const json::value* value = present(args, name);
  if (value == nullptr) return fallback;
  const std::string text = *text_argument(args, name);
  double share = -1;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), share);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  // Written so that what is no number at all is refused too.
  if (!whole || !(share >= 0 && share <= 1)) return wrong(name, *value, "a number from 0 to 1");
  return share;
}

}  // namespace agent::admin
