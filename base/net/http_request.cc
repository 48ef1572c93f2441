#include "base/net/http_request.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/core/check.h"
#include "base/net/chunked.h"
#include "base/net/http_text.h"

namespace base::net {
namespace {
namespace http = boost::beast::http;

int status_for(const boost::system::error_code& failure) {
  if (failure == http::error::header_limit) return 431;
  if (failure == http::error::body_limit) return 413;
  return 400;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct HttpRequestReader::Parser {
  http::request_parser<http::string_body> beast;
};

HttpRequestReader::HttpRequestReader() : parser_(std::make_unique<Parser>()) {
  // Where exactly Beast's limit is depends on how the bytes arrive; feed() holds the real one.
  parser_->beast.header_limit(2 * kMaxHttpHeader);
  parser_->beast.body_limit(kMaxHttpBody);
}
HttpRequestReader::~HttpRequestReader() = default;
HttpRequestReader::HttpRequestReader(HttpRequestReader&&) noexcept = default;
HttpRequestReader& HttpRequestReader::operator=(HttpRequestReader&&) noexcept = default;

bool HttpRequestReader::done() const {
  return !bad() && decoded_;
}
bool HttpRequestReader::keep_alive() const {
  return !bad() && parser_->beast.keep_alive();
}

void HttpRequestReader::feed(std::string& bytes) {
  while (!bytes.empty() && !bad() && !decoded_) {
    if (!can_show_again(parser_->beast, bytes.size())) return;
    const bool in_header = !parser_->beast.is_header_done();
    parser_->beast.eager(!in_header);  // in one go, but for where the header ends
    boost::system::error_code failure;
    const size_t taken = parser_->beast.put(boost::asio::buffer(bytes), failure);
    bytes.erase(0, taken);
    if (failure && failure != http::error::need_more) {
      bad_status_ = status_for(failure);
      return;
    }
    if (in_header) {
      header_bytes_ += taken;
      const size_t pending = parser_->beast.is_header_done() ? 0 : bytes.size();
      if (header_bytes_ + pending > kMaxHttpHeader) {
        bad_status_ = 431;
        return;
      }
    }
    if (parser_->beast.is_done()) return decode();
    if (failure == http::error::need_more || taken == 0) {
      // Beast wants more of a short line of garbage although its header has ended.
      const bool header_ended = bytes.find("\r\n\r\n") != std::string::npos;
      if (header_ended && !parser_->beast.is_header_done()) bad_status_ = 400;
      return;
    }
  }
}

bool HttpRequestReader::wants_continue() {
  if (continued_ || bad() || decoded_ || !parser_->beast.is_header_done()) return false;
  continued_ = true;
  return parser_->beast.get().count(http::field::expect) > 0;
}

void HttpRequestReader::decode() {
  auto& message = parser_->beast.get();
  request_.method = std::string(view(message.method_string()));
  request_.target = std::string(view(message.target()));
  for (const auto& field : message) {
    std::string& value = request_.headers[lower_case(view(field.name_string()))];
    if (!value.empty()) value += ", ";
    value += view(field.value());
  }
  request_.body = std::move(message.body());
  if (!decode_target(request_)) bad_status_ = 400;
  decoded_ = true;
}

HttpRequest HttpRequestReader::take() {
  CHECK(done());
  return std::move(request_);
}

}  // namespace base::net
