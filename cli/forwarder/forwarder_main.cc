#include "cli/forwarder/forwarder_main.h"

#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <thread>

#include "base/life/life.h"
#include "cli/forwarder/control.h"

namespace cli {
namespace {

namespace asio = boost::asio;

asio::awaitable<base::Result<boost::json::value>> answer_later(Forwarder& forwarder,
                                                               base::net::RpcRequest request) {
  co_return answer_control(forwarder, request);
}

asio::awaitable<void> serve(Forwarder& forwarder, std::string socket, base::Timers& timers,
                            int& status) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const base::net::RpcServer::Handler handler = [&forwarder](base::net::RpcRequest request) {
    return answer_later(forwarder, std::move(request));
  };
  auto server = base::net::RpcServer::listen(executor, std::move(socket), handler);
  if (!server) {
    std::fprintf(stderr, "mcguard forwarder: %s\n", server.error().context.c_str());
    status = 1;
    co_return;
  }
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  boost::system::error_code failure;
  co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, failure));
  co_await (*server)->stop(timers);
}

}  // namespace

int run_forwarder(const std::string& socket, uint64_t seed) {
  base::SystemClock clock;
  Forwarder forwarder(clock, seed);
  std::thread loop([&] { forwarder.run(); });
  asio::io_context io(1);
  base::AsioTimers timers(io.get_executor(), clock);
  base::Gate gate;
  int status = 0;
  base::spawn(io.get_executor(), gate, "forwarder", serve(forwarder, socket, timers, status));
  io.run();
  forwarder.stop();
  loop.join();
  return status;
}

}  // namespace cli
