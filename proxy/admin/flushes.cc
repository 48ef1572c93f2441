#include "proxy/admin/flushes.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <memory>

#include "base/core/text.h"
#include "base/net/rpc.h"
#include "base/telemetry/log.h"

namespace proxy::admin {

namespace asio = boost::asio;

namespace {

constexpr base::Duration kAgentDeadline = std::chrono::seconds(2);
constexpr base::Duration kFirstPause = std::chrono::milliseconds(100);
constexpr base::Duration kLongestPause = std::chrono::seconds(2);
constexpr size_t kLongestReason = 160;

std::string refusal(std::string_view why) {
  return "SERVER_ERROR flush refused: " + base::printable(why, kLongestReason) + "\r\n";
}

constexpr std::string_view kPending = "SERVER_ERROR flush pending\r\n";

// It was sent and nobody answered: the agent may have it or not.
bool is_uncertain(const base::Result<boost::json::value>& result) {
  return !result.ok() &&
         (result.code() == base::ErrorCode::kTimeout || result.code() == base::ErrorCode::kUnknown);
}

// The agent has it and says that it is not complete yet.
bool is_pending(const boost::json::value& answer) {
  const auto* const object = answer.if_object();
  const auto* const pending = object == nullptr ? nullptr : object->if_contains("pending");
  return pending != nullptr && pending->is_bool() && pending->get_bool();
}

std::string answer_of(const base::Result<boost::json::value>& result) {
  if (result.ok()) return is_pending(*result) ? std::string(kPending) : "OK\r\n";
  if (is_uncertain(result)) return std::string(kPending);
  return refusal(result.error().context);
}

// Repeated until the agent has it, or will never take it.
bool is_final(const base::Result<boost::json::value>& result) {
  if (result.ok()) return true;
  return result.code() == base::ErrorCode::kNotFound ||
         result.code() == base::ErrorCode::kPermission ||
         result.code() == base::ErrorCode::kInvalid;
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
  // However late the agent hears of it, it is due when the client was told, and no newer one is undone.
  if (request.delay_s > 0) call.args["asked_ns"] = timers_.clock().wall().ns;
  base::net::RpcRequest copy = call;
  const auto result =
      co_await base::net::rpc_call(agent_socket_, std::move(copy), kAgentDeadline, timers_);
  if (!result.ok()) {
    base::log::warn("flush_not_done",
                    {{"cache", std::to_string(request.cache)}, {"error", result.error().context}});
  }
  request.done(answer_of(result));
  if (is_uncertain(result)) co_await repeat(std::move(call));
}

void Flushes::keep_promises(const std::vector<std::string>& promises) {
  for (const std::string& promise : promises) {
    boost::json::error_code failed;
    const boost::json::value args = boost::json::parse(promise, failed);
    if (failed || !args.is_object()) continue;
    base::net::RpcRequest call;
    call.verb = "flush.request";
    call.args = args.get_object();
    base::spawn(executor_, gate_, "flush_promise", repeat(std::move(call)));
  }
}

// Until the agent has answered for itself.
asio::awaitable<void> Flushes::repeat(base::net::RpcRequest call) {
  const std::string what = boost::json::serialize(call.args);
  if (!repeating_.insert(what).second) co_return;
  base::Duration pause = kFirstPause;
  while (!gate_.closed()) {
    const base::Instant next = timers_.clock().now() + pause;
    while (!gate_.closed() && timers_.clock().now() < next) co_await timers_.wait_for(kFirstPause);
    if (gate_.closed()) break;
    pause = std::min(pause * 2, kLongestPause);
    base::net::RpcRequest copy = call;
    const auto result =
        co_await base::net::rpc_call(agent_socket_, std::move(copy), kAgentDeadline, timers_);
    if (!is_final(result)) continue;
    base::log::info("flush_repeated",
                    {{"request", what}, {"answer", result.ok() ? "done" : result.error().context}});
    break;
  }
  repeating_.erase(what);
}

asio::awaitable<void> Flushes::stop(base::Instant deadline) {
  gate_.close();
  co_await gate_.wait_empty(timers_, deadline);
}

}  // namespace proxy::admin
