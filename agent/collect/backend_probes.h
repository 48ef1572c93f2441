// BackendProbes: asks every memcached, straight, whether it answers.
//
// All whose turn it is are asked at once; who has not answered within a few milliseconds is waited for
// alone. What a canary has just read through every proxy answers too: such a backend is passed over
// every other time, unless that is a second or more apart, until a proxy's canary is in doubt, and then
// asked at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/collect/snapshot.h"
#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "agent/series/sample.h"
#include "base/life/life.h"
#include "base/time/timers.h"

namespace agent::collect {

// Thread: the control thread's. Owner: Collector.
class BackendProbes {
 public:
  struct Surroundings {
    boost::asio::any_io_executor executor;
    base::Gate& gate;
    base::Timers& timers;
    coord::Region& region;
    coord::BackendControl& backends;
    std::map<std::string, BackendFigures>& figures;  // one for each backend
    std::function<base::Duration()> pace;            // between two probes of a backend
    std::function<void(const std::vector<series::Sample>&)> sink;
  };
  explicit BackendProbes(Surroundings around);

  void start();
  // A canary that asked all backends through a proxy together was answered by this one.
  void vouched(std::string_view backend);
  // Whether the proxy's canary is in doubt; the first time its cluster's backends are asked at once.
  void doubt(const std::string& proxy, bool doubted);
  // After the one that was due. One that took long is not followed by the next one at once.
  base::Instant next(base::Instant due) const;

 private:
  struct Backend {
    bool under_way = false;
    bool answered = false;  // the last time
    pid_t pid = 0;          // who was asked
    base::Instant asked;
    base::Instant vouched;
  };
  boost::asio::awaitable<void> ask_forever();
  boost::asio::awaitable<void> ask(std::vector<std::string> ids);
  boost::asio::awaitable<void> await_answer(std::string id);
  bool is_due(const std::string& id, const Backend& backend, base::Instant now) const;
  bool is_in_doubt(const std::string& cluster) const;
  void note(const std::string& id, bool answered, std::vector<series::Sample>& out);

  Surroundings around_;
  std::map<std::string, Backend, std::less<>> backends_;
  std::set<std::string, std::less<>> doubting_;  // proxies
};

}  // namespace agent::collect
