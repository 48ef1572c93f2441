// The blocking client against servers that misbehave: a listening socket that answers with whatever
// the test wants, and closes.
#include <gtest/gtest.h>

#include <thread>

#include "base/net/fd.h"
#include "base/net/http.h"
#include "tests/unit/base/net/http_fixture.h"

namespace base::net {
namespace {

class CannedServer {
 public:
  explicit CannedServer(std::string answer)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, text = std::move(answer)] {
      const UniqueFd client(::accept(fd_.get(), nullptr, nullptr));
      char request[4096];
      if (::recv(client.get(), request, sizeof request, 0) > 0) {
        ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~CannedServer() { thread_.join(); }
  HttpCall call() const {
    HttpCall call;
    call.url = "http://127.0.0.1:" + std::to_string(port_) + "/";
    return call;
  }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
  std::thread thread_;
};

TEST(HttpClient, ReadsAChunkedAnswer) {
  const CannedServer server(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  const auto response = http_call_blocking(server.call());
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->body, "ab");
}

TEST(HttpClient, ReadsAnAnswerThatEndsWithTheConnection) {
  const CannedServer server("HTTP/1.0 200 OK\r\nContent-Type: text/x\r\n\r\nuntil the end");
  const auto response = http_call_blocking(server.call());
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->body, "until the end");
  EXPECT_EQ(response->content_type, "text/x");
}

TEST(HttpClient, ReportsAnAnswerCutShort) {
  const CannedServer server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(http_call_blocking(server.call()).code(), ErrorCode::kUnavailable);
}

TEST(HttpClient, ReportsAnAnswerThatIsNoHttp) {
  const CannedServer server("-ERR what?\r\n\r\n");
  EXPECT_EQ(http_call_blocking(server.call()).code(), ErrorCode::kUnavailable);
}

TEST(HttpClient, ReportsSilenceAfterItsTimeout) {
  // Listens and never accepts.
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  HttpCall call;
  call.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  call.timeout = 50ms;
  EXPECT_EQ(http_call_blocking(call).code(), ErrorCode::kTimeout);
}

TEST(HttpClient, ReportsAPortWhereNobodyListens) {
  HttpCall call;
  call.url = "http://127.0.0.1:1/";
  const auto response = http_call_blocking(call);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.code(), ErrorCode::kUnavailable);
  EXPECT_NE(response.error().context.find("127.0.0.1:1"), std::string::npos);
}

TEST(HttpClient, StreamEndsWithTheServersStatusWhenItIsNot200) {
  const CannedServer server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  const auto result =
      http_stream_blocking(server.call(), 1s, [](std::string_view) { return true; });
  EXPECT_FALSE(result.ok());
}

TEST(HttpClient, StreamEndsWhenTheServerCloses) {
  const CannedServer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\r\n\n");
  std::string lines;
  const auto result = http_stream_blocking(server.call(), 1s, [&](std::string_view line) {
    lines.append(line).append("|");
    return true;
  });
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(lines, "data: 1||");
}

}  // namespace
}  // namespace base::net
