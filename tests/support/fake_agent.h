// An agent's operator API for tests of the tool: canned answers by "METHOD /path", and a record of
// what was asked.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/net/http.h"
#include "tests/support/server_thread.h"

namespace test {

class FakeAgent {
 public:
  struct Seen {
    std::string call;  // "POST /api/v1/faults"
    std::string body;
    std::string authorization;
  };

  FakeAgent() {
    thread_.run(start());
    url_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  ~FakeAgent() { thread_.run(server_->stop()); }

  const std::string& url() const { return url_; }
  void answer(const std::string& call, std::string json, int status = 200) {
    const std::lock_guard lock(mutex_);
    answers_[call] = {status, std::move(json)};
  }
  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  boost::asio::awaitable<void> start() {
    base::net::HttpServer::Options options;
    const base::net::HttpServer::Handler handler = [this](base::net::HttpRequest request) {
      return handle(std::move(request));
    };
    auto listening =
        base::net::HttpServer::listen(thread_.executor(), thread_.timers(), options, handler);
    server_ = std::move(*listening);
    co_return;
  }

  boost::asio::awaitable<base::net::HttpResponse> handle(base::net::HttpRequest request) {
    base::net::HttpResponse response;
    response.content_type = "application/json";
    const std::lock_guard lock(mutex_);
    const std::string call = request.method + " " + request.target;
    seen_.push_back({call, request.body, request.headers["authorization"]});
    const auto found = answers_.find(call);
    if (request.path == "/api/v1/events" && found != answers_.end()) {
      response.events = [data =
                             found->second.json](std::shared_ptr<base::net::EventStream> stream) {
        stream->send("status", data);
      };
    } else if (found != answers_.end()) {
      response.status = found->second.status;
      response.body = found->second.json;
    } else {
      response.status = 404;
      response.body = R"({"error":{"code":"not_found","context":"nothing at )" + call + R"("}})";
    }
    co_return response;
  }

  struct Canned {
    int status = 200;
    std::string json;
  };

  ServerThread thread_;
  std::unique_ptr<base::net::HttpServer> server_;
  std::string url_;
  mutable std::mutex mutex_;
  std::map<std::string, Canned> answers_;  // guarded by mutex_
  std::vector<Seen> seen_;                 // guarded by mutex_
};

}  // namespace test
