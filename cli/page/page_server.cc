#include "cli/page/page_server.h"

#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/page/page_files.h"
#include "cli/region/definition.h"
#include "cli/region/lock_file.h"
#include "cli/region/places.h"

namespace cli {
namespace {

namespace asio = boost::asio;
using base::net::HttpServer;
using namespace std::chrono_literals;

int fail(const base::Error& error) {
  std::fprintf(stderr, "mcguard page serve: %s\n", error.context.c_str());
  return error.code == base::ErrorCode::kInvalid ? 2 : 1;
}

// Whoever asks who holds the lock holds it for an instant.
asio::awaitable<base::Result<LockFile>> take_lock(std::string path, base::Timers& timers) {
  for (int attempt = 0;; ++attempt) {
    auto lock = LockFile::acquire(path);
    if (lock || lock.code() != base::ErrorCode::kConflict || attempt == 20) co_return lock;
    co_await timers.wait_for(10ms);
  }
}

asio::awaitable<base::net::HttpResponse> answer_later(const PageFiles& files,
                                                      base::net::HttpRequest request) {
  co_return files.answer(request);
}

asio::awaitable<void> serve(const Places& places, HttpServer::Options options, base::Timers& timers,
                            int& status) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  status = 1;
  const auto lock = co_await take_lock(places.lock("page"), timers);
  if (!lock) {
    fail(lock.error());
    co_return;
  }
  const PageFiles files(places.page(), timers.clock());
  const HttpServer::Handler handler = [&files](base::net::HttpRequest request) {
    return answer_later(files, std::move(request));
  };
  auto server = HttpServer::listen(executor, timers, options, handler);
  if (!server) {
    status = fail(server.error());
    co_return;
  }
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  boost::system::error_code failure;
  co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, failure));
  co_await (*server)->stop();
  status = 0;
}

}  // namespace

int run_page_server(const std::string& dir, std::optional<uint16_t> port,
                    const std::string& address) {
  const Places places(dir);
  if (auto made = make_places(places); !made) return fail(made.error());
  HttpServer::Options options;
  options.name = "status page";
  options.address = address;
  options.port = port.value_or(7481);
  if (!port && std::filesystem::exists(places.definition())) {
    auto definition = load_definition(places.definition());
    if (!definition) return fail(definition.error());
    options.port = definition->ports.status;
  }
  asio::io_context io(1);
  base::SystemClock clock;
  base::AsioTimers timers(io.get_executor(), clock);
  base::Gate gate;
  int status = 1;
  base::spawn(io.get_executor(), gate, "page", serve(places, options, timers, status));
  io.run();
  return status;
}

}  // namespace cli
