#include "base/net/http_request.h"

#include <gtest/gtest.h>

namespace base::net {
namespace {

constexpr const char* kPost =
    "POST /api/v1/x?a=1 HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two: b\r\nContent-Length: "
    "4\r\n\r\nbody";

void feed(HttpRequestReader& reader, std::string bytes) {
  reader.feed(bytes);
}

TEST(HttpRequestReader, ReadsARequestSplitAnywhere) {
  const std::string whole = kPost;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    HttpRequestReader reader;
    std::string bytes = whole.substr(0, cut);
    reader.feed(bytes);
    bytes += whole.substr(cut);
    reader.feed(bytes);
    ASSERT_TRUE(reader.done()) << cut;
    const HttpRequest request = reader.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/api/v1/x");
    EXPECT_EQ(request.query.at("a"), "1");
    EXPECT_EQ(request.headers.at("x-two"), "a, b");
    EXPECT_EQ(request.body, "body");
    EXPECT_TRUE(bytes.empty());
  }
}

TEST(HttpRequestReader, ReadsARequestByteByByte) {
  HttpRequestReader reader;
  std::string bytes;
  for (const char* at = kPost; *at != 0; ++at) {
    EXPECT_FALSE(reader.done());
    bytes += *at;
    reader.feed(bytes);
  }
  EXPECT_TRUE(reader.done());
}

TEST(HttpRequestReader, LeavesTheNextRequestInTheBuffer) {
  HttpRequestReader reader;
  std::string bytes = "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n";
  reader.feed(bytes);
  ASSERT_TRUE(reader.done());
  EXPECT_TRUE(reader.keep_alive());
  EXPECT_EQ(reader.take().path, "/a");
  EXPECT_TRUE(bytes.starts_with("GET /b"));
}

TEST(HttpRequestReader, ReadsAChunkedBody) {
  HttpRequestReader reader;
  feed(reader,
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  ASSERT_TRUE(reader.done());
  EXPECT_EQ(reader.take().body, "abc");
}

// Beast's parser asserts when the start of a last chunk is shown to it twice.
TEST(HttpRequestReader, ReadsAChunkedBodyByteByByte) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (size_t first = 1; first < text.size(); ++first) {
    HttpRequestReader reader;
    std::string bytes = text.substr(0, first);
    reader.feed(bytes);
    for (const char next : text.substr(first)) {
      reader.feed(bytes);  // a wake-up without news
      bytes += next;
      reader.feed(bytes);
    }
    ASSERT_TRUE(reader.done()) << "after " << first;
    EXPECT_EQ(reader.take().body, "abc");
  }
}

TEST(HttpRequestReader, AnswersGarbageWith400) {
  for (const char* text : {"\x16\x03\x01\x02garbage\r\n\r\n", "get stored 0 0\r\n\r\n",
                           "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                           "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    HttpRequestReader reader;
    feed(reader, text);
    EXPECT_EQ(reader.bad_status(), 400) << text;
    EXPECT_FALSE(reader.done());
    EXPECT_FALSE(reader.keep_alive());
  }
}

TEST(HttpRequestReader, BoundsHeaderAndBody) {
  HttpRequestReader header;
  feed(header, "GET / HTTP/1.1\r\nX: " + std::string(kMaxHttpHeader, 'x'));
  EXPECT_EQ(header.bad_status(), 431);
  HttpRequestReader body;
  feed(body, "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(body.bad_status(), 413);
}

TEST(HttpRequestReader, BoundsAHeaderToTheByteHoweverItArrives) {
  const std::string field = "GET / HTTP/1.1\r\nX: ", end = "\r\nY: z\r\n\r\n";
  const std::string target = "GET /", version = " HTTP/1.1\r\n\r\n";
  for (const size_t size :
       {kMaxHttpHeader - 1, kMaxHttpHeader, kMaxHttpHeader + 1, kMaxHttpHeader + 9}) {
    for (const std::string& header :
         {field + std::string(size - field.size() - end.size(), 'x') + end,
          target + std::string(size - target.size() - version.size(), 'x') + version}) {
      ASSERT_EQ(header.size(), size);
      for (const size_t cut : {size_t(1), size_t(24), size / 2, size - 5, size - 2, size}) {
        HttpRequestReader reader;
        std::string bytes = header.substr(0, cut);
        reader.feed(bytes);
        bytes += header.substr(cut);
        reader.feed(bytes);
        EXPECT_EQ(reader.done(), size <= kMaxHttpHeader) << size << " bytes, cut at " << cut;
        EXPECT_EQ(reader.bad_status(), size <= kMaxHttpHeader ? 0 : 431);
      }
    }
  }
}

TEST(HttpRequestReader, AsksForTheBodyOnceWhenTheClientWaits) {
  HttpRequestReader reader;
  feed(reader, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_FALSE(reader.wants_continue());
  feed(reader, "x");
  EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace base::net
