#include "base/net/http_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace base::net {
namespace {

HttpRequest with_target(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  return request;
}

std::string gunzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::inflateEnd(&stream);
  return out;
}

TEST(HttpTarget, DecodesPathAndQuery) {
  HttpRequest request = with_target("/api/v1/caches/a%20b?state=open&q=a+b%26c&flag&state=last");
  ASSERT_TRUE(decode_target(request));
  EXPECT_EQ(request.path, "/api/v1/caches/a b");
  EXPECT_EQ(request.query.at("state"), "last");
  EXPECT_EQ(request.query.at("q"), "a b&c");
  EXPECT_EQ(request.query.at("flag"), "");
}

TEST(HttpTarget, TakesTheAbsoluteForm) {
  HttpRequest request = with_target("http://example.test:80/x?y=1");
  ASSERT_TRUE(decode_target(request));
  EXPECT_EQ(request.path, "/x");
  EXPECT_EQ(request.query.at("y"), "1");
  HttpRequest bare = with_target("http://example.test");
  ASSERT_TRUE(decode_target(bare));
  EXPECT_EQ(bare.path, "/");
}

TEST(HttpTarget, RefusesBrokenEscapesAndControlCharacters) {
  for (const char* target : {"/%", "/%4", "/%zz", "/a%00b", "/a%0ab", "nowhere", "", "/x?a=%g1"}) {
    HttpRequest request = with_target(target);
    EXPECT_FALSE(decode_target(request)) << target;
  }
}

TEST(HttpText, AcceptsGzipByTheHeadersWords) {
  EXPECT_TRUE(accepts_gzip("gzip, deflate, br"));
  EXPECT_TRUE(accepts_gzip("br;q=1.0, GZIP;q=0.5"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("*, gzip;q=0.000"));
  EXPECT_FALSE(accepts_gzip("identity"));
}

TEST(HttpText, MatchesEntityTagsWeakly) {
  EXPECT_TRUE(etag_matches("\"a\"", "\"a\""));
  EXPECT_TRUE(etag_matches("\"x\", W/\"a\"", "\"a\""));
  EXPECT_TRUE(etag_matches("*", "\"a\""));
  EXPECT_FALSE(etag_matches("\"b\"", "\"a\""));
  EXPECT_FALSE(etag_matches("", "\"a\""));
  EXPECT_FALSE(etag_matches("*", ""));
}

TEST(HttpText, WritesDatesAsTheRfcDoes) {
  EXPECT_EQ(http_date(WallTime{1'795'418'897'000'000'000}), "Mon, 23 Nov 2026 07:28:17 GMT");
}

TEST(HttpResponseText, CarriesStatusTypeAndLength) {
  HttpResponse response;
  response.body = "hello";
  ResponseShape shape;
  shape.keep_alive = true;
  const std::string text = format_response(response, shape);
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(text.find("Content-Type: text/plain; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(text.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(text.find("Connection: keep-alive\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\nhello"));
}

TEST(HttpResponseText, GzipsWhatPrometheusAsksFor) {
  HttpResponse page;
  page.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
  page.body = std::string(5000, 'a');
  ResponseShape shape;
  shape.accept_encoding = "gzip";
  EXPECT_NE(format_response(page, shape).find("Content-Encoding: gzip"), std::string::npos);
}

TEST(HttpResponseText, GzipsLongTextForThoseWhoAcceptIt) {
  HttpResponse response;
  response.body = std::string(5000, 'x');
  response.headers.emplace_back("ETag", "\"v1\"");
  ResponseShape shape;
  shape.accept_encoding = "gzip";
  const std::string text = format_response(response, shape);
  EXPECT_NE(text.find("Content-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_NE(text.find("Vary: Accept-Encoding\r\n"), std::string::npos);
  EXPECT_NE(text.find("ETag: W/\"v1\"\r\n"), std::string::npos);
  EXPECT_EQ(gunzip(text.substr(text.find("\r\n\r\n") + 4)), response.body);
}

TEST(HttpResponseText, LeavesImagesAndShortBodiesAlone) {
  ResponseShape shape;
  shape.accept_encoding = "gzip";
  HttpResponse image;
  image.content_type = "image/png";
  image.body = std::string(5000, 'x');
  EXPECT_EQ(format_response(image, shape).find("gzip"), std::string::npos);
  HttpResponse small;
  small.body = "x";
  EXPECT_EQ(format_response(small, shape).find("gzip"), std::string::npos);
}

TEST(HttpResponseText, AnswersAKnownTagWithNotModifiedAndNoBody) {
  HttpResponse response;
  response.body = "body";
  response.headers.emplace_back("ETag", "\"v1\"");
  ResponseShape shape;
  shape.if_none_match = "W/\"v1\"";
  const std::string text = format_response(response, shape);
  EXPECT_TRUE(text.starts_with("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_NE(text.find("ETag: \"v1\"\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(HttpResponseText, HeadHasTheLengthButNotTheBody) {
  HttpResponse response;
  response.body = "body";
  ResponseShape shape;
  shape.head = true;
  const std::string text = format_response(response, shape);
  EXPECT_NE(text.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(HttpResponseText, LeavesOutHeadersThatWouldBreakTheLine) {
  HttpResponse response;
  response.headers.emplace_back("Location", "/x\r\nSet-Cookie: a=b");
  EXPECT_EQ(format_response(response, {}).find("Set-Cookie"), std::string::npos);
}

TEST(HttpEventText, SplitsDataIntoLines) {
  EXPECT_EQ(format_event("status", "{}"), "event: status\ndata: {}\n\n");
  EXPECT_EQ(format_event("", "a\r\nb"), "data: a\ndata: b\n\n");
  EXPECT_EQ(format_event("bad\nname", ""), "data: \n\n");
}

TEST(HttpUrl, TakesHostPortAndTarget) {
  const auto url = parse_http_url("http://127.0.0.1:7480/api?x=1");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 7480);
  EXPECT_EQ(url->target, "/api?x=1");
  EXPECT_EQ(parse_http_url("http://localhost")->port, 80);
  EXPECT_EQ(parse_http_url("http://[::1]:80/")->authority(), "[::1]:80");
}

TEST(HttpUrl, RefusesWhatItCannotCall) {
  for (const char* url : {"https://x/", "127.0.0.1:80", "http://", "http://a b/", "http://h:99999/",
                          "http://u@h/", "http://h/a b", "http://h/\r\nX: y"}) {
    EXPECT_FALSE(parse_http_url(url).ok()) << url;
  }
}

}  // namespace
}  // namespace base::net
