// The provider and the backend client against real memcached processes on an address of their own.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>

#include "agent/action/backend_client.h"
#include "agent/action/child_process.h"
#include "agent/action/process_provider.h"
#include "base/core/file.h"
#include "base/telemetry/segment.h"
#include "tests/support/temp_dir.h"

namespace agent::action {
namespace {

using std::chrono::seconds;

uint16_t free_port(const std::string& address) {
  const base::net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  CHECK(inet_pton(AF_INET, address.c_str(), &at.sin_addr) == 1);
  CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  socklen_t size = sizeof at;
  CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
  return ntohs(at.sin_port);
}

coord::RegionSpec one_backend(const std::string& dir) {
  coord::RegionSpec spec;
  spec.dir = dir;
  spec.programs.memcached = "/usr/bin/memcached";
  coord::ClusterSpec cluster;
  cluster.name = "amber";
  coord::BackendSpec backend;
  backend.id = "amber-backend-1";
  backend.address = "127.87.3.11";
  backend.memory = 8u << 20;
  cluster.ports.backend = free_port(backend.address);
  cluster.backends.push_back(backend);
  spec.clusters.push_back(cluster);
  return spec;
}

// An agent's worth of provider and client; the processes outlive it.
struct Agent {
  explicit Agent(const coord::RegionSpec& spec) : region(spec) {
    provider.listen([this](const ProcessEvent& event) { events.push_back(event); });
  }
  ~Agent() {
    gate.close();
    timers.stop();
    while (gate.inside() > 0) turn(std::chrono::milliseconds(100));
  }
  // Runs what is ready, or waits a little for it.
  void turn(std::chrono::milliseconds most) {
    io.restart();  // it stops whenever it has run dry
    io.run_one_for(most);
  }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
    const base::Instant end = clock.now() + seconds(20);
    while (!result && clock.now() < end) turn(std::chrono::milliseconds(100));
    CHECK(result.has_value());
    return std::move(*result);
  }
  bool wait_until(const std::function<bool()>& true_now) {
    const base::Instant end = clock.now() + seconds(10);
    while (!true_now() && clock.now() < end) turn(std::chrono::milliseconds(10));
    return true_now();
  }

  base::SystemClock clock;
  boost::asio::io_context io;
  base::AsioTimers timers{io.get_executor(), clock};
  base::Gate gate;
  coord::Region region;
  std::vector<ProcessEvent> events;
  ProcessProvider provider{io.get_executor(), region, timers, gate, nullptr};
  BackendClient backends{io.get_executor(), region, timers};
};

class Processes : public ::testing::Test {
 protected:
  void TearDown() override {
    Agent agent(spec_);
    ASSERT_TRUE(agent.run(agent.provider.adopt()).ok());
    CHECK(agent.run(agent.provider.kill(id_, seconds(5))).ok());
    std::filesystem::remove(base::telemetry::segment_directory(dir_.path()));
  }
  bool answers(Agent& agent) {
    const base::Instant end = agent.clock.now() + seconds(10);
    while (agent.clock.now() < end) {
      if (agent.run(agent.backends.probe(id_, std::chrono::milliseconds(200))).ok()) return true;
      agent.turn(std::chrono::milliseconds(20));
    }
    return false;
  }

