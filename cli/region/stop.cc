#include "cli/region/stop.h"

#include <signal.h>

#include <algorithm>

#include "base/net/rpc.h"
#include "cli/region/exit_watch.h"
#include "cli/region/lock_file.h"

namespace cli {
namespace {

namespace asio = boost::asio;
using base::Duration;
using base::Error;
using base::ErrorCode;
using namespace std::chrono_literals;

constexpr Duration kAgentPatience = 30s;  // for region.stop to be answered
constexpr Duration kEndPatience = 10s;    // for processes to end once it was
constexpr Duration kTermPatience = 5s;    // between SIGTERM and SIGKILL
constexpr Duration kPoll = 20ms;
constexpr const char* kPage = "page";

std::vector<std::string> names_but_page(const Places& places) {
  std::vector<std::string> names;
  for (const HeldLock& lock : held_locks(places.run())) {
    if (lock.name != kPage) names.push_back(lock.name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

asio::awaitable<bool> wait_all_free(const Places& places, base::Timers& timers, Duration patience) {
  const base::Instant end = timers.clock().now() + patience;
  while (!names_but_page(places).empty()) {
    if (timers.clock().now() >= end) co_return false;
    co_await timers.wait_for(kPoll);
  }
  co_return true;
}

// SIGTERM, then SIGKILL; true when the lock is free.
asio::awaitable<bool> end_holder(std::string lock, base::Timers& timers) {
  for (const int number : {SIGTERM, SIGKILL}) {
    if (!signal_holder(lock, number)) co_return !lock_holder(lock);
    const base::Instant end = timers.clock().now() + kTermPatience;
    while (timers.clock().now() < end) {
      if (!lock_holder(lock)) co_return true;
      co_await timers.wait_for(kPoll);
    }
  }
  co_return !lock_holder(lock);
}

// True when the agent has taken the order.
asio::awaitable<bool> ask_agent(const Places& places, base::Timers& timers, const Say& say) {
  if (!lock_holder(places.lock("agent"))) co_return false;
  base::net::RpcRequest request;
  request.verb = "region.stop";
  const auto answer = co_await base::net::rpc_call(places.agent_socket(), std::move(request),
                                                   kAgentPatience, timers);
  // It may end before it can answer.
  if (answer.ok() || answer.code() == ErrorCode::kUnknown) co_return true;
  say("the agent did not stop the region (" + answer.error().context + ")");
  co_return false;
}

}  // namespace

asio::awaitable<base::Result<>> stop_region(Places places, base::Timers& timers, Say say) {
  const auto running = names_but_page(places);
  if (!running.empty()) {
    say("stopping " + joined(running));
    const bool stops = co_await ask_agent(places, timers, say);
    if (stops) co_await wait_all_free(places, timers, kEndPatience);
    // The agent first: it would start again whatever ends before it.
    auto left = names_but_page(places);
    std::stable_partition(left.begin(), left.end(),
                          [](const std::string& name) { return name == "agent"; });
    if (!left.empty()) say("ending by signal: " + joined(left));
    for (const std::string& name : left) {
      std::string lock = places.lock(name);
      co_await end_holder(std::move(lock), timers);
    }
  }
  if (lock_holder(places.lock(kPage))) {
    say("stopping the page server");
    std::string lock = places.lock(kPage);
    co_await end_holder(std::move(lock), timers);
  }
  const auto left = held_locks(places.run());
  if (left.empty()) co_return base::Result<>();
  co_return Error(ErrorCode::kTimeout, left[0].name + " (process " + std::to_string(left[0].pid) +
                                           ") does not end; look at it with ps and kill it");
}

}  // namespace cli
