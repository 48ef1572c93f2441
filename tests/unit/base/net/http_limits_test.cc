// Deadlines on virtual time: the client is a raw socket, the server runs when the test says so.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/net/http.h"
#include "tests/support/manual_time.h"
#include "tests/unit/base/net/http_fixture.h"

namespace base::net {
namespace {

class HttpLimitsTest : public ::testing::Test {
 protected:
  HttpLimitsTest() : timers_(io_, clock_) {
    server_ = std::move(*HttpServer::listen(io_.get_executor(), timers_, {}, answer_not_found));
    client_ = std::make_unique<RawClient>(server_->port());
  }
  ~HttpLimitsTest() override {
    boost::asio::co_spawn(io_, server_->stop(), boost::asio::detached);
    timers_.run_for(10s);
  }

  // Runs the server until the client has something to read or `tries` rounds have passed. False:
  // the connection was closed, or nothing came.
  bool answered(int tries = 200) {
    std::string text;
    for (int i = 0; i < tries; ++i) {
      timers_.run_ready();
      if (client_->read_some(text, 5)) return true;
    }
    return false;
  }
  bool closed() {
    std::string text;
    for (int i = 0; i < 20; ++i) timers_.run_ready();
    return client_->closed();
  }

  boost::asio::io_context io_;
  test::ManualClock clock_;
  test::ManualTimers timers_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(HttpLimitsTest, ClosesAConnectionThatStaysIdle) {
  client_->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(answered());
  timers_.run_for(29s);
  EXPECT_FALSE(closed());
  timers_.run_for(2s);
  EXPECT_TRUE(closed());
}

TEST_F(HttpLimitsTest, ClosesAConnectionWhoseRequestTakesTooLong) {
  timers_.run_ready();
  client_->send("GET / HT");
  EXPECT_FALSE(answered(10));
  timers_.run_for(9s);
  client_->send("T");  // a drip does not extend the deadline
  EXPECT_FALSE(closed());
  timers_.run_for(2s);
  EXPECT_TRUE(closed());
}

}  // namespace
}  // namespace base::net
