#include "agent/web/operator_web.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>
#include <optional>

#include "tests/support/fake_operator_api.h"
#include "tests/support/manual_time.h"

namespace agent::web {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using base::net::HttpRequest;
using base::net::HttpResponse;
using ::testing::HasSubstr;
using ::testing::Not;

class OperatorWebTest : public ::testing::Test {
 protected:
  OperatorWebTest() {
    OperatorWeb::Options options;
    options.token = base::Secret("token-of-the-region");
    OperatorWeb::Providers providers;
    providers.ready = [this] { return ready_; };
    web_ = std::make_unique<OperatorWeb>(io_.get_executor(), timers_, api_, options, providers);
    api_.answer("status", test::sample_status());
  }
  ~OperatorWebTest() override {
    boost::asio::co_spawn(io_, web_->stop(), boost::asio::detached);
    timers_.run_for(1s);
  }

  static HttpRequest request(std::string method, std::string path, std::string body = "") {
    HttpRequest out;
    out.method = std::move(method);
    out.path = std::move(path);
    out.target = out.path;
    out.body = std::move(body);
    out.headers["host"] = "127.0.0.1:7480";
    return out;
  }
  static HttpRequest act(std::string method, std::string path, std::string body = "") {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.headers["authorization"] = "Bearer token-of-the-region";
    return out;
  }
  HttpResponse handle(HttpRequest sent) {
    std::optional<HttpResponse> got;
    boost::asio::co_spawn(io_, web_->handle(std::move(sent)),
                          [&](std::exception_ptr failure, HttpResponse response) {
                            EXPECT_FALSE(failure);
                            got = std::move(response);
                          });
    timers_.run_ready();
    EXPECT_TRUE(got.has_value());
    return got.value_or(HttpResponse{});
  }
  static std::string error_code(const HttpResponse& response) {
    return std::string(json::parse(response.body).at("error").at("code").as_string());
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }

