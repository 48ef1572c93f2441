// The table of the operator API: which method and path is which verb. One table for the router, the
// tests and docs/api.md; no code runs here.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace agent::web {

// kSecret: a read that shows what customers store.
enum class Access { kRead, kSecret, kAct };

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/api/v1/incidents/{id}/ack"
  std::string_view verb;     // "incidents.ack"
  Access access = Access::kRead;
  int success = 200;
  size_t max_body = 64u << 10;  // bytes
};
std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;      // nullptr: see `allowed`
  boost::json::object args;          // from the path
  std::vector<std::string> allowed;  // methods of this path; empty: there is no such path
};
// HEAD is a GET.
RouteMatch match_route(std::string_view method, std::string_view path);

// The HTTP status of an error of this verb. `refused` by a guard (verbs that run runbooks) is 422;
// refused for another reason is 409.
int http_status(base::ErrorCode code, std::string_view verb);

}  // namespace agent::web
