#include "cli/region/up.h"

#include <signal.h>
#include <sys/prctl.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <filesystem>

#include "base/core/file.h"
#include "base/core/text.h"
#include "base/net/rpc.h"
#include "cli/region/announce.h"
#include "cli/region/lock_file.h"
#include "cli/region/ports.h"
#include "cli/region/stop.h"
#include "cli/region/supervisor.h"
#include "cli/region/watch.h"

namespace cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Result;
using namespace std::chrono_literals;

constexpr Duration kReadyPatience = 60s;
constexpr Duration kTakeoverPatience = 15s;
constexpr Duration kAnswerLinger = 200ms;  // for an answer under way before its socket closes

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}
void complain(const std::string& line) {
  std::fprintf(stderr, "mcguard up: %s\n", line.c_str());
}

int status_of(const Error& error) {
  return error.code == ErrorCode::kInvalid ? 2 : 1;
}

enum class End { kNone, kStop, kTakenOver };

// Thread: one. Owner: run_up. Invariant: holds run/up.owner and run/up.sock while it supervises.
class Owner {
 public:
  Owner(asio::io_context& io, Places places, Definition definition, std::string agent)
      : executor_(io.get_executor()),
        timers_(executor_, clock_),
        places_(std::move(places)),
        definition_(std::move(definition)),
        agent_(std::move(agent)),
        exits_(executor_),
        supervisor_(executor_, timers_, exits_, complain),
        signals_(executor_) {}

  asio::awaitable<void> run();
  int status() const { return status_; }

 private:
  asio::awaitable<Result<>> become_owner();
  asio::awaitable<Result<json::value>> answer(base::net::RpcRequest request);
  asio::awaitable<Result<json::value>> take_over(json::object args);
  asio::awaitable<Result<json::value>> go_down();
  asio::awaitable<void> listen_to_signals();
  Result<> start_programs();
  asio::awaitable<void> supervise();
  asio::awaitable<bool> wait_ready();
  asio::awaitable<void> close();
  void end(End how);
  void fail(const Error& error);

  // Constant after construction.
  asio::any_io_executor executor_;
  base::SystemClock clock_;
  base::AsioTimers timers_;
  Places places_;
  Definition definition_;
  std::string agent_;
  // Owned by the thread.
  ExitWatch exits_;
  Supervisor supervisor_;
  asio::signal_set signals_;
  asio::cancellation_signal cancel_supervision_;
  std::optional<LockFile> lock_;  // held while server_ is there
  std::unique_ptr<base::net::RpcServer> server_;
  base::Gate gate_;
  End end_ = End::kNone;
  pid_t taker_ = 0;
  bool adopted_ = false;
  bool stopped_ = false;
  int status_ = 0;
};

void Owner::end(End how) {
  if (end_ != End::kNone) return;
  end_ = how;
  cancel_supervision_.emit(asio::cancellation_type::terminal);
}

void Owner::fail(const Error& error) {
  complain(error.context);
  status_ = status_of(error);
}

asio::awaitable<void> Owner::run() {
  // From the start: a Ctrl-C while the region changes hands stops it too, or nobody would watch it.
  base::spawn(executor_, gate_, "signals", listen_to_signals());
  if (auto owner = co_await become_owner(); !owner) {
    fail(owner.error());
    signals_.cancel();
    gate_.close();
    co_return;
  }
  if (auto started = start_programs(); !started) {
    fail(started.error());
    // A port in use, a missing program: nothing of ours runs unless one of two did start.
    end_ = End::kStop;
  } else if (end_ == End::kNone) {
    try {
      co_await asio::co_spawn(
          executor_, supervise(),
          asio::bind_cancellation_slot(cancel_supervision_.slot(), asio::use_awaitable));
    } catch (const boost::system::system_error&) {
      // end() was called: fall through to what it asks for.
    }
  }
  if (end_ == End::kTakenOver) {
    say("taken over by process " + std::to_string(taker_) + "; the region runs on");
  } else {
    end_ = End::kStop;
    supervisor_.expect_ends();
    Say tell = say;
    const auto stopped = co_await stop_region(places_, timers_, std::move(tell));
    co_await supervisor_.end_programs();
    if (!stopped) fail(stopped.error());
    say("stopped");
  }
  stopped_ = true;
  co_await close();
}

asio::awaitable<void> Owner::close() {
  co_await timers_.wait_for(kAnswerLinger);
  co_await server_->stop(timers_);
  lock_.reset();
  co_await supervisor_.leave();
  signals_.cancel();
  gate_.close();
  co_await gate_.wait_empty(timers_, clock_.now() + 5s);
}

