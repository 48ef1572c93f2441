#include "cli/client/endpoint.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "base/core/file.h"
#include "cli/region/places.h"

namespace cli {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;

constexpr size_t kMaxToken = 4096;

base::Result<base::Secret> read_token(const std::string& path) {
  auto text = base::read_file(path, kMaxToken);
  if (!text) {
    return Error(text.code(), "cannot read the operator's token: " + text.error().context);
  }
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return base::Secret(std::move(*text));
}

base::Result<std::string> operator_url(const Places& places) {
  auto text = read_region_json(places, "name another with --dir or --url");
  if (!text) return text.error();
  json::error_code failure;
  const json::value region = json::parse(*text, failure);
  if (!failure && region.is_object()) {
    const json::value* urls = region.get_object().if_contains("urls");
    const json::value* url =
        urls && urls->is_object() ? urls->get_object().if_contains("operator") : nullptr;
    if (url && url->is_string()) return std::string(url->get_string());
  }
  return Error(ErrorCode::kIo, places.region_json() + " names no operator URL: give it with --url");
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

base::Result<Endpoint> find_endpoint(const EndpointOptions& options) {
  Endpoint endpoint;
  const Places places(options.dir);
  std::string token_file = options.token_file;
  if (options.url.empty()) {
    auto url = operator_url(places);
    if (!url) return url.error();
    endpoint.url = without_slash(std::move(*url));
    // Not everybody who may look may act: without the file there is no token, and acts say so.
    const std::string own = places.dir + "/operator.token";
    if (token_file.empty() && base::read_file(own, kMaxToken).ok()) token_file = own;
  } else {
    endpoint.url = without_slash(options.url);
  }
  if (!token_file.empty()) {
    auto token = read_token(token_file);
    if (!token) return token.error();
    endpoint.token = std::move(*token);
  }
  return endpoint;
}

}  // namespace cli
