// ProcessProvider: the built-in provider; makes, watches, adopts and ends the processes of the
// region.
//
// Idea: "does it run?" is answered by the kernel, not by memory. Each process inherits a descriptor
// that holds a flock on D/run/<id>.lock for as long as it lives, with its pid inside; so two
// processes of one id cannot exist whoever starts them, a restarted agent finds what runs, and the
// idempotency key in D/run/<id>.token (written before exec, under the lock) tells which call made
// it. Ends are seen at once through a pidfd, also of processes that are not our children.
//
// What it leaves out: when to start or replace something (runbooks), and configuring it (coord).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/life/life.h"
#include "base/net/fd.h"
#include "base/time/timers.h"

namespace agent::action {

struct ProcessEvent {
  coord::Kind kind = coord::Kind::kProxy;
  std::string id;
  std::string cluster;
  bool running = false;  // false: it has ended
  pid_t pid = 0;
  std::string how;  // "killed by signal 9", "exit status 1", "adopted", "started"
  base::Instant at;
};

// Thread: the control thread's. Owner: app.
// Invariant: entry.pidfd is valid exactly while a process is known to run or not yet reaped.
class ProcessProvider final : public coord::ProcessControl {
 public:
  // `open_cache`: the cache that the open listener of a cluster serves (0: none).
  ProcessProvider(boost::asio::any_io_executor executor, coord::Region& region,
                  base::Timers& timers, base::Gate& gate,
                  std::function<base::CacheId(std::string_view)> open_cache);
  ~ProcessProvider() override;

  // Called at once on the control thread for every start, adoption and end.
  void listen(std::function<void(const ProcessEvent&)> listener);

  // Takes over what runs already; the ids that do not run.
  boost::asio::awaitable<base::Result<std::vector<std::string>>> adopt();
  // adopt(), then starts everything if nothing ran or an earlier first start was interrupted. What
  // has died while there was no agent is left dead: it is reported as ended, and runbooks replace
  // it.
  boost::asio::awaitable<base::Result<>> start_region();
  // Ends proxies (drained briefly by the caller), the forwarder, then backends.
  boost::asio::awaitable<void> stop_region();

  bool running(const std::string& id) const override;
  boost::asio::awaitable<base::Result<>> kill(std::string id, base::Duration timeout) override;
  boost::asio::awaitable<base::Result<pid_t>> start(std::string id, std::string token) override;
  // Starts a new process of a running proxy that takes its sockets and clients over; the pid, once the
  // old one has let go. On failure the old process goes on, unless it has ended meanwhile.
  boost::asio::awaitable<base::Result<pid_t>> succeed(std::string id, std::string token,
                                                      base::Duration patience);
  // SIGTERM, then SIGKILL after `grace`.
  boost::asio::awaitable<base::Result<>> stop(std::string id, base::Duration grace);
  // SIGSTOP, SIGCONT and the like, by pidfd; for game days.
  base::Result<> signal(const std::string& id, int signal_number);
  // The token of the process that runs now; empty: none.
  std::string running_token(const std::string& id) const;

 private:
  struct Entry;
  std::vector<std::string> arguments(const std::string& id) const;
  base::Result<> make_places() const;
  base::Result<> prepare_backend(const coord::BackendSpec& backend) const;
  base::Result<> prepare_proxy(const coord::ProxySpec& proxy) const;
  boost::asio::awaitable<base::Result<>> wait_successor(std::string id, pid_t pid, int pidfd,
                                                        base::Instant deadline);
  boost::asio::awaitable<void> see_off(std::string id, base::net::UniqueFd pidfd);
  Entry& entry(std::string_view id) const;
  void begin_watch(const std::string& id, pid_t pid, base::net::UniqueFd pidfd, std::string token,
                   const char* how);
  boost::asio::awaitable<void> watch(std::string id, uint64_t life);
  void on_end(const std::string& id);
  boost::asio::awaitable<base::Result<bool>> adopt_one(std::string id);
  boost::asio::awaitable<void> keep_forwarder();
  boost::asio::awaitable<bool> wait_end(std::string id, base::Instant deadline);
  boost::asio::awaitable<void> stop_one(std::string id);
  std::string token_on_disk(const std::string& id) const;

  boost::asio::any_io_executor executor_;
  coord::Region& region_;
  base::Timers& timers_;
  base::Gate& gate_;
  std::function<base::CacheId(std::string_view)> open_cache_;
  std::vector<std::function<void(const ProcessEvent&)>> listeners_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  bool stopping_ = false;
};

}  // namespace agent::action
