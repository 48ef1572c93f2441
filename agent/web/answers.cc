#include "agent/web/answers.h"

#include <array>
#include <boost/json.hpp>
#include <cstdio>

#include "base/core/hash.h"
#include "base/core/json.h"

namespace agent::web {

namespace json = boost::json;
using base::net::HttpResponse;

namespace {

constexpr const char* kPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

HttpResponse answer(int status, std::string content_type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

HttpResponse json_answer(int status, const json::value& value) {
  HttpResponse response =
      answer(status, "application/json; charset=utf-8", json::serialize(value) + "\n");
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse error_answer(int status, std::string_view code, std::string_view context) {
  json::object inside;
  inside["code"] = code;
  inside["context"] = context;
  json::object out;
  out["error"] = std::move(inside);
  return json_answer(status, out);
}

HttpResponse text_answer(int status, std::string text) {
  return answer(status, "text/plain; charset=utf-8", std::move(text));
}

HttpResponse page_answer(int status, std::string html) {
  HttpResponse response = answer(status, "text/html; charset=utf-8", std::move(html));
  response.headers.emplace_back("Content-Security-Policy", kPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse asset_answer(std::string_view content, std::string content_type) {
  HttpResponse response = answer(200, std::move(content_type), std::string(content));
  std::array<char, 24> tag{};
  std::snprintf(tag.data(), tag.size(), "\"%016llx\"",
                static_cast<unsigned long long>(base::hash64(content, 0)));
  response.headers.emplace_back("ETag", tag.data());
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

base::Result<json::object> arguments_of(const base::net::HttpRequest& request,
                                        const json::object& from_path) {
  json::object args;
  for (const auto& [key, value] : request.query) args[key] = value;
  if (request.body.find_first_not_of(" \t\r\n") != std::string::npos) {
    base::Result<json::value> body = base::parse_json(request.body);
    if (!body.ok() || !body->is_object()) {
      const std::string found =
          body.ok() ? "it is another kind of JSON" : "it does not parse: " + body.error().context;
      return base::Error(base::ErrorCode::kInvalid,
                         "the body: expected one JSON object such as {\"params\":{}}, but " + found,
                         base::Origin::kClient);
    }
    for (auto& member : body->get_object()) args[member.key()] = std::move(member.value());
  }
  for (const auto& member : from_path) args[member.key()] = member.value();
  return args;
}

}  // namespace agent::web
