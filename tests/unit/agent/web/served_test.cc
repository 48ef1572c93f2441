// OperatorWeb behind the real HttpServer: what only shows on a socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "agent/web/operator_web.h"
#include "base/net/http.h"
#include "tests/support/fake_operator_api.h"
#include "tests/support/server_thread.h"

namespace agent::web {
namespace {

using namespace std::chrono_literals;

class ServedWebTest : public ::testing::Test {
 protected:
  ServedWebTest() {
    api_.answer("status", test::sample_status());
    OperatorWeb::Options options;
    options.token = base::Secret("token");
    web_ = std::make_unique<OperatorWeb>(thread_.executor(), thread_.timers(), api_, options,
                                         OperatorWeb::Providers{});
    thread_.run(start());
  }
  ~ServedWebTest() override { thread_.run(stop()); }

  boost::asio::awaitable<void> start() {
    base::net::HttpServer::Options options;
    options.name = "operator";
    base::net::HttpServer::Handler handler = [this](base::net::HttpRequest request) {
      return web_->handle(std::move(request));
    };
    auto server = base::net::HttpServer::listen(thread_.executor(), thread_.timers(), options,
                                                std::move(handler));
    CHECK(server.ok());
    server_ = std::move(*server);
    web_->start();
    co_return;
  }
  boost::asio::awaitable<void> stop() {
    co_await server_->stop();
    co_await web_->stop();
    server_.reset();
    web_.reset();
  }
  base::net::HttpCall call(const std::string& path) const {
    base::net::HttpCall out;
    out.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    return out;
  }

  test::FakeOperatorApi api_;
  test::ServerThread thread_;
  std::unique_ptr<OperatorWeb> web_;
  std::unique_ptr<base::net::HttpServer> server_;
};

TEST_F(ServedWebTest, StreamsStatusUntilTheReaderHasEnough) {
  int seen = 0;
  const auto result =
      base::net::http_stream_blocking(call("/api/v1/events"), 5s, [&](std::string_view line) {
        if (line.starts_with("data: {\"region\":\"local\"")) ++seen;
        return seen < 2;
      });
  EXPECT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(seen, 2);
}

TEST_F(ServedWebTest, AnswersAssetsByTheirTag) {
  const auto first = base::net::http_call_blocking(call("/assets/console.css"));
  ASSERT_TRUE(first.ok());
  std::string tag;
  for (const auto& [name, value] : first->headers) {
    if (name == "etag" || name == "ETag") tag = value;
  }
  ASSERT_FALSE(tag.empty());
  base::net::HttpCall again = call("/assets/console.css");
  again.headers.emplace_back("If-None-Match", tag);
  const auto second = base::net::http_call_blocking(again);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->status, 304);
}

TEST_F(ServedWebTest, DecodesIdsInPaths) {
  const auto response = base::net::http_call_blocking(call("/api/v1/runs/run%2D1"));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 404);
  EXPECT_THAT(response->body, ::testing::HasSubstr("not_found"));
}

}  // namespace
}  // namespace agent::web
