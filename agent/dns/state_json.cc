#include "agent/dns/state_json.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>

#include "agent/dns/change.h"

namespace agent::dns {
namespace {

namespace json = boost::json;

base::Error wrong(const std::string& name, const char* what) {
  return base::Error(base::ErrorCode::kInvalid, name + ": " + what);
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string());
}

// nullopt: there, but no such number.
std::optional<uint64_t> number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return 0;
  boost::system::error_code failed;
  const auto number = value->to_number<uint64_t>(failed);
  if (failed) return std::nullopt;
  return number;
}

// False: no record of a type that is known here.
bool add_record(const json::value& value, Target& target) {
  if (!value.is_object()) return false;
  const std::string type = text_at(value.get_object(), "type");
  const std::string content = text_at(value.get_object(), "value");
  if (type == "CNAME") {
    const auto alias = normal_name(content);
    if (!alias || !target.alias.empty()) return false;
    target.alias = *alias;
    return true;
  }
  const auto address = normal_address(content);
  if (!address || type != (is_ipv4(*address) ? "A" : "AAAA")) return false;
  target.addresses.push_back(*address);
  return true;
}

}  // namespace

json::array records_json(const Target& target) {
  json::array records;
  const auto add = [&](std::string_view type, const std::string& value) {
    json::object record;
    record["type"] = type;
    record["value"] = value;
    records.push_back(std::move(record));
  };
  if (!target.alias.empty()) add("CNAME", target.alias);
  for (const std::string& each : target.addresses) add(is_ipv4(each) ? "A" : "AAAA", each);
  return records;
}

json::object state_json(const NameState& state) {
  json::object object;
  object["records"] = records_json(state.target);
  object["ttl"] = state.ttl.count();
  object["generation"] = state.generation;
  object["run"] = state.run;
  return object;
}

base::Result<NameState> parse_state(const json::value& value, const std::string& name) {
  if (!value.is_object()) return wrong(name, "expected an object");
  const json::object& object = value.get_object();
  NameState state;
  const json::value* records = object.if_contains("records");
  if (records == nullptr || !records->is_array()) return wrong(name, "expected a list of records");
  for (const json::value& record : records->get_array()) {
    if (!add_record(record, state.target)) {
      return wrong(name, "a record that is no CNAME, A or AAAA with its value");
    }
  }
  if (!state.target.alias.empty() && !state.target.addresses.empty()) {
    return wrong(name, "a CNAME beside addresses");
  }
  std::sort(state.target.addresses.begin(), state.target.addresses.end());
  const auto ttl = number_at(object, "ttl"), generation = number_at(object, "generation");
  if (!ttl || *ttl > 0x7fffffff) return wrong(name, "expected a ttl in seconds");
  if (!generation) return wrong(name, "expected a number as generation");
  state.ttl = std::chrono::seconds(*ttl);
  state.generation = *generation;
  state.run = text_at(object, "run");
  return state;
}

}  // namespace agent::dns
