// NftProcess: one nft that is spoken to line by line, as a child.
//
// It is one socket for its input, output and errors, so what it says comes in the order in which it
// says it. It ends with the agent: its input does. What does not answer in time is killed, and is
// dead when that is told, so that it cannot act afterwards. It never opens a file of history, and
// starts anew after kMostExchanges, since it remembers every line it was told.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/timers.h"

namespace agent::filter {

inline constexpr int kMostExchanges = 500;

// Where nft is installed. kNotFound: nowhere; the text says how to get it.
base::Result<std::string> find_nft();

// Thread: one executor's. Owner: NftablesTable, which takes turns on it.
class NftProcess {
 public:
  // argv[0]: an absolute path.
  NftProcess(boost::asio::any_io_executor executor, std::vector<std::string> argv,
             base::Timers& timers);
  ~NftProcess();

  // Says `text` and answers what came back, up to a whole answer (nft_text.h). kNotFound,
  // kPermission, kIo: it could not be started, nothing was said. kTimeout: no answer by then, and
  // it is dead. kUnavailable: it ended; the text has its last words. kUnknown: it did not answer,
  // and could not be killed either.
  boost::asio::awaitable<base::Result<std::string>> exchange(std::string text,
                                                             base::Instant deadline);

  // Kills it; the next exchange starts another one. False: it is still there.
  boost::asio::awaitable<bool> end();

 private:
  base::Result<> start();
  boost::asio::awaitable<void> speak(const std::string& text);
  bool reap();
  base::Error start_error(int number) const;

  const std::vector<std::string> argv_;
  base::Timers& timers_;
  boost::asio::local::stream_protocol::socket socket_;
  pid_t pid_ = 0;  // 0: none
  int exchanges_ = 0;
  std::string output_;
  boost::system::error_code failed_;
  bool is_late_ = false;
};

}  // namespace agent::filter
