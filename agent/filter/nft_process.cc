#include "agent/filter/nft_process.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

#include "agent/filter/nft_text.h"
#include "base/core/text.h"
#include "base/net/wait.h"

namespace agent::filter {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

constexpr size_t kChunk = 16 << 10;
constexpr size_t kMostOutput = 16u << 20;
constexpr base::Duration kDying = std::chrono::milliseconds(500);
constexpr base::Duration kGlance = std::chrono::milliseconds(1);

// A child's descriptors and signals, freed again however it goes.
class SpawnPlan {
 public:
  explicit SpawnPlan(int socket) {
    ::posix_spawn_file_actions_init(&files_);
    for (const int fd : {0, 1, 2}) ::posix_spawn_file_actions_adddup2(&files_, socket, fd);
    ::posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, usual;
    ::sigemptyset(&none);
    ::sigemptyset(&usual);
    ::sigaddset(&usual, SIGPIPE);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &usual);
    // A session of its own: an interrupt from a terminal is for the agent to handle.
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&files_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int spawn(const std::vector<std::string>& argv, pid_t* pid) {
    std::vector<char*> arguments;
    for (const std::string& each : argv) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    // No home: no file of what was said to it. No language: its words are read.
    char home[] = "HOME=/dev/null", language[] = "LC_ALL=C";
    std::array<char*, 3> environment = {home, language, nullptr};
    return ::posix_spawn(pid, argv[0].c_str(), &files_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

base::Error not_installed() {
  return base::Error(base::ErrorCode::kNotFound,
                     "nft is not installed: install the package nftables, without it no address is "
                     "filtered");
}

}  // namespace

base::Result<std::string> find_nft() {
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return std::string(path);
  }
  return not_installed();
}

NftProcess::NftProcess(boost::asio::any_io_executor executor, std::vector<std::string> argv,
                       base::Timers& timers)
    : argv_(std::move(argv)), timers_(timers), socket_(std::move(executor)) {}

NftProcess::~NftProcess() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  const base::net::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  const base::SystemClock clock;
  if (process.valid()) base::net::wait_ready(process.get(), POLLIN, clock.now() + kDying);
  reap();
}

base::Error NftProcess::start_error(int number) const {
  if (number == ENOENT) return not_installed();
  const auto code =
      number == EACCES || number == EPERM ? base::ErrorCode::kPermission : base::ErrorCode::kIo;
  return base::Error(code, argv_[0] + " cannot be started: " + std::strerror(number));
}

base::Result<> NftProcess::start() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return start_error(errno);
  base::net::UniqueFd ours(pair[0]);
  const base::net::UniqueFd theirs(pair[1]);
  pid_t pid = 0;
  const int number = SpawnPlan(theirs.get()).spawn(argv_, &pid);
  if (number != 0) return start_error(number);
  pid_ = pid;
  exchanges_ = 0;
  boost::system::error_code failed;
  socket_.assign(boost::asio::local::stream_protocol(), ours.get(), failed);
  if (failed) return start_error(failed.value());
  ours.release();
  return base::Done{};
}

bool NftProcess::reap() {
  if (pid_ == 0) return true;
  const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
  if (ended == 0) return false;
  pid_ = 0;
  return true;
}

boost::asio::awaitable<bool> NftProcess::end() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (pid_ != 0) ::kill(pid_, SIGKILL);
  const base::Instant until = timers_.clock().now() + kDying;
  while (!reap()) {
    if (timers_.clock().now() >= until) co_return false;
    co_await timers_.wait_for(kGlance);
  }
  co_return true;
}

boost::asio::awaitable<void> NftProcess::speak(const std::string& text) {
  co_await boost::asio::async_write(socket_, boost::asio::buffer(text),
                                    redirect_error(use_awaitable, failed_));
  std::array<char, kChunk> chunk;
  while (!failed_ && !is_whole_answer(output_) && !is_hopeless(output_) &&
         output_.size() < kMostOutput) {
    const size_t count = co_await socket_.async_read_some(boost::asio::buffer(chunk),
                                                          redirect_error(use_awaitable, failed_));
    output_.append(chunk.data(), count);
  }
}

boost::asio::awaitable<base::Result<std::string>> NftProcess::exchange(std::string text,
                                                                       base::Instant deadline) {
  // One that could not be killed before may be gone by now.
  if (!socket_.is_open() && !reap()) {
    co_return base::Error(base::ErrorCode::kUnknown, "an nft that hangs cannot be ended (process " +
                                                         std::to_string(pid_) +
                                                         "): the kernel holds it; look at dmesg");
  }
  if (pid_ == 0) {
    const base::Result<> started = start();
    if (!started.ok()) co_return started.error();
  }
  output_.clear();
  failed_ = boost::system::error_code();
  is_late_ = false;
  const auto alarm = timers_.alarm(deadline, [this] {
    is_late_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
  });
  co_await speak(text);
  const bool is_answered = !is_late_ && is_whole_answer(output_);
  if (is_answered && ++exchanges_ < kMostExchanges) co_return std::move(output_);
  const bool is_dead = co_await end();
  if (is_answered) co_return std::move(output_);
  if (!is_dead) {
    co_return base::Error(base::ErrorCode::kUnknown, "nft hangs and cannot be ended");
  }
  if (is_late_) {
    co_return base::Error(base::ErrorCode::kTimeout, "nft did not answer in time and was ended");
  }
  co_return base::Error(base::ErrorCode::kUnavailable, output_);
}

}  // namespace agent::filter
