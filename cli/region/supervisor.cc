#include "cli/region/supervisor.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

namespace cli {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr size_t kMaxWords = 4096;

off_t size_of(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_size : 0;
}

// What was written to a log since `from`, at most the last 4 KiB.
std::string words_since(const std::string& path, off_t from) {
  const off_t end = size_of(path);
  from = std::max(from, end - static_cast<off_t>(kMaxWords));
  std::ifstream file(path, std::ios::binary);
  file.seekg(from);
  std::string text(static_cast<size_t>(std::max<off_t>(end - from, 0)), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string seconds_text(base::Duration d) {
  const auto tenths = d / 100ms;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

Supervisor::Supervisor(asio::any_io_executor executor, base::Timers& timers, ExitWatch& exits,
                       Say log)
    : executor_(std::move(executor)), timers_(timers), exits_(exits), log_(std::move(log)) {}

base::Result<> Supervisor::keep(std::string name, Command command, std::optional<pid_t> pid) {
  Program& program = programs_.emplace_back();
  program.name = std::move(name);
  program.command = std::move(command);
  program.started = timers_.clock().now();
  if (pid) {
    program.pid = *pid;
  } else if (auto started = start(program); !started) {
    return started;
  }
  base::spawn(executor_, gate_, "supervised program", watch_until_cancelled(program));
  return {};
}

base::Result<> Supervisor::start(Program& program) {
  program.log_from = size_of(program.command.log);
  program.started = timers_.clock().now();
  auto pid = start_program(program.command);
  if (!pid) return pid.error();
  program.pid = *pid;
  return {};
}

pid_t Supervisor::pid_of(const std::string& name) const {
  for (const Program& program : programs_) {
    if (program.name == name) return program.pid;
  }
  return 0;
}

asio::awaitable<void> Supervisor::watch_until_cancelled(Program& program) {
  try {
    co_await asio::co_spawn(
        executor_, watch(program),
        asio::bind_cancellation_slot(program.cancel.slot(), asio::use_awaitable));
  } catch (const boost::system::system_error&) {
    // leave()
  }
}

asio::awaitable<void> Supervisor::watch(Program& program) {
  while (true) {
    const std::optional<int> status = co_await exits_.wait(program.pid);
    const bool again = note_end(program, status);
    program.pid = 0;
    if (!again) co_return;
    while (program.pid == 0) {
      co_await timers_.wait_for(program.backoff.next(timers_.clock().now() - program.started));
      if (stopping_) co_return;
      if (auto started = start(program); !started) log_(started.error().context);
    }
  }
}

bool Supervisor::note_end(Program& program, std::optional<int> status) {
  if (stopping_) return false;
  const std::string words = words_since(program.command.log, program.log_from);
  const std::string sentence =
      program.name + " (process " + std::to_string(program.pid) + ") " + describe_exit(status);
  const bool spoke = status && WIFEXITED(*status) && WEXITSTATUS(*status) <= 2;
  if (!ready_ && spoke) {
    failure_ = StartFailure{WEXITSTATUS(*status) == 2 ? 2 : 1, words.empty() ? sentence : words};
    return false;
  }
  log_(sentence + " after " + seconds_text(timers_.clock().now() - program.started) +
       "; starting it again" + (words.empty() ? "" : ". Its last words:\n" + words));
  return true;
}

asio::awaitable<void> Supervisor::end_programs() {
  stopping_ = true;
  for (const int number : {SIGTERM, SIGKILL}) {
    bool running = false;
    for (const Program& program : programs_) {
      if (program.pid == 0) continue;
      running = true;
      ::kill(program.pid, number);
    }
    const base::Instant end = timers_.clock().now() + 5s;
    while (running && timers_.clock().now() < end) {
      co_await timers_.wait_for(10ms);
      running = std::any_of(programs_.begin(), programs_.end(),
                            [](const Program& program) { return program.pid != 0; });
    }
  }
}

asio::awaitable<void> Supervisor::leave() {
  gate_.close();
  for (Program& program : programs_) program.cancel.emit(asio::cancellation_type::terminal);
  co_await gate_.wait_empty(timers_, timers_.clock().now() + 5s);
}

}  // namespace cli
