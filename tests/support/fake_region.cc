#include "tests/support/fake_region.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/core/slots.h"

namespace test {

using agent::coord::FenceRecord;
using base::Error;
using base::ErrorCode;
using base::Result;
namespace asio = boost::asio;

agent::coord::RegionSpec small_region(const std::string& dir) {
  agent::coord::RegionSpec spec;
  spec.dir = dir;
  int number = 0;
  for (const std::string name : {"amber", "birch"}) {
    agent::coord::ClusterSpec cluster;
    cluster.name = name;
    const std::string net = "127.0." + std::to_string(++number) + ".";
    for (const std::string n : {"1", "2"}) {
      agent::coord::ProxySpec proxy;
      proxy.id = name + "-proxy-" + n;
      proxy.address = net + n;
      cluster.proxies.push_back(proxy);
      agent::coord::BackendSpec backend;
      backend.id = name + "-backend-" + n;
      backend.address = net + "1" + n;
      cluster.backends.push_back(backend);
    }
    spec.clusters.push_back(cluster);
  }
  return spec;
}

FakeProxies::Proxy& FakeProxies::at(const std::string& id) {
  Proxy& proxy = proxies_[id];
  if (proxy.status.id.empty()) {
    proxy.status.id = id;
    proxy.status.instance = std::to_string(++instances_);
  }
  return proxy;
}

void FakeProxies::restart(const std::string& id, bool keep_state) {
  Proxy& proxy = at(id);
  if (!keep_state) proxy = Proxy();
  proxy.status.id = id;
  proxy.status.instance = std::to_string(++instances_);
  proxy.silent = false;
}

asio::awaitable<Result<boost::json::value>> FakeProxies::call(agent::coord::ProxyCall call) {
  Proxy& proxy = at(call.proxy);
  if (proxy.absent) co_return Error(ErrorCode::kUnavailable, "no socket");
  if (proxy.silent) {
    co_await timers_.wait_for(call.timeout);
    co_return Error(ErrorCode::kTimeout, call.proxy + " is silent");
  }
  co_return answer(proxy, call);
}

Result<boost::json::value> FakeProxies::answer(Proxy& proxy, const agent::coord::ProxyCall& call) {
  agent::coord::ProxyStatus& status = proxy.status;
  const auto number = [&](const char* key) { return call.args.at(key).to_number<uint64_t>(); };
  boost::json::object value;
  if (call.verb == "status") {
    ++proxy.asked;
    value["id"] = status.id;
    value["instance"] = status.instance;
    value["committed"] = status.committed;
    value["prepared"] = status.prepared;
    value["config_generation"] = status.config_generation;
    value["flush_sequence"] = status.flush_sequence;
    value["completed_flush"] = status.completed_flush;
    value["fence"] = status.fence;
    return boost::json::value(value);
  }
  if (call.verb == "usage") return proxy.usage;
  if (call.fence < status.fence) return Error(ErrorCode::kRefused, "an older fence");
  status.fence = call.fence;
  if (call.verb == "change" && number("base") != status.config_generation) {
    return Error(ErrorCode::kConflict, "another generation");
  }
  if (call.verb == "configure" || call.verb == "change") {
    if (call.verb == "configure") {
      proxy.users.clear();
      status.flush_sequence = std::max(status.flush_sequence, number("flush_sequence"));
      status.completed_flush = std::max(status.completed_flush, number("completed_flush"));
    }
    for (const auto& cache : call.args.at("caches").as_array()) {
      const auto id = cache.at("id").to_number<uint32_t>();
      proxy.generations[id] =
          std::max(proxy.generations[id], cache.at("generation").to_number<uint32_t>());
    }
    for (const auto& user : call.args.at("credentials").as_array()) {
      proxy.users.insert(std::string(user.at("user").as_string()));
    }
    if (call.verb == "change") {
      for (const auto& user : call.args.at("remove_credentials").as_array()) {
        proxy.users.erase(std::string(user.as_string()));
      }
    }
    status.config_generation = number("generation");
  } else if (call.verb == "epoch.prepare") {
    const auto table = base::parse_table(boost::json::serialize(call.args.at("table")));
    if (!table.ok()) return table.error();
    if (table->epoch <= status.committed) return Error(ErrorCode::kRefused, "not newer");
    status.prepared = table->epoch;
  } else if (call.verb == "epoch.commit") {
    if (status.prepared != number("epoch") && status.committed != number("epoch")) {
      return Error(ErrorCode::kConflict, "not prepared");
    }
    status.committed = static_cast<base::Epoch>(number("epoch"));
    status.prepared = 0;
  } else if (call.verb == "epoch.abort") {
    status.prepared = 0;
  } else if (call.verb == "flush") {
    proxy.generations[static_cast<uint32_t>(number("cache"))] =
        static_cast<uint32_t>(number("generation"));
    if (number("sequence") == status.flush_sequence + 1) ++status.flush_sequence;
  } else if (call.verb == "flush.complete") {
    status.completed_flush = std::max(status.completed_flush, number("sequence"));
  }
  proxy.verbs.push_back(call.verb);
  return boost::json::value(value);
}

asio::awaitable<Result<base::Duration>> FakeBackends::probe(std::string backend,
                                                            base::Duration timeout) {
  if (!at(backend).silent) {
    at(backend).probed = agent::coord::ReadFence{timers_.clock().now(), at(backend).record};
    co_return base::Duration(100'000);
  }
  co_await timers_.wait_for(timeout);
  co_return Error(ErrorCode::kTimeout, backend + " is silent");
}

asio::awaitable<std::vector<FakeBackends::Probed>> FakeBackends::probe_all(
    std::vector<std::string> backends) {
  std::vector<Probed> answers(backends.size());
  for (size_t i = 0; i < backends.size(); ++i) {
    ++at(backends[i]).probes;
    at(backends[i]).asked = timers_.clock().now();
    if (at(backends[i]).silent) continue;
    at(backends[i]).probed = agent::coord::ReadFence{timers_.clock().now(), at(backends[i]).record};
    answers[i] = base::Duration(100'000);
  }
  co_return answers;
}

asio::awaitable<Result<base::Duration>> FakeBackends::finish_probe(std::string backend,
                                                                   base::Duration timeout) {
  const base::Instant late = at(backend).asked + timeout + std::chrono::milliseconds(1);
  co_return co_await probe(std::move(backend), late - timers_.clock().now());
}

std::optional<agent::coord::ReadFence> FakeBackends::probed_fence(std::string_view backend) const {
  const auto known = backends_.find(backend);
  if (known == backends_.end()) return std::nullopt;
  ++known->second.looks;
  return known->second.probed;
}

asio::awaitable<Result<std::optional<FenceRecord>>> FakeBackends::read_fence(
    std::string backend, base::Duration timeout) {
  if (!at(backend).silent) co_return at(backend).record;
  co_await timers_.wait_for(timeout);
  co_return Error(ErrorCode::kTimeout, backend + " is silent");
}

asio::awaitable<Result<>> FakeBackends::raise_fence(std::string backend,
                                                    agent::coord::FenceSource& source,
                                                    base::Duration timeout) {
  ++at(backend).raises;
  if (at(backend).silent) {
    co_await timers_.wait_for(timeout);
    co_return Error(ErrorCode::kUnavailable, backend + " is silent");
  }
  if (at(backend).connecting.count() > 0) co_await timers_.wait_for(at(backend).connecting);
  const FenceRecord record = source.claim();
  FenceRecord present = at(backend).record.value_or(FenceRecord());
  source.saw(present);
  present.epoch = std::max(present.epoch, record.epoch);
  present.flush_sequence = std::max(present.flush_sequence, record.flush_sequence);
  at(backend).record = present;
  if (at(backend).loses_answers) {
    co_await timers_.wait_for(timeout);
    co_return Error(ErrorCode::kTimeout, backend + " did not answer");
  }
  co_return base::Done{};
}

asio::awaitable<Result<>> FakeBackends::flush_all(std::string backend, base::Duration timeout) {
  if (at(backend).silent) {
    co_await timers_.wait_for(timeout);
    co_return Error(ErrorCode::kTimeout, backend + " is silent");
  }
  ++at(backend).flushes;
  at(backend).record.reset();
  co_return base::Done{};
}

asio::awaitable<Result<agent::coord::BackendStats>> FakeBackends::stats(std::string,
                                                                        base::Duration) {
  co_return agent::coord::BackendStats();
}

asio::awaitable<std::vector<std::optional<agent::coord::BackendStats>>> FakeBackends::stats_all(
    std::vector<std::string> backends, base::Duration) {
  co_return std::vector<std::optional<agent::coord::BackendStats>>(backends.size(),
                                                                   agent::coord::BackendStats());
}

asio::awaitable<Result<>> FakeProcesses::kill(std::string id, base::Duration) {
  dead.insert(id);
  killed.push_back(id);
  co_return base::Done{};
}

asio::awaitable<Result<pid_t>> FakeProcesses::start(std::string id, std::string) {
  if (dead.erase(id) == 0) co_return Error(ErrorCode::kExists, id + " runs already");
  co_return 1;
}

}  // namespace test
