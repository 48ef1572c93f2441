// A region of fakes: proxies, backends and processes with state, for tests of agent/coord.
//
// FakeProxies keep what a proxy keeps (tables, configuration, flush sequence) and refuse what it refuses;
// each can be made silent. FakeBackends keep a fence record; each can be unreachable, or take a write
// without an answer. FakeProcesses run or do not.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "base/time/timers.h"

namespace test {

// Clusters "amber" and "birch", each with proxies -1, -2 and backends -1, -2. `dir` for logs.
agent::coord::RegionSpec small_region(const std::string& dir);

class FakeProxies final : public agent::coord::ProxyControl {
 public:
  struct Proxy {
    agent::coord::ProxyStatus status;
    boost::json::value usage = nullptr;        // its answer to `usage`
    bool silent = false;                       // accepts calls and never answers
    bool absent = false;                       // no socket
    std::map<uint32_t, uint32_t> generations;  // cache -> flush generation
    std::set<std::string> users;
    std::vector<std::string> verbs;  // what was called and took effect
    size_t asked = 0;                // for its status, and answered
  };
  explicit FakeProxies(base::Timers& timers) : timers_(timers) {}
  boost::asio::awaitable<base::Result<boost::json::value>> call(
      agent::coord::ProxyCall call) override;
  Proxy& at(const std::string& id);
  // A new process with the state that the old one had on disk.
  void restart(const std::string& id, bool keep_state);

 private:
  base::Result<boost::json::value> answer(Proxy& proxy, const agent::coord::ProxyCall& call);
  base::Timers& timers_;
  std::map<std::string, Proxy> proxies_;
  int instances_ = 0;
};

class FakeBackends final : public agent::coord::BackendControl {
 public:
  struct Backend {
    std::optional<agent::coord::FenceRecord> record;
    bool silent = false;
    bool loses_answers = false;                     // writes take effect, answers never come
    base::Duration connecting = base::Duration(0);  // before raise_fence asks for the record
    int flushes = 0;
    int raises = 0;       // calls of raise_fence
    int probes = 0;       // by probe_all
    base::Instant asked;  // by the last of them
    std::optional<agent::coord::ReadFence> probed;
    mutable size_t looks = 0;  // calls of probed_fence
  };
  explicit FakeBackends(base::Timers& timers) : timers_(timers) {}
  boost::asio::awaitable<base::Result<base::Duration>> probe(std::string backend,
                                                             base::Duration timeout) override;
  // Who is silent has not answered within the few milliseconds.
  boost::asio::awaitable<std::vector<Probed>> probe_all(std::vector<std::string> backends) override;
  // Ends a little behind its time, as what waits for timers does.
  boost::asio::awaitable<base::Result<base::Duration>> finish_probe(
      std::string backend, base::Duration timeout) override;
  std::optional<agent::coord::ReadFence> probed_fence(std::string_view backend) const override;
  boost::asio::awaitable<base::Result<std::optional<agent::coord::FenceRecord>>> read_fence(
      std::string backend, base::Duration timeout) override;
  boost::asio::awaitable<base::Result<>> raise_fence(std::string backend,
                                                     agent::coord::FenceSource& source,
                                                     base::Duration timeout) override;
  boost::asio::awaitable<base::Result<>> flush_all(std::string backend,
                                                   base::Duration timeout) override;
  boost::asio::awaitable<base::Result<agent::coord::BackendStats>> stats(
      std::string backend, base::Duration timeout) override;
  boost::asio::awaitable<std::vector<std::optional<agent::coord::BackendStats>>> stats_all(
      std::vector<std::string> backends, base::Duration timeout) override;
  Backend& at(const std::string& id) { return backends_[id]; }

 private:
  base::Timers& timers_;
  std::map<std::string, Backend, std::less<>> backends_;
};

class FakeProcesses final : public agent::coord::ProcessControl {
 public:
  bool running(const std::string& id) const override { return !dead.contains(id); }
  boost::asio::awaitable<base::Result<>> kill(std::string id, base::Duration) override;
  boost::asio::awaitable<base::Result<pid_t>> start(std::string id, std::string token) override;
  std::set<std::string> dead;
  std::vector<std::string> killed;
};

}  // namespace test
