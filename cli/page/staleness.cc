#include "cli/page/staleness.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kBegin = "<!--status-begin-->";
constexpr std::string_view kEnd = "<!--status-end-->";

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// In the page's own classes; the border is for a page without its style sheet.
std::string banner(std::string_view sentence) {
  return "\n<section id=\"status\" class=\"banner unknown\" role=\"alert\" "
         "style=\"border:2px solid #b04a00\">\n<p class=\"headline\">" +
         html_escaped(sentence) +
         "</p>\n<p class=\"fresh\">The program that writes this page has stopped. What it says "
         "below is the last that is known and may no longer be true.</p>\n</section>\n";
}

json::object& object_in(json::object& parent, std::string_view key) {
  json::value& child = parent[key];
  if (!child.is_object()) child = json::object();
  return child.get_object();
}

}  // namespace

std::optional<base::WallTime> generated_at(std::string_view meta_json) {
  json::error_code failure;
  const json::value meta = json::parse(meta_json, failure);
  if (failure || !meta.is_object()) return std::nullopt;
  const json::value* at = meta.get_object().if_contains("generated_at_ns");
  if (!at) return std::nullopt;
  const int64_t ns = at->to_number<int64_t>(failure);
  if (failure) return std::nullopt;
  return base::WallTime{ns};
}

std::string staleness(std::optional<base::WallTime> generated, base::WallTime now) {
  if (!generated) return "Status unknown: no update yet";
  // A time that is far ahead was written before the clock was set back: it proves nothing either.
  const base::Duration age = now - *generated;
  if (age <= kPageFreshFor && age >= -kPageFreshFor) return {};
  return "Status unknown: no update since " + generated->to_rfc3339();
}

std::string mark_html(std::string_view html, std::string_view sentence) {
  const size_t begin = html.find(kBegin);
  const size_t end = begin == std::string_view::npos ? begin : html.find(kEnd, begin);
  if (end == std::string_view::npos) return std::string(html);
  std::string out(html.substr(0, begin + kBegin.size()));
  out += banner(sentence);
  out += html.substr(end);
  return out;
}

std::string mark_json(const std::string& text, std::string_view sentence) {
  json::error_code failure;
  json::value document = json::parse(text, failure);
  if (failure || !document.is_object()) return text;
  json::object& root = document.get_object();
  if (root.contains("status")) {
    json::object& status = object_in(root, "status");
    status["indicator"] = "major";
    status["description"] = sentence;
  }
  json::object& page = object_in(root, "page");
  page["stale"] = true;
  page["stale_reason"] = sentence;
  return json::serialize(document);
}

std::string bare_page(std::string_view sentence) {
  return "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">"
         "<title>Status unknown</title><body style=\"font-family:sans-serif;max-width:40em;"
         "margin:2em auto;padding:0 1em\">" +
         banner(sentence) + "</body></html>\n";
}

}  // namespace cli
