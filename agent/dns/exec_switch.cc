#include "agent/dns/exec_switch.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "agent/dns/change.h"
#include "agent/dns/plugin_process.h"
#include "agent/dns/state_json.h"
#include "base/core/json.h"
#include "base/core/text.h"

namespace agent::dns {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;

Error unknown(const std::string& what) {
  return Error(ErrorCode::kUnknown, what + "; whether it happened is unknown",
               base::Origin::kBackend, base::Retry::kIfUnsent);
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string());
}

bool says(const json::object& object, std::string_view key, bool otherwise) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

ErrorCode code_named(const std::string& name) {
  for (const ErrorCode code :
       {ErrorCode::kInvalid, ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kRefused,
        ErrorCode::kExhausted, ErrorCode::kPermission}) {
    if (base::to_string(code) == name) return code;
  }
  return ErrorCode::kUnavailable;
}

Error parse_error(const std::string& program, const json::object& error) {
  const std::string code = text_at(error, "code");
  const std::string what =
      program + ": " + code + ": " + base::printable(text_at(error, "message"));
  if (says(error, "maybe_done", true) || code == "unknown" || code == "timeout") {
    return unknown(what);
  }
  const bool again = says(error, "retryable", false);
  return Error(code_named(code), what, base::Origin::kBackend,
               again ? base::Retry::kSafe : base::Retry::kNever);
}

// Reading changes nothing, so that no failure of it leaves anything unknown.
Error only_read(const Error& error) {
  const bool open = error.code == ErrorCode::kUnknown || error.code == ErrorCode::kTimeout;
  return Error(open ? ErrorCode::kUnavailable : error.code, error.context, error.origin,
               base::Retry::kSafe);
}

base::Result<std::vector<ServerView>> parse_views(const json::object& answer,
                                                  const std::string& name) {
  const json::value* servers = answer.if_contains("servers");
  std::vector<ServerView> views;
  if (servers != nullptr && servers->is_array()) {
    for (const json::value& each : servers->get_array()) {
      const std::string server = each.is_object() ? text_at(each.get_object(), "server") : "";
      views.push_back({server, parse_state(each, name)});
    }
  }
  if (!views.empty()) return views;
  return Error(ErrorCode::kUnavailable, name + ": the plugin names no server");
}

std::vector<Behind> parse_behind(const json::object& answer) {
  std::vector<Behind> behind;
  const json::value* servers = answer.if_contains("behind");
  if (servers == nullptr || !servers->is_array()) return behind;
  for (const json::value& each : servers->get_array()) {
    if (!each.is_object()) continue;
    Behind one;
    one.server = text_at(each.get_object(), "server");
    one.why = base::printable(text_at(each.get_object(), "why"));
    behind.push_back(std::move(one));
  }
  return behind;
}

}  // namespace

base::Result<json::object> parse_plugin_answer(const std::string& program,
                                               const std::string& output, int exit_status) {
  const auto value = base::parse_json(output);
  const json::object* answer = value && value->is_object() ? &value->get_object() : nullptr;
  if (answer == nullptr) {
    return unknown(program + " ended with status " + std::to_string(exit_status) +
                   " and no answer");
  }
  const json::value* ok = answer->if_contains("ok");
  const json::value* error = answer->if_contains("error");
  if (error != nullptr && error->is_object() && ok == nullptr) {
    return parse_error(program, error->get_object());
  }
  if (ok == nullptr || !ok->is_object() || error != nullptr) {
    return unknown(program + " answered neither ok nor error");
  }
  if (exit_status != 0) {
    return unknown(program + " answered ok, but ended with status " + std::to_string(exit_status));
  }
  return ok->get_object();
}

ExecSwitch::ExecSwitch(boost::asio::any_io_executor executor, base::Timers& timers,
                       ExecOptions options)
    : executor_(std::move(executor)), timers_(timers), options_(std::move(options)) {}

boost::asio::awaitable<base::Result<json::object>> ExecSwitch::call(std::string verb,
                                                                    json::object request,
                                                                    base::Instant deadline) {
  const base::Duration left = deadline - timers_.clock().now();
  if (left < std::chrono::milliseconds(1)) {
    co_return Error(ErrorCode::kUnavailable,
                    options_.program + " was not asked to " + verb + ": no time is left",
                    base::Origin::kSelf, base::Retry::kSafe);
  }
  request["api"] = kPluginApi;
  request["verb"] = verb;
  request["zone"] = options_.zone;
  request["deadline_ms"] = left / std::chrono::milliseconds(1);
  std::string input = json::serialize(request) + "\n";
  PluginProcess process(executor_, timers_);
  const base::Result<PluginEnd> end =
      co_await process.run(options_.program, std::move(input), deadline);
  if (!end) co_return end.error();
  if (end->late) co_return unknown(options_.program + " did not answer " + verb + " in time");
  auto answer = parse_plugin_answer(options_.program, end->output, end->exit_status);
  if (answer || end->complaint.empty()) co_return answer;
  Error error = answer.error();
  error.context += " (it wrote: " + base::printable(end->complaint) + ")";
  co_return error;
}

boost::asio::awaitable<base::Result<std::vector<ServerView>>> ExecSwitch::read(
    std::string name, base::Instant deadline) {
  const auto normal = name_in_zone(name, options_.zone);
  if (!normal) co_return normal.error();
  json::object request;
  request["name"] = *normal;
  const base::Result<json::object> answer = co_await call("get", std::move(request), deadline);
  if (!answer) co_return only_read(answer.error());
  co_return parse_views(*answer, *normal);
}

boost::asio::awaitable<base::Result<Changed>> ExecSwitch::change(Change change,
                                                                 base::Instant deadline) {
  const base::Result<Change> checked = check_change(std::move(change), options_.zone);
  if (!checked) co_return checked.error();
  json::object request;
  request["name"] = checked->name;
  request["expect_generation"] = checked->expected_generation;
  request["records"] = records_json(checked->target);
  request["ttl"] = checked->ttl.count();
  request["fence"] = checked->fence;
  request["run"] = checked->run;
  const base::Result<json::object> answer = co_await call("change", std::move(request), deadline);
  if (!answer) co_return answer.error();
  Changed changed;
  changed.state = wanted_state(*checked);
  changed.behind = parse_behind(*answer);
  co_return changed;
}

boost::asio::awaitable<base::Result<>> ExecSwitch::check(base::Instant deadline) {
  json::object request;
  const base::Result<json::object> answer = co_await call("version", std::move(request), deadline);
  if (!answer) co_return only_read(answer.error());
  const json::value* api = answer->if_contains("api");
  if (api != nullptr && api->is_int64() && api->get_int64() == kPluginApi) co_return base::Done{};
  co_return Error(ErrorCode::kInvalid,
                  options_.program + " speaks another version than " + std::to_string(kPluginApi));
}

}  // namespace agent::dns
