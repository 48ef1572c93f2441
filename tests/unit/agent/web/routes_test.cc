#include "agent/web/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "base/core/file.h"

namespace agent::web {
namespace {

struct RouteCase {
  std::string_view method, path, verb, args;
};

TEST(Routes, MapEachMethodAndPathToItsVerb) {
  const std::vector<RouteCase> cases = {
      {"GET", "/api/v1/status", "status", "{}"},
      {"HEAD", "/api/v1/status", "status", "{}"},
      {"GET", "/api/v1/incidents", "incidents.list", "{}"},
      {"GET", "/api/v1/incidents/inc-1", "incidents.show", R"({"id":"inc-1"})"},
      {"POST", "/api/v1/incidents/inc-1/ack", "incidents.ack", R"({"id":"inc-1"})"},
      {"POST", "/api/v1/incidents/inc-1/resolve", "incidents.resolve", R"({"id":"inc-1"})"},
      {"GET", "/api/v1/alerts", "alerts.list", "{}"},
      {"POST", "/api/v1/alerts", "alerts.receive", "{}"},
      {"GET", "/api/v1/prometheus/targets", "prometheus.targets", "{}"},
      {"GET", "/api/v1/runbooks", "runbooks.list", "{}"},
      {"GET", "/api/v1/runbooks/flush", "runbooks.show", R"({"name":"flush"})"},
      {"POST", "/api/v1/runbooks/flush/plan", "runbooks.plan", R"({"name":"flush"})"},
      {"POST", "/api/v1/runbooks/flush/run", "runbooks.run", R"({"name":"flush"})"},
      {"GET", "/api/v1/runs", "runs.list", "{}"},
      {"GET", "/api/v1/runs/run-1", "runs.show", R"({"id":"run-1"})"},
      {"POST", "/api/v1/runs/run-1/approve", "runs.approve", R"({"id":"run-1"})"},
      {"POST", "/api/v1/runs/run-1/abort", "runs.abort", R"({"id":"run-1"})"},
      {"GET", "/api/v1/pauses", "pauses.list", "{}"},
      {"POST", "/api/v1/pauses", "pauses.add", "{}"},
      {"POST", "/api/v1/pauses/pause-1/lift", "pauses.lift", R"({"id":"pause-1"})"},
      {"GET", "/api/v1/proxies", "proxies.list", "{}"},
      {"GET", "/api/v1/backends", "backends.list", "{}"},
      {"GET", "/api/v1/caches", "caches.list", "{}"},
      {"POST", "/api/v1/caches", "caches.create", "{}"},
      {"GET", "/api/v1/caches/7", "caches.show", R"({"id":"7"})"},
      {"DELETE", "/api/v1/caches/7", "caches.delete", R"({"id":"7"})"},
      {"POST", "/api/v1/caches/7/flush", "caches.flush", R"({"id":"7"})"},
      {"GET", "/api/v1/credentials", "credentials.list", "{}"},
      {"POST", "/api/v1/credentials", "credentials.create", "{}"},
      {"PATCH", "/api/v1/credentials/u", "credentials.update", R"({"user":"u"})"},
      {"DELETE", "/api/v1/credentials/u", "credentials.delete", R"({"user":"u"})"},
      {"GET", "/api/v1/conns", "conns", "{}"},
      {"GET", "/api/v1/samples/keys", "samples.keys", "{}"},
      {"GET", "/api/v1/samples/slow", "samples.slow", "{}"},
      {"GET", "/api/v1/samples/clients", "samples.clients", "{}"},
      {"GET", "/api/v1/faults", "faults.list", "{}"},
      {"POST", "/api/v1/faults", "faults.set", "{}"},
      {"DELETE", "/api/v1/faults", "faults.clear", "{}"},
  };
  for (const RouteCase& expected : cases) {
    SCOPED_TRACE(std::string(expected.method) + " " + std::string(expected.path));
    const RouteMatch match = match_route(expected.method, expected.path);
    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.route->verb, expected.verb);
    EXPECT_EQ(boost::json::serialize(match.args), expected.args);
  }
  EXPECT_EQ(routes().size() + 1, cases.size()) << "every route is in this table, HEAD once more";
}

TEST(Routes, LetOnlyReadsPassWithoutAToken) {
  for (const Route& route : routes()) {
    EXPECT_EQ(route.access != Access::kAct, route.method == "GET") << route.pattern;
  }
}

TEST(Routes, ShowCustomersKeysToWhoeverHasTheToken) {
  for (const char* path : {"/api/v1/samples/keys", "/api/v1/samples/slow"}) {
    EXPECT_EQ(match_route("GET", path).route->access, Access::kSecret) << path;
  }
}

TEST(Routes, NameTheMethodsOfAPathThatExists) {
  const RouteMatch match = match_route("PUT", "/api/v1/caches");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_THAT(match.allowed, ::testing::ElementsAre("GET", "POST"));
}

TEST(Routes, KnowNothingOfOtherPaths) {
  for (const char* path :
       {"/api/v1", "/api/v1/", "/api/v1/status/", "/api/v1/incidents/", "/api/v1/incidents/a/b/c",
        "/api/v1/incidents//ack", "/api/v2/status", "/api/v1/incidents/a/ack/"}) {
    const RouteMatch match = match_route("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_TRUE(match.allowed.empty()) << path;
  }
}

TEST(HttpStatus, FollowsTheTable) {
  using E = base::ErrorCode;
  EXPECT_EQ(http_status(E::kInvalid, "status"), 400);
  EXPECT_EQ(http_status(E::kPermission, "status"), 403);
  EXPECT_EQ(http_status(E::kNotFound, "status"), 404);
  EXPECT_EQ(http_status(E::kExists, "caches.create"), 409);
  EXPECT_EQ(http_status(E::kConflict, "status"), 409);
  EXPECT_EQ(http_status(E::kRefused, "faults.set"), 409);
  EXPECT_EQ(http_status(E::kRefused, "runbooks.run"), 422);
  EXPECT_EQ(http_status(E::kRefused, "runs.approve"), 422);
  EXPECT_EQ(http_status(E::kRefused, "caches.flush"), 422);
  EXPECT_EQ(http_status(E::kExhausted, "status"), 429);
  EXPECT_EQ(http_status(E::kUnavailable, "status"), 503);
  EXPECT_EQ(http_status(E::kTimeout, "status"), 504);
  EXPECT_EQ(http_status(E::kUnknown, "runbooks.run"), 504);
  EXPECT_EQ(http_status(E::kIo, "status"), 500);
  EXPECT_EQ(http_status(E::kInternal, "status"), 500);
}

TEST(Routes, AreAllInTheApiDocument) {
  const base::Result<std::string> document = base::read_file("docs/api.md");
  ASSERT_TRUE(document.ok());
  for (const Route& route : routes()) {
    const std::string line = "| `" + std::string(route.method) + " " + std::string(route.pattern) +
                             "` | `" + std::string(route.verb) + "` |";
    EXPECT_THAT(*document, ::testing::HasSubstr(line));
  }
}

}  // namespace
}  // namespace agent::web
