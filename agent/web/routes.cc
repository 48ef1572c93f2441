#include "agent/web/routes.h"

#include <array>

namespace agent::web {

namespace {

constexpr std::array kRoutes = {
    Route{"GET", "/api/v1/status", "status"},
    Route{"GET", "/api/v1/incidents", "incidents.list"},
    Route{"GET", "/api/v1/incidents/{id}", "incidents.show"},
    Route{"POST", "/api/v1/incidents/{id}/ack", "incidents.ack", Access::kAct},
    Route{"POST", "/api/v1/incidents/{id}/resolve", "incidents.resolve", Access::kAct},
    Route{"GET", "/api/v1/alerts", "alerts.list"},
    // A group of alerts comes in one message.
    Route{"POST", "/api/v1/alerts", "alerts.receive", Access::kAct, 200, 512u << 10},
    Route{"GET", "/api/v1/prometheus/targets", "prometheus.targets"},
    Route{"GET", "/api/v1/runbooks", "runbooks.list"},
    Route{"GET", "/api/v1/runbooks/{name}", "runbooks.show"},
    Route{"POST", "/api/v1/runbooks/{name}/plan", "runbooks.plan", Access::kAct},
    Route{"POST", "/api/v1/runbooks/{name}/run", "runbooks.run", Access::kAct},
    Route{"GET", "/api/v1/runs", "runs.list"},
    Route{"GET", "/api/v1/runs/{id}", "runs.show"},
    Route{"POST", "/api/v1/runs/{id}/approve", "runs.approve", Access::kAct},
    Route{"POST", "/api/v1/runs/{id}/abort", "runs.abort", Access::kAct},
    Route{"GET", "/api/v1/pauses", "pauses.list"},
    Route{"POST", "/api/v1/pauses", "pauses.add", Access::kAct, 201},
    Route{"POST", "/api/v1/pauses/{id}/lift", "pauses.lift", Access::kAct},
    Route{"GET", "/api/v1/proxies", "proxies.list"},
    Route{"GET", "/api/v1/backends", "backends.list"},
    Route{"GET", "/api/v1/caches", "caches.list"},
    Route{"POST", "/api/v1/caches", "caches.create", Access::kAct, 201},
    Route{"GET", "/api/v1/caches/{id}", "caches.show"},
    Route{"DELETE", "/api/v1/caches/{id}", "caches.delete", Access::kAct},
    Route{"POST", "/api/v1/caches/{id}/flush", "caches.flush", Access::kAct},
    Route{"GET", "/api/v1/credentials", "credentials.list"},
    Route{"POST", "/api/v1/credentials", "credentials.create", Access::kAct, 201},
    Route{"PATCH", "/api/v1/credentials/{user}", "credentials.update", Access::kAct},
    Route{"DELETE", "/api/v1/credentials/{user}", "credentials.delete", Access::kAct},
    Route{"GET", "/api/v1/conns", "conns"},
    Route{"GET", "/api/v1/samples/keys", "samples.keys", Access::kSecret},
    Route{"GET", "/api/v1/samples/slow", "samples.slow", Access::kSecret},
    Route{"GET", "/api/v1/samples/clients", "samples.clients"},
    Route{"GET", "/api/v1/faults", "faults.list"},
    Route{"POST", "/api/v1/faults", "faults.set", Access::kAct},
    Route{"DELETE", "/api/v1/faults", "faults.clear", Access::kAct},
};

// The next part of a path up to '/', taken off its front.
std::string_view take_segment(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return segment;
}

std::optional<boost::json::object> match_pattern(std::string_view pattern, std::string_view path) {
  boost::json::object args;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view got = take_segment(path);
    if (wanted.starts_with('{')) {
      if (got.empty()) return std::nullopt;
      args[wanted.substr(1, wanted.size() - 2)] = boost::json::string(got);
    } else if (wanted != got) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return args;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

RouteMatch match_route(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  RouteMatch match;
  if (path.ends_with('/')) return match;
  for (const Route& route : kRoutes) {
    std::optional<boost::json::object> args = match_pattern(route.pattern, path);
    if (!args) continue;
    match.allowed.emplace_back(route.method);
    if (route.method == method) {
      match.route = &route;
      match.args = *std::move(args);
      return match;
    }
  }
  return match;
}

int http_status(base::ErrorCode code, std::string_view verb) {
  switch (code) {
    case base::ErrorCode::kInvalid:
      return 400;
    case base::ErrorCode::kPermission:
      return 403;
    case base::ErrorCode::kNotFound:
      return 404;
    case base::ErrorCode::kExists:
    case base::ErrorCode::kConflict:
      return 409;
    case base::ErrorCode::kRefused: {
      const bool runs =
          verb.starts_with("runbooks.") || verb.starts_with("runs.") || verb == "caches.flush";
      return runs ? 422 : 409;
    }
    case base::ErrorCode::kExhausted:
      return 429;
    case base::ErrorCode::kUnavailable:
      return 503;
    case base::ErrorCode::kTimeout:
    case base::ErrorCode::kUnknown:
      return 504;
    case base::ErrorCode::kIo:
    case base::ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

}  // namespace agent::web
