// Calls between the programs on one machine: JSON over a Unix socket, one line each way.
//
// A request is one line {"verb":"epoch.prepare","fence":7,"args":{…}}, the answer one line
// {"ok":true,"value":{…}} or {"ok":false,"error":{"code":"refused","context":"…"}}. One outstanding
// request per connection; a client that wants more opens more. Lines are bounded (kMaxLine).
// The socket file is 0600: whoever may connect may act.
//
// What it leaves out: retries (the caller knows whether a verb may be repeated) and streaming.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/core/result.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace base::net {

inline constexpr size_t kMaxLine = 64u << 20;

struct RpcRequest {
  std::string verb;
  uint64_t fence = 0;  // the caller's fencing token; 0: a read, or nothing to fence
  boost::json::object args;
};

// Thread: the executor's. Owner: app. The handler may suspend; each connection is served in turn.
class RpcServer {
 public:
  using Handler = std::function<boost::asio::awaitable<Result<boost::json::value>>(RpcRequest)>;
  // Removes a stale socket file (nobody listening) and binds; kExists if somebody does listen.
  static Result<std::unique_ptr<RpcServer>> listen(boost::asio::any_io_executor executor,
                                                   std::string path, Handler handler);
  virtual ~RpcServer() = default;
  // Stops accepting, cancels what runs and removes the socket file.
  virtual boost::asio::awaitable<void> stop(Timers& timers) = 0;
};

// One call on a fresh connection. kUnavailable (nothing was sent: may be repeated), kTimeout or
// kUnknown (it was sent and no answer came, in time or at all: the effect is unknown), or the
// server's own error.
boost::asio::awaitable<Result<boost::json::value>> rpc_call(std::string path, RpcRequest request,
                                                            Duration timeout, Timers& timers);

// The same without an executor, for tools; blocks.
Result<boost::json::value> rpc_call_blocking(const std::string& path, const RpcRequest& request,
                                             Duration timeout);

}  // namespace base::net
