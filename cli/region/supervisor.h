// Supervisor: keeps the agent and the page server running.
//
// Each program has one coroutine that waits for its end and starts it again: soon the first time,
// ever later while it keeps crashing. A program that was running already is adopted. One that says
// why it cannot start (exit status 1 or 2) before the region was ever ready is not tried again: its
// words are the answer that the user waits for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>
#include <optional>
#include <string>

#include "base/life/life.h"
#include "cli/region/backoff.h"
#include "cli/region/exit_watch.h"
#include "cli/region/stop.h"

namespace cli {

// Why a region could not be brought up.
struct StartFailure {
  int status = 1;
  std::string text;  // what the program said, or one sentence
};

// Thread: the executor's. Owner: the `up` command. Call leave() before destruction.
class Supervisor {
 public:
  Supervisor(boost::asio::any_io_executor executor, base::Timers& timers, ExitWatch& exits,
             Say log);

  // Takes care of `pid` if it is given, else starts the program at once.
  base::Result<> keep(std::string name, Command command, std::optional<pid_t> pid);
  // From here on every end is a crash to recover from.
  void set_ready() { ready_ = true; }
  // The region is being stopped: what ends stays ended.
  void expect_ends() { stopping_ = true; }
  const std::optional<StartFailure>& failure() const { return failure_; }
  pid_t pid_of(const std::string& name) const;  // 0: not running now
  // SIGTERM, then SIGKILL for what still runs of it; also one that has no lock yet.
  boost::asio::awaitable<void> end_programs();
  // Stops watching; what runs goes on running.
  boost::asio::awaitable<void> leave();

 private:
  struct Program {
    std::string name;
    Command command;
    pid_t pid = 0;
    base::Instant started;
    off_t log_from = 0;  // where in the log this life of it begins
    RestartBackoff backoff;
    boost::asio::cancellation_signal cancel;
  };
  base::Result<> start(Program& program);
  boost::asio::awaitable<void> watch(Program& program);
  boost::asio::awaitable<void> watch_until_cancelled(Program& program);
  // False: it is not to be started again.
  bool note_end(Program& program, std::optional<int> status);

  // Constant after construction.
  boost::asio::any_io_executor executor_;
  base::Timers& timers_;
  ExitWatch& exits_;
  Say log_;
  // Owned by the executor's thread.
  std::list<Program> programs_;
  std::optional<StartFailure> failure_;
  bool ready_ = false;
  bool stopping_ = false;
  base::Gate gate_;
};

}  // namespace cli
