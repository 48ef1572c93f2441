#include <gtest/gtest.h>

#include "base/net/http.h"
#include "tests/unit/base/net/http_fixture.h"

namespace base::net {
namespace {

TEST_F(HttpServerTest, AnswersAGet) {
  const auto response = get("/hello?name=world");
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "GET /hello world");
}

TEST_F(HttpServerTest, PassesBodiesAndHeadersOn) {
  HttpCall call;
  call.method = "POST";
  call.url = url("/echo");
  call.headers.emplace_back("X-Color", "amber");
  call.body = std::string(100'000, 'b');
  const auto response = http_call_blocking(call);
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->body, "amber " + call.body);
}

TEST_F(HttpServerTest, AnswersHeadFromGet) {
  HttpCall call;
  call.method = "HEAD";
  call.url = url("/hello");
  const auto response = http_call_blocking(call);
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(response->body.empty());
}

TEST_F(HttpServerTest, KeepsTheConnectionAndAnswersPipelinedRequestsInOrder) {
  RawClient client(port());
  client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string text = client.read_until("GET /b ");
  EXPECT_LT(text.find("GET /a "), text.find("GET /b "));
  client.send("GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_all().ends_with("GET /c "));
}

TEST_F(HttpServerTest, AnswersGarbageWith400AndCloses) {
  RawClient client(port());
  client.send("\x80\x01garbage that is no request\r\n\r\nmore garbage");
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(get("/hello").ok());
}

TEST_F(HttpServerTest, AnswersAThrowingHandlerWith500) {
  const auto response = get("/throw");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body.find("secret"), std::string::npos);
}

TEST_F(HttpServerTest, AnswersTheConnectionBeyondItsBoundWith503) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < kMaxConnections; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    clients.back()->read_until("GET /a ");
  }
  RawClient further(port());
  EXPECT_TRUE(further.read_all().starts_with("HTTP/1.1 503 "));
}

TEST_F(HttpServerTest, StreamsEventsUntilTheReaderHasEnough) {
  std::vector<std::string> lines;
  HttpCall call;
  call.url = url("/events");
  const auto result = http_stream_blocking(call, 5s, [&](std::string_view line) {
    lines.emplace_back(line);
    return lines.size() < 3;
  });
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(lines[0], "event: status");
  EXPECT_EQ(lines[1], "data: {\"n\":1}");
}

TEST_F(HttpServerTest, DropsAReaderWhoseBufferIsFull) {
  RawClient client(port());
  client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_until("\"n\":1");
  const std::string big(64 << 10, 'x');
  // The kernel's buffers take some; then ours fills up.
  bool open = true;
  for (int i = 0; i < 10'000 && open; ++i) open = send_event(big);
  EXPECT_FALSE(open);
}

TEST_F(HttpServerTest, TellsTheSenderThatTheReaderLeft) {
  {
    RawClient client(port());
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    client.read_until("\"n\":1");
  }
  EXPECT_TRUE(eventually([&] { return !send_event("x"); }));
}

TEST_F(HttpServerTest, StopsWithOpenStreamsAndSlowHandlers) {
  RawClient events(port());
  events.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  events.read_until("\"n\":1");
  RawClient slow(port());
  slow.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  RawClient idle(port());
  stop();
  events.read_all();
  slow.read_all();
  idle.read_all();
  EXPECT_FALSE(get("/hello").ok());
}

TEST(HttpServerBind, NamesThePortInUse) {
  test::ServerThread thread;
  HttpServer::Options options;
  options.name = "operator API";
  auto first = listen_on(thread, options);
  ASSERT_TRUE(first.ok());
  options.port = (*first)->port();
  auto second = listen_on(thread, options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), ErrorCode::kExists);
  EXPECT_NE(second.error().context.find("operator API: port " + std::to_string(options.port)),
            std::string::npos);
  thread.run((*first)->stop());
}

TEST(HttpServerBind, RefusesAnAddressThatIsNone) {
  test::ServerThread thread;
  HttpServer::Options options;
  options.address = "localhost:80";
  EXPECT_EQ(listen_on(thread, options).code(), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace base::net
