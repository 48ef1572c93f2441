#include "cli/page/page_files.h"

#include <algorithm>

#include "base/core/hash.h"
#include "base/core/text.h"
#include "cli/page/safe_open.h"
#include "cli/page/staleness.h"

namespace cli {
namespace {

using base::net::HttpRequest;
using base::net::HttpResponse;

std::string entity_tag(std::string_view content) {
  const uint64_t hash = base::hash64(content, 0);
  return "\"" + base::hex_encode({reinterpret_cast<const char*>(&hash), sizeof hash}) + "\"";
}

void add_common_headers(HttpResponse& response, const std::string& path) {
  response.headers.emplace_back("Cache-Control", "public, max-age=5");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (path.starts_with("/api/")) {
    response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  }
}

HttpResponse plain(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(text);
  return response;
}

}  // namespace

std::string_view content_type_of(std::string_view path) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json; charset=utf-8"},
      {".atom", "application/atom+xml"},
      {".xml", "application/xml"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
  };
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::string PageFiles::staleness_now() const {
  const OpenedFile meta = read_beneath(folder_, "/meta.json");
  const auto generated = meta.kind == OpenedKind::kFile ? generated_at(meta.content) : std::nullopt;
  return staleness(generated, clock_.wall());
}

HttpResponse PageFiles::answer(const HttpRequest& request) const {
  if (request.method != "GET") {
    HttpResponse refused = plain(405, "this page only answers GET\n");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  std::string path = request.path;
  OpenedFile file = read_beneath(folder_, path);
  if (file.kind == OpenedKind::kFolder) {
    if (!path.ends_with('/')) {
      HttpResponse moved = plain(301, "");
      moved.headers.emplace_back("Location", request.target + "/");
      return moved;
    }
    path += "index.html";
    file = read_beneath(folder_, path);
  } else if (file.kind == OpenedKind::kNothing && !path.ends_with('/')) {
    path += ".html";  // /history for history.html
    file = read_beneath(folder_, path);
  }
  const std::string unknown = staleness_now();
  if (file.kind != OpenedKind::kFile) {
    if (request.path != "/" || unknown.empty()) return plain(404, "no such page\n");
    HttpResponse bare = plain(503, bare_page(unknown));
    bare.content_type = content_type_of(".html");
    return bare;
  }
  if (!unknown.empty()) {
    if (path.ends_with(".html")) file.content = mark_html(file.content, unknown);
    if (path.starts_with("/api/") && path.ends_with(".json")) {
      file.content = mark_json(file.content, unknown);
    }
  }
  HttpResponse response = plain(200, std::move(file.content));
  response.content_type = content_type_of(path);
  response.headers.emplace_back("ETag", entity_tag(response.body));
  add_common_headers(response, path);
  return response;
}

}  // namespace cli
