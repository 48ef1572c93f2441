#include "agent/dns/plugin_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace agent::dns {
namespace {

using namespace boost::asio::experimental::awaitable_operators;
using base::Error;
using base::ErrorCode;
using base::net::UniqueFd;

constexpr size_t kMostOutput = 1u << 20;
constexpr size_t kMostComplaint = 4096;
// A killed process is gone at once, unless the kernel cannot let go of it.
constexpr base::Duration kPatience = std::chrono::seconds(1);

Error not_started(const std::string& program, int number) {
  return Error(ErrorCode::kUnavailable, program + " was not started: " + std::strerror(number));
}

struct Pipe {
  UniqueFd out, in;  // read from out what was written to in
};
base::Result<Pipe> make_pipe(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return not_started(program, errno);
  Pipe made;
  made.out.reset(ends[0]);
  made.in.reset(ends[1]);
  return made;
}

// How the child is to begin. Thread: one. Owner: start().
class SpawnPlan {
 public:
  SpawnPlan(int in, int out, int complaint) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, in, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, out, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, complaint, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t set;
    ::sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes_, &set);
    ::sigaddset(&set, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &set);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int spawn(const std::string& program, pid_t& pid) const {
    std::vector<std::string> kept;
    for (const char* name : {"PATH", "HOME", "LANG"}) {
      if (const char* value = ::getenv(name)) kept.push_back(std::string(name) + "=" + value);
    }
    std::vector<char*> environment;
    for (std::string& each : kept) environment.push_back(each.data());
    environment.push_back(nullptr);
    char* arguments[] = {const_cast<char*>(program.c_str()), nullptr};
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, arguments,
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

PluginProcess::PluginProcess(boost::asio::any_io_executor executor, base::Timers& timers)
    : timers_(timers), output_(executor), complaint_(executor), ended_(executor) {}

PluginProcess::~PluginProcess() {
  kill_group();
  if (pid_ != 0) ::waitpid(pid_, nullptr, WNOHANG);
}

// It is not reaped yet: the number is still its own.
void PluginProcess::kill_group() {
  if (pid_ != 0) ::kill(-pid_, SIGKILL);
}

void PluginProcess::end_reading() {
  boost::system::error_code ignored;
  output_.close(ignored);
  complaint_.close(ignored);
}

base::Result<> PluginProcess::start(const std::string& program, const std::string& input) {
  auto in = make_pipe(program), out = make_pipe(program), complaint = make_pipe(program);
  if (!in) return in.error();
  if (!out) return out.error();
  if (!complaint) return complaint.error();
  // All of it fits into the pipe before anybody reads, so that no write can wait or fail later.
  ::fcntl(in->in.get(), F_SETFL, O_NONBLOCK);
  if (::write(in->in.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    return not_started(program, ENOBUFS);
  }
  const SpawnPlan plan(in->out.get(), out->in.get(), complaint->in.get());
  if (const int failed = plan.spawn(program, pid_); failed != 0) {
    pid_ = 0;
    return not_started(program, failed);
  }
  output_.assign(out->out.release());
  complaint_.assign(complaint->out.release());
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd.valid()) {
    return Error(ErrorCode::kUnknown,
                 program + " was started, but cannot be watched: " + std::strerror(errno));
  }
  ended_.assign(pidfd.release());
  return base::Done{};
}

boost::asio::awaitable<void> PluginProcess::read_all(Descriptor& from, std::string& into,
                                                     size_t most) {
  std::array<char, 4096> chunk;
  boost::system::error_code failed;
  while (!failed) {
    const size_t size = co_await from.async_read_some(
        boost::asio::buffer(chunk),
        boost::asio::redirect_error(boost::asio::use_awaitable, failed));
    into.append(chunk.data(), std::min(size, most - into.size()));
  }
}

// What it started goes with it, and then nobody holds the pipes any longer.
boost::asio::awaitable<void> PluginProcess::wait_end() {
  boost::system::error_code failed;
  co_await ended_.async_wait(Descriptor::wait_read,
                             boost::asio::redirect_error(boost::asio::use_awaitable, failed));
  if (!failed) kill_group();
}

boost::asio::awaitable<base::Result<PluginEnd>> PluginProcess::run(std::string program,
                                                                   std::string input,
                                                                   base::Instant deadline) {
  if (auto started = start(program, input); !started) co_return started.error();
  const auto out_of_time = [this] {
    end_.late = true;
    kill_group();
    end_reading();
  };
  const auto give_up = [this] {
    boost::system::error_code ignored;
    ended_.close(ignored);
  };
  {
    const auto alarm = timers_.alarm(deadline, out_of_time);
    const auto last = timers_.alarm(deadline + kPatience, give_up);
    boost::asio::awaitable<void> output = read_all(output_, end_.output, kMostOutput);
    boost::asio::awaitable<void> complaint = read_all(complaint_, end_.complaint, kMostComplaint);
    boost::asio::awaitable<void> ended = wait_end();
    auto all = std::move(output) && std::move(complaint) && std::move(ended);
    co_await std::move(all);
  }
  int status = 0;
  if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = 0;
    if (WIFEXITED(status)) end_.exit_status = WEXITSTATUS(status);
  }
  co_return std::move(end_);
}

}  // namespace agent::dns