  boost::asio::io_context io_;
  test::ManualClock clock_;
  test::ManualTimers timers_{io_, clock_};
  test::FakeOperatorApi api_;
  base::Result<> ready_;
  std::unique_ptr<OperatorWeb> web_;
};

TEST_F(OperatorWebTest, AnswersAReadWithTheVerbsDocument) {
  const HttpResponse response = handle(request("GET", "/api/v1/status"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json; charset=utf-8");
  EXPECT_EQ(json::parse(response.body), test::sample_status());
}

TEST_F(OperatorWebTest, GathersArgumentsFromQueryBodyAndPath) {
  api_.answer("runbooks.run", json::object{{"run", "run-1"}});
  HttpRequest sent = act("POST", "/api/v1/runbooks/flush/run",
                         R"({"params":{"target":"cluster/amber"},"who":"body","name":"other"})");
  sent.query["who"] = "query";
  sent.query["hash"] = "h";
  EXPECT_EQ(handle(std::move(sent)).status, 200);
  ASSERT_EQ(api_.calls().size(), 1u);
  EXPECT_EQ(api_.calls()[0].verb, "runbooks.run");
  EXPECT_EQ(json::value(api_.calls()[0].args),
            json::parse(R"({"hash":"h","who":"body","params":{"target":"cluster/amber"},
                            "name":"flush"})"));
}

TEST_F(OperatorWebTest, SaysThatSomethingWasCreated) {
  api_.answer("caches.create", json::object{{"id", 7}});
  EXPECT_EQ(handle(act("POST", "/api/v1/caches", R"({"label":"a"})")).status, 201);
}

TEST_F(OperatorWebTest, RefusesEveryActWithoutTheToken) {
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/api/v1/incidents/i/ack"},
                                                        {"POST", "/api/v1/runbooks/flush/run"},
                                                        {"DELETE", "/api/v1/caches/7"},
                                                        {"PATCH", "/api/v1/credentials/u"},
                                                        {"DELETE", "/api/v1/faults"}}) {
    const HttpResponse response = handle(request(method, path));
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_EQ(error_code(response), "unauthenticated");
    EXPECT_EQ(header(response, "WWW-Authenticate"), "Bearer");
    HttpRequest wrong = request(method, path);
    wrong.headers["authorization"] = "Bearer token-of-the-Region";
    EXPECT_EQ(handle(std::move(wrong)).status, 401) << path;
  }
  EXPECT_TRUE(api_.calls().empty()) << "nothing reaches the verbs";
}

TEST_F(OperatorWebTest, AnswersNobodyWhoCameUnderAStrangeName) {
  for (const char* path : {"/", "/api/v1/status", "/metrics", "/-/ready"}) {
    HttpRequest sent = act("GET", path);
    sent.headers["host"] = "evil.example:7480";
    const HttpResponse response = handle(std::move(sent));
    EXPECT_EQ(response.status, 421) << path;
    EXPECT_EQ(error_code(response), "misdirected");
  }
  HttpRequest none = request("GET", "/");
  none.headers.erase("host");
  EXPECT_EQ(handle(std::move(none)).status, 421);
}

TEST_F(OperatorWebTest, SaysWhatIsWrongWithABody) {
  for (const char* body : {"{", "[1]", "\"x\"", "{} {}", "{\"a\":}"}) {
    const HttpResponse response = handle(act("POST", "/api/v1/caches", body));
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_THAT(response.body, HasSubstr("expected one JSON object"));
  }
  const HttpResponse large =
      handle(act("POST", "/api/v1/caches", "{\"a\":\"" + std::string(70'000, 'x') + "\"}"));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(error_code(large), "too_large");
}

TEST_F(OperatorWebTest, TakesAGroupOfAlertsInOneBody) {
  api_.answer("alerts.receive", json::object{});
  const std::string large = "{\"a\":\"" + std::string(500'000, 'x') + "\"}";
  EXPECT_EQ(handle(act("POST", "/api/v1/alerts", large)).status, 200);
  const HttpResponse too_large =
      handle(act("POST", "/api/v1/alerts", "{\"a\":\"" + std::string(600'000, 'x') + "\"}"));
  EXPECT_EQ(too_large.status, 413);
  EXPECT_THAT(too_large.body, HasSubstr("at most 524288 bytes"));
}

TEST_F(OperatorWebTest, TurnsErrorsIntoTheirStatus) {
  api_.fail("runbooks.run", base::Error(base::ErrorCode::kRefused, "the guard budget says no"));
  const HttpResponse response = handle(act("POST", "/api/v1/runbooks/flush/run"));
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body,
            "{\"error\":{\"code\":\"refused\",\"context\":\"the guard budget says no\"}}\n");
  EXPECT_EQ(handle(request("GET", "/api/v1/runs/none")).status, 404);
}

TEST_F(OperatorWebTest, KnowsItsPathsAndMethods) {
  EXPECT_EQ(handle(request("GET", "/api/v1/nothing")).status, 404);
  const HttpResponse wrong = handle(request("PUT", "/api/v1/caches"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(header(wrong, "Allow"), "GET, POST");
  EXPECT_EQ(handle(request("POST", "/")).status, 405);
  EXPECT_EQ(handle(request("POST", "/api/v1/events")).status, 405);
}

TEST_F(OperatorWebTest, TellsItsHealthAndReadiness) {
  EXPECT_EQ(handle(request("GET", "/-/healthy")).status, 200);
  EXPECT_EQ(handle(request("GET", "/-/ready")).status, 200);
  ready_ = base::Error(base::ErrorCode::kUnavailable, "amber-proxy-1 does not answer");
  const HttpResponse response = handle(request("GET", "/-/ready"));
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("amber-proxy-1 does not answer"));
}

TEST_F(OperatorWebTest, OpensAStreamOfEvents) {
  const HttpResponse response = handle(request("GET", "/api/v1/events"));
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(static_cast<bool>(response.events));
}

TEST_F(OperatorWebTest, ShowsTheConsoleUnderAStrictPolicy) {
  const HttpResponse response = handle(request("GET", "/"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/html; charset=utf-8");
  const std::string policy = header(response, "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(response.body, Not(HasSubstr("style=\"")));
  EXPECT_THAT(response.body, Not(HasSubstr("<style")));
  EXPECT_THAT(response.body, Not(HasSubstr("onclick")));
}

TEST_F(OperatorWebTest, SharesOneStatusAmongPagesAndMetrics) {
  handle(request("GET", "/"));
  handle(request("GET", "/"));
  handle(request("GET", "/metrics"));
  EXPECT_EQ(api_.count("status"), 1u);
}

TEST_F(OperatorWebTest, RevalidatesItsAssets) {
  const HttpResponse script = handle(request("GET", "/assets/console.js"));
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_FALSE(header(script, "ETag").empty());
  EXPECT_THAT(script.body, HasSubstr("EventSource"));
  EXPECT_EQ(handle(request("GET", "/assets/../secret")).status, 404);
}

TEST_F(OperatorWebTest, ShowsPagesAboutIncidentsAndRuns) {
  api_.answer("incidents.show", test::sample_incident_document());
  api_.answer("runs.show", test::sample_run_document());
  EXPECT_THAT(handle(request("GET", "/incidents/inc-1")).body, HasSubstr("07:59:58.100"));
  EXPECT_THAT(handle(request("GET", "/runs/run-1")).body, HasSubstr("provider.create"));
  EXPECT_EQ(api_.calls()[0].args.at("id").as_string(), "inc-1");
  api_.fail("runs.show", base::Error(base::ErrorCode::kNotFound, "no run named <b>x</b>"));
  const HttpResponse none = handle(request("GET", "/runs/x"));
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.body, HasSubstr("no run named &lt;b&gt;x"));
}

TEST_F(OperatorWebTest, StaysReadableWhenStatusFails) {
  api_.fail("status", base::Error(base::ErrorCode::kUnavailable, "the store is opening"));
  const HttpResponse response = handle(request("GET", "/"));
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("the store is opening"));
  EXPECT_EQ(handle(request("GET", "/metrics")).status, 200);
}

TEST_F(OperatorWebTest, CountsItsAnswers) {
  handle(request("GET", "/api/v1/nothing"));
  EXPECT_THAT(handle(request("GET", "/metrics")).body,
              HasSubstr("mcguard_agent_http_requests_total{status=\"404\"} 1"));
}

}  // namespace
}  // namespace agent::web
