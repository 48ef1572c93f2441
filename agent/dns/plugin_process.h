// PluginProcess: runs a program once, with a text on its standard input, and takes what it writes.
//
// It has a process group of its own, which is killed at the deadline and when the program itself has
// ended, so that nothing it started stays. It inherits no descriptor but its three, and of the
// environment PATH, HOME and LANG only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <string>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/timers.h"

namespace agent::dns {

struct PluginEnd {
  std::string output;     // at most 1 MiB; what is more counts as a broken answer
  std::string complaint;  // the first few KiB of its standard error
  int exit_status = -1;   // -1: it was killed, or its end is not known
  bool late = false;      // by us, at the deadline
};

// Thread: the executor's. Owner: one call.
class PluginProcess {
 public:
  PluginProcess(boost::asio::any_io_executor executor, base::Timers& timers);
  ~PluginProcess();
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  // kUnavailable: it was not started. kUnknown: it was, and nothing else is known.
  boost::asio::awaitable<base::Result<PluginEnd>> run(std::string program, std::string input,
                                                      base::Instant deadline);

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  base::Result<> start(const std::string& program, const std::string& input);
  boost::asio::awaitable<void> read_all(Descriptor& from, std::string& into, size_t most);
  boost::asio::awaitable<void> wait_end();
  void kill_group();
  void end_reading();

  base::Timers& timers_;
  pid_t pid_ = 0;  // 0: there is none, or it has been reaped
  Descriptor output_, complaint_, ended_;
  PluginEnd end_;
};

}  // namespace agent::dns
