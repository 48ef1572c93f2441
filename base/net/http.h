// HTTP/1.1 for operators, Prometheus and readers of pages: a small server and client.
//
// Beast parses (its parser only: the composed operations cost 15-30 s of build per file), Asio
// moves bytes. One handler receives every request and returns a response, or a stream of
// server-sent events. Bounded: header 16 KiB, body 1 MiB, kMaxConnections open (further ones get
// 503 and close), 10 s to send a request, 30 s idle.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace base::net {

struct HttpRequest {
  std::string method;                          // "GET"
  std::string target;                          // as sent, "/api/v1/status?x=1"
  std::string path;                            // decoded, "/api/v1/status"
  std::map<std::string, std::string> query;    // decoded; the last of duplicates
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string peer;  // "127.0.0.1:51234"
};

// Sends one server-sent event to an open stream; false: the reader is gone or too slow (its buffer,
// 256 KiB, is full: it is dropped).
class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual bool send(std::string_view event, std::string_view data) = 0;
  virtual bool open() const = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
  // Set: the response is a stream of server-sent events; called once with the open stream, which
  // the receiver keeps for as long as it likes.
  std::function<void(std::shared_ptr<EventStream>)> events;
};

// Thread: the executor's. Owner: app. HEAD is answered from GET; bodies over 1 KiB are gzipped when
// the client accepts it and the type is text or JSON; ETag/304 when the handler sets an ETag.
class HttpServer {
 public:
  using Handler = std::function<boost::asio::awaitable<HttpResponse>(HttpRequest)>;
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  // 0: any free port, see port()
    size_t max_connections = 256;
    std::string name = "http";  // for error texts
  };
  // kExists "port in use" names the port; kPermission for a privileged one.
  static Result<std::unique_ptr<HttpServer>> listen(boost::asio::any_io_executor executor,
                                                    Timers& timers, Options options,
                                                    Handler handler);
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  virtual boost::asio::awaitable<void> stop() = 0;
};

// One request, blocking, for tools and tests. `url` is http://host:port/path. kUnavailable,
// kTimeout or the response whatever its status.
struct HttpCall {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout = 5s;
};
Result<HttpResponse> http_call_blocking(const HttpCall& call);

// Streams the lines of a response (server-sent events) to `line` until it returns false, the server
// closes or `idle` passes without a byte.
Result<> http_stream_blocking(const HttpCall& call, Duration idle,
                              const std::function<bool(std::string_view line)>& line);

}  // namespace base::net
