// The request path of the HTTP server: reading in two pieces, decoding, and the response to it.
// What was read must not depend on where the bytes were split.
#include <cstdint>

#include "base/core/check.h"
#include "base/net/http_request.h"
#include "base/net/http_text.h"

using base::net::HttpRequest;
using base::net::HttpRequestReader;

namespace {

void respond(HttpRequest request) {
  base::net::ResponseShape shape;
  shape.head = request.method == "HEAD";
  shape.accept_encoding = request.headers["accept-encoding"];
  shape.if_none_match = request.headers["if-none-match"];
  base::net::HttpResponse response;
  response.body = request.body;
  response.content_type = request.headers["content-type"];
  response.headers.emplace_back("ETag", "\"v\"");
  response.headers.emplace_back("X-Path", request.path);
  const std::string text = base::net::format_response(response, shape);
  CHECK(text.starts_with("HTTP/1.1 "));
  (void)base::net::format_event(request.path, request.body);
  (void)base::net::parse_http_url(request.target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t cut = std::min<size_t>(data[0], size - 1);
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);

  HttpRequestReader whole;
  std::string rest = bytes;
  whole.feed(rest);

  HttpRequestReader split;
  std::string pieces = bytes.substr(0, cut);
  split.feed(pieces);
  pieces += bytes.substr(cut);
  split.feed(pieces);

  CHECK(!(whole.done() && whole.bad()));
  CHECK(whole.done() == split.done());
  if (!whole.done()) return 0;
  CHECK(rest == pieces);
  HttpRequest request = whole.take();
  CHECK(request.path == split.take().path);
  respond(std::move(request));
  return 0;
}