asio::awaitable<Result<>> Owner::become_owner() {
  const base::Instant deadline = clock_.now() + kTakeoverPatience;
  bool asked = false;
  while (true) {
    // Two at once would each take the other's socket for a stale one: the lock decides.
    if (!lock_) {
      auto lock = LockFile::acquire(places_.up_lock());
      if (!lock && lock.code() != ErrorCode::kConflict) co_return lock.error();
      if (lock) lock_.emplace(std::move(*lock));
    }
    if (lock_) {
      auto listening =
          base::net::RpcServer::listen(executor_, places_.up_socket(),
                                       [this](auto request) { return answer(std::move(request)); });
      if (listening) {
        server_ = std::move(*listening);
        co_return Result<>();
      }
      if (listening.code() != ErrorCode::kExists) co_return listening.error();
    }
    if (end_ == End::kStop && !asked) {
      co_return Error(ErrorCode::kUnknown, "interrupted; the region runs on as it was");
    }
    if (clock_.now() >= deadline) {
      co_return Error(ErrorCode::kTimeout, "another mcguard up does not let go of " + places_.dir +
                                               "; see who holds " + places_.up_lock());
    }
    base::net::RpcRequest request;
    request.verb = "takeover";
    request.args["pid"] = ::getpid();
    const auto answer =
        co_await base::net::rpc_call(places_.up_socket(), std::move(request), 5s, timers_);
    if (answer && !asked) say("taking over from the running mcguard up");
    asked = true;
    if (!answer && answer.code() == ErrorCode::kConflict) co_return answer.error();
    co_await timers_.wait_for(50ms);
  }
}

asio::awaitable<Result<json::value>> Owner::answer(base::net::RpcRequest request) {
  if (request.verb == "takeover") co_return co_await take_over(std::move(request.args));
  if (request.verb == "down") co_return co_await go_down();
  co_return Error(ErrorCode::kNotFound, "mcguard up answers takeover and down, not \"" +
                                            base::printable(request.verb) + "\"");
}

asio::awaitable<Result<json::value>> Owner::take_over(json::object args) {
  json::error_code failure;
  const json::value* pid = args.if_contains("pid");
  const pid_t taker = pid ? pid->to_number<pid_t>(failure) : 0;
  if (!pid || failure || taker <= 0) {
    co_return Error(ErrorCode::kInvalid, "pid: expected the process id of the new supervisor");
  }
  // The taker asks again until our socket is gone; anybody else comes too late.
  if (end_ != End::kNone && (end_ != End::kTakenOver || taker != taker_)) {
    if (end_ == End::kStop) {
      co_return Error(ErrorCode::kUnavailable, "the region is being stopped");
    }
    co_return Error(ErrorCode::kConflict,
                    "the region is just being taken over by process " + std::to_string(taker_));
  }
  taker_ = taker;
  json::object children;
  children["agent"] = supervisor_.pid_of("agent");
  children["page"] = supervisor_.pid_of("page server");
  end(End::kTakenOver);
  co_return json::value(std::move(children));
}

asio::awaitable<Result<json::value>> Owner::go_down() {
  end(End::kStop);
  if (end_ == End::kTakenOver) {
    co_return Error(ErrorCode::kConflict,
                    "the region is just being taken over by process " + std::to_string(taker_));
  }
  while (!stopped_) co_await timers_.wait_for(20ms);
  if (status_ != 0) co_return Error(ErrorCode::kTimeout, "not everything of the region ended");
  json::object done;
  done["stopped"] = true;
  co_return json::value(std::move(done));
}

asio::awaitable<void> Owner::listen_to_signals() {
  struct sigaction hangup {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD}) signals_.add(number);
  if (hangup.sa_handler != SIG_IGN) signals_.add(SIGHUP);  // not under nohup
  while (true) {
    boost::system::error_code failure;
    const int number =
        co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, failure));
    if (failure) co_return;
    if (number == SIGCHLD) {
      exits_.reap();
    } else if (end_ != End::kNone) {
      say("already stopping");
    } else {
      say("");  // past the terminal's ^C
      end(End::kStop);
    }
  }
}

