#include "proxy/admin/flushes.h"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <memory>

#include "base/core/text.h"
#include "base/net/rpc.h"
#include "base/telemetry/log.h"

namespace proxy::admin {

namespace asio = boost::asio;

namespace {

constexpr base::Duration kAgentDeadline = std::chrono::milliseconds(2500);
constexpr size_t kLongestReason = 160;

std::string refusal(std::string_view why) {
  return "SERVER_ERROR flush refused: " + base::printable(why, kLongestReason) + "\r\n";
}

std::string answer_of(const base::Result<boost::json::value>& result) {
  if (result.ok()) return "OK\r\n";
  if (result.code() == base::ErrorCode::kTimeout || result.code() == base::ErrorCode::kUnknown) {
    return "SERVER_ERROR flush pending\r\n";
  }
  return refusal(result.error().context);
}

}  // namespace

Flushes::Flushes(asio::any_io_executor executor, base::Timers& timers, std::string proxy,
                 std::string agent_socket)
    : executor_(std::move(executor)),
      timers_(timers),
      proxy_(std::move(proxy)),
      agent_socket_(std::move(agent_socket)) {}

void Flushes::request_flush(FlushRequest request) {
  auto holder = std::make_shared<FlushRequest>(std::move(request));
  asio::post(executor_, [this, holder] {
    if (agent_socket_.empty()) return holder->done(refusal("this proxy has no agent"));
    if (gate_.closed() || gate_.inside() >= kMostAtOnce) {
      return holder->done(refusal("too many flushes at once, try again"));
    }
    base::spawn(executor_, gate_, "flush_request", ask(std::move(*holder)));
  });
}

asio::awaitable<void> Flushes::ask(FlushRequest request) {
  base::net::RpcRequest call;
  call.verb = "flush.request";
  call.args["proxy"] = proxy_;
  call.args["cache"] = request.cache;
  call.args["credential"] = request.credential;
  call.args["delay_s"] = request.delay_s;
  const auto result =
      co_await base::net::rpc_call(agent_socket_, std::move(call), kAgentDeadline, timers_);
  if (!result.ok()) {
    base::log::warn("flush_not_done",
                    {{"cache", std::to_string(request.cache)}, {"error", result.error().context}});
  }
  request.done(answer_of(result));
}

asio::awaitable<void> Flushes::stop(base::Instant deadline) {
  gate_.close();
  co_await gate_.wait_empty(timers_, deadline);
}

}  // namespace proxy::admin
