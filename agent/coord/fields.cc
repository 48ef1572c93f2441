#include "agent/coord/fields.h"

namespace agent::coord {

std::string text_field(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

uint64_t number_field(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code failed;
  const uint64_t result = value->to_number<uint64_t>(failed);
  return failed ? 0 : result;
}

}  // namespace agent::coord