Result<> Owner::start_programs() {
  const auto agent = lock_holder(places_.lock("agent"));
  const auto page = lock_holder(places_.lock("page"));
  adopted_ = !held_locks(places_.run()).empty();
  if (!adopted_) {
    std::error_code ignored;
    std::filesystem::remove(places_.region_json(), ignored);  // it speaks of an earlier life
    if (auto free = check_ports(ports_of(definition_)); !free) return free;
  }
  for (const auto& [name, pid] : {std::pair{"agent", agent}, std::pair{"page server", page}}) {
    if (pid) say("adopted the " + std::string(name) + " (process " + std::to_string(*pid) + ")");
  }
  auto kept = supervisor_.keep(
      "agent", {{agent_, "--dir", places_.dir}, places_.log() + "/agent.out.log"}, agent);
  if (!kept) return kept;
  return supervisor_.keep(
      "page server",
      {{definition_.tool, "page", "serve", "--dir", places_.dir}, places_.log() + "/page.log"},
      page);
}

asio::awaitable<void> Owner::supervise() {
  const bool ready = co_await wait_ready();
  if (!ready) co_return;
  // Named: GCC 12 destroys the converted temporary of a co_await expression that was never reached.
  Say tell = say;
  co_await tell_changes(places_, timers_, std::move(tell));
}

// False: it is not going to be.
asio::awaitable<bool> Owner::wait_ready() {
  const base::Instant deadline = clock_.now() + kReadyPatience;
  std::string told;
  while (true) {
    const auto region = co_await describe_region(places_, timers_);
    if (region && is_ready(*region)) {
      supervisor_.set_ready();
      say(announcement(*region));
      co_return true;
    }
    if (const auto& failure = supervisor_.failure()) {
      std::fprintf(stderr, "%s\n", failure->text.c_str());
      status_ = failure->status;
      co_return false;
    }
    const std::string missing = region ? waiting_for(*region) : "the agent";
    if (!missing.empty() && missing != told) say("waiting for " + missing);
    told = missing;
    if (clock_.now() >= deadline) break;
    co_await timers_.wait_for(50ms);
  }
  complain("not ready after 60 s, still waiting for " + told + ": look into " + places_.log());
  supervisor_.set_ready();
  // What ran before us is somebody's service: it is watched over, not stopped.
  if (!adopted_) status_ = 1;
  co_return adopted_;
}

// The definition on disk, written on the first start.
Result<Definition> prepare_definition(const Places& places, const UpOptions& options,
                                      const Installation& installation) {
  const std::string path = places.definition();
  if (std::filesystem::exists(path)) {
    auto definition = load_definition(path);
    if (!definition) return definition;
    if (auto agrees = check_no_contradiction(*definition, options, path); !agrees) {
      return agrees.error();
    }
    return definition;
  }
  Definition defaults;
  defaults.tool = installation.tool;
  defaults.proxy = installation.proxy;
  defaults.memcached = installation.memcached;
  defaults.rules_dir = installation.rules_dir;
  defaults.runbooks_dir = installation.runbooks_dir;
  Definition definition = make_definition(options, std::move(defaults));
  // Nothing is written before the programs are known to be there: a wrong guess would be kept.
  const std::string agent =
      options.agent_binary.empty() ? installation.agent : options.agent_binary;
  if (auto programs = check_programs(definition, agent); !programs) return programs.error();
  if (lock_holder(places.lock("agent"))) {
    return Error(ErrorCode::kConflict, "an agent runs in " + places.dir + ", but " + path +
                                           " is gone: restore it, or stop the region with "
                                           "mcguard down --dir " +
                                           places.dir);
  }
  // Ports before the file as well: one that is taken would be written down otherwise.
  if (auto free = check_ports(ports_of(definition)); !free) return free.error();
  auto written = base::write_file_atomic(path, to_yaml(definition), base::Durability::kFsync);
  if (!written) {
    return Error(written.code(),
                 written.error().context + ": make room there, or choose another place with --dir");
  }
  return definition;
}

}  // namespace

int run_up(const UpOptions& options) {
  const Places places(options.dir);
  const Installation installation = find_installation();
  const auto fail = [](const Error& error) {
    complain(error.context);
    return status_of(error);
  };
  if (auto made = make_places(places); !made) return fail(made.error());
  auto definition = prepare_definition(places, options, installation);
  if (!definition) return fail(definition.error());
  const std::string agent = options.agent_binary.empty()
                                ? installation.agent
                                : std::filesystem::absolute(options.agent_binary).string();
  if (auto programs = check_programs(*definition, agent); !programs) {
    return fail(programs.error());
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  asio::io_context io(1);
  Owner owner(io, places, std::move(*definition), agent);
  base::Gate gate;
  base::spawn(io.get_executor(), gate, "up", owner.run());
  io.run();
  return owner.status();
}

}  // namespace cli