  test::TempDir dir_;
  const coord::RegionSpec spec_ = one_backend(dir_.path());
  const std::string id_ = "amber-backend-1";
};

TEST_F(Processes, AreStartedOnceAndTheirEndIsSeenAtOnce) {
  Agent agent(spec_);
  ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  ASSERT_TRUE(agent.provider.running(id_));
  EXPECT_TRUE(answers(agent));
  EXPECT_EQ(agent.run(agent.provider.start(id_, "again")).code(), base::ErrorCode::kExists);
  ASSERT_EQ(::kill(agent.region.process(id_)->pid, SIGKILL), 0);
  EXPECT_TRUE(agent.wait_until([&] { return !agent.provider.running(id_); }));
  EXPECT_EQ(agent.events.back().how, "killed by signal 9");
  EXPECT_EQ(agent.region.process(id_)->state, coord::ProcessState::kDead);
  EXPECT_TRUE(agent.run(agent.provider.start(id_, "run-1/replace")).ok());
  EXPECT_EQ(agent.provider.running_token(id_), "run-1/replace");
}

TEST_F(Processes, OutliveTheAgentAndAreAdoptedByTheNext) {
  pid_t pid = 0;
  {
    Agent agent(spec_);
    ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
    pid = agent.region.process(id_)->pid;
    ASSERT_TRUE(answers(agent));
  }
  Agent next(spec_);
  ASSERT_TRUE(next.run(next.provider.start_region()).ok());
  EXPECT_EQ(next.region.process(id_)->pid, pid);
  EXPECT_EQ(next.events.back().how, "adopted");
  EXPECT_TRUE(next.run(next.provider.kill(id_, seconds(5))).ok());
  EXPECT_FALSE(next.provider.running(id_));
  EXPECT_FALSE(lock_holder(spec_.run_path(id_, ".lock"))->has_value());
}

TEST_F(Processes, ThatDiedWithoutAnAgentAreLeftForARunbook) {
  coord::RegionSpec two = spec_;
  coord::BackendSpec second = two.clusters[0].backends[0];
  second.id = "amber-backend-2";
  second.address = "127.87.3.12";
  two.clusters[0].backends.push_back(second);
  {
    Agent agent(two);
    ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  }
  {
    Agent agent(two);
    ASSERT_TRUE(agent.run(agent.provider.adopt()).ok());
    ASSERT_TRUE(agent.run(agent.provider.kill("amber-backend-2", seconds(5))).ok());
  }
  Agent agent(two);
  ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  EXPECT_TRUE(agent.provider.running(id_));
  EXPECT_FALSE(agent.provider.running("amber-backend-2"));
}

TEST_F(Processes, ThatAreStoppedCanBeKilled) {
  Agent agent(spec_);
  ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  ASSERT_TRUE(answers(agent));
  ASSERT_TRUE(agent.provider.signal(id_, SIGSTOP).ok());
  // Its threads stop one after the other: some probes may still be answered.
  bool silent = false;
  const base::Instant deadline = agent.clock.now() + seconds(5);
  while (!silent && agent.clock.now() < deadline) {
    silent = !agent.run(agent.backends.probe(id_, std::chrono::milliseconds(200))).ok();
  }
  EXPECT_TRUE(silent);
  EXPECT_TRUE(agent.run(agent.provider.kill(id_, seconds(5))).ok());
  EXPECT_FALSE(agent.provider.running(id_));
}

TEST_F(Processes, ThatCannotBeStartedSayWhatIsMissing) {
  coord::RegionSpec spec = spec_;
  spec.programs.memcached = "/nowhere/memcached";
  Agent agent(spec);
  auto started = agent.run(agent.provider.start_region());
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.code(), base::ErrorCode::kNotFound);
  EXPECT_NE(started.error().context.find("/nowhere/memcached"), std::string::npos);
}

TEST_F(Processes, KeepAFenceRecordThatOnlyRises) {
  Agent agent(spec_);
  ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  ASSERT_TRUE(answers(agent));
  struct Source final : coord::FenceSource {
    coord::FenceRecord record;
    coord::FenceRecord claim() override { return record; }
    void saw(const coord::FenceRecord&) override {}
  } source;
  const auto raise = [&](coord::FenceRecord record) {
    source.record = record;
    return agent.run(agent.backends.raise_fence(id_, source, seconds(1)));
  };
  const auto read = [&] { return agent.run(agent.backends.read_fence(id_, seconds(1))); };
  EXPECT_FALSE(read()->has_value());
  ASSERT_TRUE(raise({3, 1}).ok());
  EXPECT_EQ(**read(), (coord::FenceRecord{3, 1}));
  ASSERT_TRUE(raise({2, 5}).ok());
  EXPECT_EQ(**read(), (coord::FenceRecord{3, 5}));
  ASSERT_TRUE(agent.run(agent.backends.flush_all(id_, seconds(1))).ok());
  EXPECT_FALSE(read()->has_value());
  ASSERT_TRUE(raise({4, 5}).ok());
  EXPECT_EQ(**read(), (coord::FenceRecord{4, 5}));
  auto stats = agent.run(agent.backends.stats(id_, seconds(1)));
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->limit_bytes, 8u << 20);
}

TEST_F(Processes, AreReachedAgainOnANewConnectionAfterTheyWereReplaced) {
  Agent agent(spec_);
  ASSERT_TRUE(agent.run(agent.provider.start_region()).ok());
  ASSERT_TRUE(answers(agent));
  ASSERT_TRUE(agent.run(agent.provider.kill(id_, seconds(5))).ok());
  ASSERT_TRUE(agent.run(agent.provider.start(id_, "new")).ok());
  EXPECT_TRUE(answers(agent));
}

}  // namespace
}  // namespace agent::action
