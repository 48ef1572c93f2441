// The text of HTTP around Beast's parser: decoding of targets, and everything about how a response
// looks on the wire. Pure functions; nothing here does I/O or throws.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/net/http.h"

namespace base::net {

// %XX decoded; nullopt for a broken escape or a control character in the result.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// Fills path and query from request.target; false when the target is not one.
bool decode_target(HttpRequest& request);

std::string_view reason_phrase(int status);
bool accepts_gzip(std::string_view accept_encoding);
bool is_compressible(std::string_view content_type);
// Whether an If-None-Match header names this entity (weak comparison, RFC 9110 §13.1.2).
bool etag_matches(std::string_view if_none_match, std::string_view etag);
std::string gzip(std::string_view bytes);
std::string http_date(WallTime at);  // "Mon, 23 Nov 2026 07:28:17 GMT"

// What of the request shapes the response's bytes.
struct ResponseShape {
  bool head = false;
  bool keep_alive = false;
  std::string accept_encoding;
  std::string if_none_match;
  WallTime now;
};
// Head and body; for a response with `events` only the head. Headers with line breaks are left out.
std::string format_response(HttpResponse response, const ResponseShape& shape);

// One server-sent event; data of several lines becomes several data: lines.
std::string format_event(std::string_view event, std::string_view data);

// The parts of "http://host:port/path"; kInvalid otherwise.
struct HttpUrl {
  std::string host;
  uint16_t port = 80;
  std::string target = "/";
  std::string authority() const;
};
Result<HttpUrl> parse_http_url(std::string_view url);

}  // namespace base::net
