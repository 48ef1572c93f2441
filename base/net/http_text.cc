#include "base/net/http_text.h"

#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>

#include "base/core/check.h"
#include "base/core/text.h"

namespace base::net {
namespace {

constexpr size_t kGzipFrom = 1024;  // below, the header costs more than it saves

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the part up to `separator` off the front of `text`.
std::string_view next_part(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view without_weak_mark(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

bool decode_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    std::string_view value = next_part(text, '&');
    if (value.empty()) continue;
    auto name = percent_decode(next_part(value, '='), true);
    auto decoded = percent_decode(value, true);
    if (!name || !decoded) return false;
    request.query.insert_or_assign(std::move(*name), std::move(*decoded));
  }
  return true;
}

std::string* find_header(HttpResponse& response, std::string_view name) {
  for (auto& [key, value] : response.headers) {
    if (equals_ignoring_case(key, name)) return &value;
  }
  return nullptr;
}

bool fits_a_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void add_header(std::string& out, std::string_view name, std::string_view value) {
  if (!fits_a_line(name) || !fits_a_line(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out += c;
  }
  return out;
}

bool decode_target(HttpRequest& request) {
  std::string_view target = request.target;
  target = next_part(target, '#');
  if (target.starts_with("http://") || target.starts_with("https://")) {  // absolute form
    target.remove_prefix(target.find("//") + 2);
    const size_t slash = target.find_first_of("/?");
    target.remove_prefix(slash == std::string_view::npos ? target.size() : slash);
    if (target.empty()) target = "/";
  }
  const std::string_view path = next_part(target, '?');
  auto decoded = percent_decode(path, false);
  if (!decoded || (!decoded->starts_with('/') && *decoded != "*")) return false;
  request.path = std::move(*decoded);
  return decode_query(target, request);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool accepted = false;
  while (!accept_encoding.empty()) {
    std::string_view parameters = next_part(accept_encoding, ',');
    const std::string_view coding = trim(next_part(parameters, ';'));
    const std::string_view quality = trim(parameters);
    const bool refused =
        quality.starts_with("q=0") && quality.find_first_not_of("0.", 2) == std::string_view::npos;
    if (equals_ignoring_case(coding, "gzip")) return !refused;
    if (coding == "*") accepted = !refused;
  }
  return accepted;
}

bool is_compressible(std::string_view content_type) {
  const std::string_view type = trim(next_part(content_type, ';'));
  return type.starts_with("text/") || type == "application/json" || type.ends_with("+json") ||
         type.ends_with("+xml") || type == "application/javascript" || type == "application/xml" ||
         type == "application/openmetrics-text";
}

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
  if (etag.empty()) return false;
  while (!if_none_match.empty()) {
    const std::string_view candidate = trim(next_part(if_none_match, ','));
    if (candidate == "*") return true;
    if (without_weak_mark(candidate) == without_weak_mark(etag)) return true;
  }
  return false;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipWrapper = 16 + MAX_WBITS;
  CHECK(::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWrapper, 8, Z_DEFAULT_STRATEGY) ==
        Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string http_date(WallTime at) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t seconds = static_cast<time_t>(at.ns / 1'000'000'000);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday],
                parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return text;
}

std::string format_response(HttpResponse response, const ResponseShape& shape) {
  std::string* etag = find_header(response, "etag");
  if (response.status == 200 && etag && etag_matches(shape.if_none_match, *etag)) {
    response.status = 304;
  }
  const bool bodyless = response.status == 304 || response.status == 204 || response.status < 200;
  const bool stream = response.events && !bodyless;
  const bool compress = !stream && !bodyless && response.body.size() > kGzipFrom &&
                        is_compressible(response.content_type);
  if (compress && accepts_gzip(shape.accept_encoding)) {
    response.body = gzip(response.body);
    // Other bytes, so no longer the same strong tag.
    if (etag && !etag->starts_with("W/")) etag->insert(0, "W/");
    response.headers.emplace_back("Content-Encoding", "gzip");
  }

  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out.append(reason_phrase(response.status)).append("\r\n");
  add_header(out, "Date", http_date(shape.now));
  if (!bodyless)
    add_header(out, "Content-Type", stream ? "text/event-stream" : response.content_type);
  if (stream) add_header(out, "Cache-Control", "no-cache");
  if (compress) add_header(out, "Vary", "Accept-Encoding");
  for (const auto& [name, value] : response.headers) add_header(out, name, value);
  if (!stream && !bodyless) {
    add_header(out, "Content-Length", std::to_string(response.body.size()));
  }
  add_header(out, "Connection", shape.keep_alive && !stream ? "keep-alive" : "close");
  out += "\r\n";
  if (!shape.head && !bodyless && !stream) out += response.body;
  return out;
}

std::string format_event(std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(event.size() + data.size() + 32);
  if (!event.empty() && fits_a_line(event)) out.append("event: ").append(event).append("\n");
  do {
    std::string_view line = next_part(data, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.append("data: ").append(line).append("\n");
  } while (!data.empty());
  out += '\n';
  return out;
}

std::string HttpUrl::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<HttpUrl> parse_http_url(std::string_view url) {
  const Error bad(ErrorCode::kInvalid,
                  "url \"" + printable(url) + "\": expected something like http://127.0.0.1:7480");
  std::string_view rest = url;
  if (!rest.starts_with("http://")) return bad;
  rest.remove_prefix(7);
  const size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  HttpUrl parsed;
  if (slash != std::string_view::npos) parsed.target = rest.substr(slash);
  if (auto with_port = parse_host_port(authority)) {
    parsed.host = std::move(with_port->host);
    parsed.port = with_port->port;
  } else {
    parsed.host = authority;
  }
  const bool odd = parsed.host.find_first_of(" @:/?#") != std::string::npos &&
                   authority.find('[') == std::string_view::npos;
  if (parsed.host.empty() || odd || !fits_a_line(url) ||
      parsed.target.find(' ') != std::string::npos) {
    return bad;
  }
  return parsed;
}

}  // namespace base::net
