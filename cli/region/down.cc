#include "cli/region/down.h"

#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "base/life/life.h"
#include "base/net/rpc.h"
#include "cli/region/lock_file.h"
#include "cli/region/places.h"
#include "cli/region/stop.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

boost::asio::awaitable<void> stop_without_owner(const Places& places, base::Timers& timers,
                                                base::Result<>& result) {
  result = co_await stop_region(places, timers, say);
}

base::Result<> stop_by_signals(const Places& places) {
  base::Result<> result;
  boost::asio::io_context io(1);
  base::SystemClock clock;
  base::AsioTimers timers(io.get_executor(), clock);
  base::Gate gate;
  base::spawn(io.get_executor(), gate, "down", stop_without_owner(places, timers, result));
  io.run();
  return result;
}

}  // namespace

int run_down(const std::string& dir) {
  const Places places(dir);
  base::net::RpcRequest request;
  request.verb = "down";
  const auto answer = base::net::rpc_call_blocking(places.up_socket(), request, 90s);
  base::Result<> result;
  if (!answer && answer.code() == base::ErrorCode::kUnavailable) {
    if (held_locks(places.run()).empty()) {
      say("nothing runs in " + places.dir);
      return 0;
    }
    result = stop_by_signals(places);
  } else if (!answer) {
    result = answer.error();
  }
  if (!result) {
    std::fprintf(stderr, "mcguard down: %s\n", result.error().context.c_str());
    return 1;
  }
  say("stopped the region in " + places.dir);
  return 0;
}

}  // namespace cli
