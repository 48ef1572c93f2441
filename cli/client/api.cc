#include "cli/client/api.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/core/text.h"
#include "base/net/http.h"

namespace cli {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::net::HttpCall;
using base::net::HttpResponse;
using namespace std::chrono_literals;

constexpr base::Duration kReadTime = 10s;
constexpr base::Duration kActTime = 60s;
constexpr base::Duration kEventSilence = 10s;  // status comes every second

ErrorCode code_named(std::string_view name, int status) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  }
  switch (status) {
    case 400:
      return ErrorCode::kInvalid;
    case 401:
    case 403:
      return ErrorCode::kPermission;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 422:
      return ErrorCode::kRefused;
    case 503:
      return ErrorCode::kUnavailable;
    case 504:
      return ErrorCode::kTimeout;
    default:
      return ErrorCode::kInternal;
  }
}

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

Error error_of(const HttpResponse& response, const std::string& path) {
  json::error_code failure;
  const json::value body = json::parse(response.body, failure);
  std::string code, context;
  if (!failure && body.is_object()) {
    const json::value* error = body.get_object().if_contains("error");
    if (error && error->is_object()) {
      code = text_in(error->get_object(), "code");
      context = text_in(error->get_object(), "context");
    }
  }
  // 422 is a guard's answer, whatever the word for it.
  const ErrorCode known =
      response.status == 422 ? ErrorCode::kRefused : code_named(code, response.status);
  if (context.empty()) {
    context = path + " answered " + std::to_string(response.status) +
              (response.body.empty() ? "" : ": " + base::printable(response.body, 120));
  }
  if (response.status == 401 || response.status == 403) {
    context += "; acts need the operator's token: use --dir of the region, or --token-file";
  }
  return Error(known, context);
}

HttpCall call_of(const Endpoint& endpoint, const std::string& method, const std::string& path) {
  HttpCall call;
  call.method = method;
  call.url = endpoint.url + path;
  call.timeout = method == "GET" ? kReadTime : kActTime;
  if (!endpoint.token.empty()) {
    call.headers.emplace_back("Authorization", "Bearer " + std::string(endpoint.token.reveal()));
  }
  return call;
}

Error unreachable(const Error& error) {
  Error told = error;
  told.context += "; is the agent running? Look with mcguard up or at the region's log/";
  return told;
}

}  // namespace

base::Result<json::value> Api::get(const std::string& path) const {
  return call("GET", path, {});
}

base::Result<json::value> Api::send(const std::string& method, const std::string& path,
                                    const json::object& body) const {
  return call(method, path, json::serialize(body));
}

base::Result<json::value> Api::call(const std::string& method, const std::string& path,
                                    std::string body) const {
  HttpCall call = call_of(endpoint_, method, path);
  if (!body.empty()) {
    call.headers.emplace_back("Content-Type", "application/json");
    call.body = std::move(body);
  }
  auto response = base::net::http_call_blocking(call);
  if (!response) {
    if (response.code() == ErrorCode::kInvalid) return response.error();
    return unreachable(response.error());
  }
  if (response->status < 200 || response->status > 299) return error_of(*response, path);
  if (response->body.empty()) return json::value(json::object());
  json::error_code failure;
  json::value value = json::parse(response->body, failure);
  if (failure) {
    return Error(ErrorCode::kInternal,
                 endpoint_.url + path + " did not answer with JSON: is this an mcguard agent?");
  }
  return value;
}

base::Result<> Api::events(const std::string& path, const OnEvent& event) const {
  std::string name, data;
  const auto on_line = [&](std::string_view line) {
    if (line.starts_with("event: ")) {
      name = line.substr(7);
    } else if (line.starts_with("data: ")) {
      data += (data.empty() ? "" : "\n");
      data += line.substr(6);
    } else if (line.empty() && !data.empty()) {
      const bool more = event(name, data);
      name.clear();
      data.clear();
      return more;
    }
    return true;
  };
  auto ended =
      base::net::http_stream_blocking(call_of(endpoint_, "GET", path), kEventSilence, on_line);
  if (!ended) return unreachable(ended.error());
  return {};
}

std::string url_encoded(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

}  // namespace cli
