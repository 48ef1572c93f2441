#include "cli/region/watch.h"

#include <boost/json/serialize.hpp>

#include "base/net/rpc.h"
#include "cli/region/announce.h"

namespace cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

constexpr base::Duration kCallTime = 2s;
constexpr base::Duration kLookEvery = 500ms;
constexpr std::chrono::milliseconds kWait = 5s;  // for a change, at the agent

asio::awaitable<std::optional<json::object>> read_object(Places places, std::string verb,
                                                         json::object args, base::Duration time,
                                                         base::Timers& timers) {
  base::net::RpcRequest request;
  request.verb = std::move(verb);
  request.args = std::move(args);
  auto answer =
      co_await base::net::rpc_call(places.agent_socket(), std::move(request), time, timers);
  if (!answer.ok() || !answer->is_object()) co_return std::nullopt;
  co_return std::move(answer->as_object());
}

}  // namespace

asio::awaitable<std::optional<json::object>> describe_region(Places places, base::Timers& timers) {
  json::object none;
  co_return co_await read_object(std::move(places), "region.describe", std::move(none), kCallTime,
                                 timers);
}

asio::awaitable<void> tell_changes(Places places, base::Timers& timers, Say say) {
  ChangeLines changes;
  json::value seen = 0;
  while (true) {
    json::object args;
    args["seen"] = seen;
    args["wait_ms"] = kWait.count();
    const auto status =
        co_await read_object(places, "status", std::move(args), kCallTime + kWait, timers);
    // An agent that has ended, or is of an older release, counts from the start.
    seen = 0;
    if (status) {
      for (const std::string& line : changes.update(*status)) say(line);
      if (const json::value* count = status->if_contains("changes")) seen = *count;
    }
    co_await timers.wait_for(kLookEvery);
  }
}

bool is_ready(const json::object& region) {
  const json::value* ready = region.if_contains("ready");
  return ready && ready->is_bool() && ready->get_bool();
}

std::string waiting_for(const json::object& region) {
  const json::value* what = region.if_contains("waiting_for");
  if (!what || what->is_null()) return {};
  if (what->is_string()) return std::string(what->get_string());
  if (!what->is_array()) return json::serialize(*what);
  std::string text;
  for (const json::value& item : what->get_array()) {
    const std::string name =
        item.is_string() ? std::string(item.get_string()) : json::serialize(item);
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace cli
