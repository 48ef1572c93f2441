#include "base/net/rpc.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/json/serialize.hpp>
#include <filesystem>
#include <optional>

#include "base/net/unix_socket.h"
#include "tests/support/server_thread.h"
#include "tests/support/temp_dir.h"

namespace base::net {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() : path_(folder_.path() + "/a.sock") {
    auto listening = listen();
    EXPECT_TRUE(listening.ok());
    server_ = std::move(*listening);
  }
  ~RpcTest() override { stop(); }

  Result<std::unique_ptr<RpcServer>> listen() {
    std::optional<Result<std::unique_ptr<RpcServer>>> listening;
    const auto start = [&]() -> asio::awaitable<void> {
      listening = RpcServer::listen(thread_.executor(), path_,
                                    [this](RpcRequest request) { return handle(request); });
      co_return;
    };
    thread_.run(start());
    return std::move(*listening);
  }
  void stop() {
    if (server_) thread_.run(server_->stop(thread_.timers()));
    server_.reset();
  }
  static RpcRequest request(std::string verb) {
    RpcRequest made;
    made.verb = std::move(verb);
    return made;
  }
  Result<json::value> call(const RpcRequest& made, Duration timeout = 10s) {
    return rpc_call_blocking(path_, made, timeout);
  }
  Result<json::value> call_async(RpcRequest made, Duration timeout = 10s) {
    return *thread_.run(boxed(std::move(made), timeout));
  }

  test::TempDir folder_;
  test::ServerThread thread_;
  std::string path_;
  std::unique_ptr<RpcServer> server_;

 private:
  // A future's value must be default constructible.
  asio::awaitable<std::optional<Result<json::value>>> boxed(RpcRequest made, Duration timeout) {
    co_return co_await rpc_call(path_, std::move(made), timeout, thread_.timers());
  }

  asio::awaitable<Result<json::value>> handle(RpcRequest made) {
    if (made.verb == "echo") co_return json::value(made.args);
    if (made.verb == "fence") co_return json::value(made.fence);
    if (made.verb == "refuse") co_return Error(ErrorCode::kRefused, "fence 3 is lower than 7");
    if (made.verb == "throw") throw std::runtime_error("thrown");
    if (made.verb == "never") co_await thread_.timers().wait_for(1h);
    co_return Error(ErrorCode::kNotFound, "no verb " + made.verb);
  }
};

TEST_F(RpcTest, AnswersWithTheHandlersValue) {
  RpcRequest echo = request("echo");
  echo.args["cache"] = 12;
  const auto answer = call(echo);
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(json::serialize(*answer), R"({"cache":12})");
  const auto again = call_async(echo);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(json::serialize(*again), R"({"cache":12})");
}

TEST_F(RpcTest, CarriesMegabytes) {
  RpcRequest echo = request("echo");
  echo.args["table"] = std::string(5 << 20, 't');
  const auto answer = call_async(echo);
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->at("table").as_string().size(), 5u << 20);
  EXPECT_TRUE(call(echo).ok());
}

TEST_F(RpcTest, CarriesTheFence) {
  RpcRequest fenced = request("fence");
  fenced.fence = 7;
  EXPECT_EQ(call(fenced)->to_number<uint64_t>(), 7u);
}

TEST_F(RpcTest, CarriesTheServersError) {
  const auto answer = call(request("refuse"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.code(), ErrorCode::kRefused);
  EXPECT_EQ(answer.error().context, "fence 3 is lower than 7");
}

TEST_F(RpcTest, AnswersAThrowingHandlerWithAnInternalError) {
  EXPECT_EQ(call(request("throw")).code(), ErrorCode::kInternal);
}

TEST_F(RpcTest, TimesOutWhenTheServerIsSilent) {
  EXPECT_EQ(call(request("never"), 20ms).code(), ErrorCode::kTimeout);
  EXPECT_EQ(call_async(request("never"), 20ms).code(), ErrorCode::kTimeout);
}

TEST_F(RpcTest, IsUnavailableWhenNobodyListens) {
  stop();
  EXPECT_EQ(call(request("echo")).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(call_async(request("echo")).code(), ErrorCode::kUnavailable);
}

TEST_F(RpcTest, AnswersSeveralLinesOfOneConnectionInTurn) {
  const auto fd = connect_unix(path_);
  ASSERT_TRUE(fd.ok());
  const std::string_view lines =
      "{\"verb\":\"fence\",\"fence\":1}\ngarbage\n{\"verb\":\"fence\"}\n";
  ASSERT_EQ(::send(fd->get(), lines.data(), lines.size(), 0), static_cast<ssize_t>(lines.size()));
  std::string text;
  const SystemClock clock;
  const Instant end = clock.now() + 10s;
  while (std::count(text.begin(), text.end(), '\n') < 3 && clock.now() < end) {
    char chunk[512];
    const ssize_t count = ::recv(fd->get(), chunk, sizeof chunk, 0);
    if (count > 0) text.append(chunk, static_cast<size_t>(count));
  }
  EXPECT_TRUE(text.starts_with("{\"ok\":true,\"value\":1}\n{\"ok\":false")) << text;
  EXPECT_TRUE(text.ends_with("{\"ok\":true,\"value\":0}\n")) << text;
}

TEST_F(RpcTest, StopCancelsWhatRunsAndRemovesTheSocket) {
  const auto fd = connect_unix(path_);
  ASSERT_TRUE(fd.ok());
  const std::string_view line = "{\"verb\":\"never\"}\n";
  ASSERT_EQ(::send(fd->get(), line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
  ASSERT_TRUE(call(request("echo")).ok());  // the server is past accepting ours
  stop();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RpcTest, ASecondServerOnThePathIsRefused) {
  EXPECT_EQ(listen().code(), ErrorCode::kExists);
}

}  // namespace
}  // namespace base::net
