#include "agent/runbook/sample.h"

#include "agent/runbook/reference.h"

namespace agent::runbook {

namespace json = boost::json;
using base::ErrorCode;

bool certainly_nothing(ErrorCode code) {
  return code != ErrorCode::kUnknown && code != ErrorCode::kTimeout;
}

Sample judge_sample(const ActionResult& answer) {
  if (!answer.ok()) {
    const ErrorCode code = answer.code();
    const bool could_not_ask = code == ErrorCode::kUnknown || code == ErrorCode::kTimeout ||
                               code == ErrorCode::kUnavailable || code == ErrorCode::kIo;
    return {could_not_ask ? Holds::kInconclusive : Holds::kNo, answer.error().to_string()};
  }
  const json::value* ok = answer->if_contains("ok");
  if (ok == nullptr || !ok->is_bool() || ok->get_bool()) return {Holds::kYes, "it holds"};
  const json::value* reason = answer->if_contains("reason");
  const bool told = reason != nullptr && reason->is_string();
  return {Holds::kNo, told ? std::string(reason->get_string()) : "it says no"};
}

Lookup lookup_in(const json::object& scope) {
  return [&scope](std::string_view name, bool reference) -> std::optional<Value> {
    if (!reference) return std::nullopt;
    const std::optional<json::value> found = resolve(scope, name);
    if (!found.has_value()) return Value::unknown("there is no such value");
    if (found->is_string()) return Value::word(std::string(found->get_string()));
    if (found->is_bool()) return Value::boolean(found->get_bool());
    if (!found->is_number()) return Value::unknown("it is no text, number or truth");
    boost::system::error_code failed;
    return Value::of(found->to_number<double>(failed));
  };
}

}  // namespace agent::runbook
