// ExecSwitch: names changed by a program that an operator provides, for services without UPDATE.
//
// One process per call, JSON on its standard input and output, nothing in arguments or environment:
//   {"api":1,"verb":"version"|"get"|"change","zone":…,"name":…,"expect_generation":7,
//    "records":[{"type":"CNAME","value":"b.example.net"}],"ttl":30,"fence":12,"run":"run-9",
//    "deadline_ms":4000}
//   version: {"ok":{"api":1}}
//   get:     {"ok":{"servers":[{"server":"ns1","records":[…],"ttl":30,"generation":7,"run":"run-8"}]}}
//   change:  {"ok":{"behind":[{"server":"ns2","why":"…"}]}}
//   any:     {"error":{"code":"conflict","retryable":false,"maybe_done":false,"message":"…"}}
// The program makes the change only if the generation is still the expected one, and records the fence
// as the new one. Whatever is no such answer, or says maybe_done, means that it is unknown. Exit status
// other than 0 without JSON, and the deadline, mean the same.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "agent/dns/dns_switch.h"
#include "base/time/timers.h"

namespace agent::dns {

inline constexpr int kPluginApi = 1;

struct ExecOptions {
  std::string program;  // absolute path
  std::string zone;     // normal form (change.h)
};

// Thread: the executor's. Owner: app. Invariant: no state between calls.
class ExecSwitch final : public DnsSwitch {
 public:
  ExecSwitch(boost::asio::any_io_executor executor, base::Timers& timers, ExecOptions options);

  boost::asio::awaitable<base::Result<std::vector<ServerView>>> read(
      std::string name, base::Instant deadline) override;
  boost::asio::awaitable<base::Result<Changed>> change(Change change,
                                                       base::Instant deadline) override;
  boost::asio::awaitable<base::Result<>> check(base::Instant deadline) override;

 private:
  // The object of "ok".
  boost::asio::awaitable<base::Result<boost::json::object>> call(std::string verb,
                                                                 boost::json::object request,
                                                                 base::Instant deadline);

  boost::asio::any_io_executor executor_;
  base::Timers& timers_;
  const ExecOptions options_;
};

// What the answer of a plugin means: the object of "ok", or its error. Unknown, unless it is certain.
base::Result<boost::json::object> parse_plugin_answer(const std::string& program,
                                                      const std::string& output, int exit_status);

}  // namespace agent::dns
