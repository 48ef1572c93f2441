#include "base/net/rpc_line.h"

#include <boost/json/serialize.hpp>

#include "base/core/json.h"
#include "base/core/text.h"

namespace base::net {
namespace {

namespace json = boost::json;

constexpr size_t kMaxVerb = 64;

std::optional<json::object> parse_object(std::string_view line) {
  Result<json::value> value = parse_json(line);
  if (!value.ok() || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

ErrorCode code_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kInternal;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (!found || !found->is_string()) return {};
  return std::string(found->get_string());
}

Error bad_request(std::string sentence) {
  return Error(ErrorCode::kInvalid, std::move(sentence), Origin::kClient);
}

}  // namespace

std::string encode_rpc_request(const RpcRequest& request) {
  json::object line;
  line["verb"] = request.verb;
  if (request.fence != 0) line["fence"] = request.fence;
  line["args"] = request.args;
  return json::serialize(line);
}

std::string encode_rpc_answer(const Result<json::value>& answer) {
  json::object line;
  line["ok"] = answer.ok();
  if (answer.ok()) {
    line["value"] = *answer;
  } else {
    json::object error;
    error["code"] = to_string(answer.error().code);
    error["context"] = answer.error().context;
    line["error"] = std::move(error);
  }
  return json::serialize(line);
}

Result<RpcRequest> parse_rpc_request(std::string_view line) {
  auto object = parse_object(line);
  if (!object) {
    return bad_request(
        "expected one JSON object on a line, like {\"verb\":\"status\",\"args\":{}}");
  }
  RpcRequest request;
  request.verb = text_of(*object, "verb");
  if (request.verb.empty() || request.verb.size() > kMaxVerb) {
    return bad_request("verb: expected a text of 1 to 64 bytes");
  }
  if (const json::value* fence = object->if_contains("fence")) {
    json::error_code failure;
    request.fence = fence->to_number<uint64_t>(failure);
    if (failure) return bad_request("fence: expected a whole number that is not negative");
  }
  if (json::value* args = object->if_contains("args")) {
    if (!args->is_object()) return bad_request("args: expected an object");
    request.args = std::move(args->as_object());
  }
  return request;
}

Result<json::value> parse_rpc_answer(std::string_view line) {
  auto object = parse_object(line);
  const json::value* ok = object ? object->if_contains("ok") : nullptr;
  if (!ok || !ok->is_bool()) {
    return Error(ErrorCode::kInternal, "not an answer: " + printable(line, 80));
  }
  if (ok->get_bool()) {
    json::value* value = object->if_contains("value");
    return value ? std::move(*value) : json::value();
  }
  const json::value* error = object->if_contains("error");
  if (!error || !error->is_object()) {
    return Error(ErrorCode::kInternal, "an answer that failed without saying why");
  }
  const json::object& fields = error->get_object();
  return Error(code_named(text_of(fields, "code")), text_of(fields, "context"));
}

}  // namespace base::net
