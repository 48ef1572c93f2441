// Flushes: takes clients' flush_all to the agent and brings the answer back.
//
// The only place where a client waits for the control plane, and only the client that asked does:
// 2 s at most, then "pending". That is a promise: when it is not known whether the agent has the flush
// (it was killed or stood still), the request is repeated until it answers. Bounded in number.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/life/life.h"
#include "base/net/rpc.h"
#include "base/time/timers.h"
#include "proxy/frontend/world.h"

namespace proxy::admin {

// Thread: request_flush any, the rest admin. Owner: app.
class Flushes final : public FlushPort {
 public:
  Flushes(boost::asio::any_io_executor executor, base::Timers& timers, std::string proxy,
          std::string agent_socket);

  void request_flush(FlushRequest request) override;
  // Requests that were promised to clients and are repeated until the agent has them; for another
  // process, and of one.
  std::vector<std::string> promises() const { return {repeating_.begin(), repeating_.end()}; }
  void keep_promises(const std::vector<std::string>& promises);
  // Waits for calls under way, at most until `deadline`.
  boost::asio::awaitable<void> stop(base::Instant deadline);

 private:
  static constexpr int kMostAtOnce = 256;

  boost::asio::awaitable<void> ask(FlushRequest request);
  boost::asio::awaitable<void> repeat(base::net::RpcRequest call);

  boost::asio::any_io_executor executor_;
  base::Timers& timers_;
  const std::string proxy_;
  const std::string agent_socket_;
  base::Gate gate_;
  std::set<std::string> repeating_;  // requests that are the same are repeated once
};

}  // namespace proxy::admin
