#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <filesystem>

#include "agent/collect/collector.h"
#include "agent/collect/process_reader.h"
#include "agent/collect/proxy_telemetry.h"
#include "agent/collect/socket_counter.h"
#include "base/core/check.h"
#include "base/core/file.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::collect {
namespace {

using base::net::UniqueFd;
using series::Sample;
using std::chrono::milliseconds;

// A listener with `count` established connections on an address of its own.
struct Listener {
  explicit Listener(const char* address, int count) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    CHECK(inet_pton(AF_INET, address, &at.sin_addr) == 1);
    auto* name = reinterpret_cast<sockaddr*>(&at);
    listening = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(::bind(listening.get(), name, sizeof at) == 0);
    CHECK(::listen(listening.get(), 128) == 0);
    socklen_t size = sizeof at;
    CHECK(::getsockname(listening.get(), name, &size) == 0);
    port = ntohs(at.sin_port);
    for (int i = 0; i < count; ++i) {
      UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      CHECK(::connect(client.get(), name, sizeof at) == 0);
      open.push_back(std::move(client));
      open.emplace_back(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
  }
  UniqueFd listening;
  std::vector<UniqueFd> open;
  uint16_t port = 0;
};

TEST(SocketCounter, CountsTheConnectionsOfThePortsAskedFor) {
  const Listener first("127.87.4.1", 5);
  const Listener second("127.87.4.2", 3);
  const Listener other("127.87.4.3", 2);
  boost::asio::io_context io;
  SocketCounter counter(io.get_executor());
  std::map<uint16_t, int> counts;
  bool done = false;
  std::function<void(const SocketRow&)> row = [&](const SocketRow& each) {
    EXPECT_EQ(tcp_state_name(each.state), "established");
    EXPECT_EQ(to_string(each.remote), "127.0.0.1");
    ++counts[each.local_port];
  };
  boost::asio::co_spawn(io,
                        counter.dump({1, first.port, second.port}, kEstablishedOnly, false, row),
                        [&](std::exception_ptr failed, base::Result<> result) {
                          ASSERT_FALSE(failed);
                          EXPECT_TRUE(result.ok()) << result.error().context;
                          done = true;
                        });
  io.run();
  ASSERT_TRUE(done);
  EXPECT_EQ(counts[first.port], 5);
  EXPECT_EQ(counts[second.port], 3);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(SocketDump, IsAFailureWhenTheEndCarriesAnErrorOrAMessageIsCutOff) {
  struct {
    nlmsghdr header;
    int number;
  } end{};
  end.header.nlmsg_len = sizeof end;
  end.header.nlmsg_type = NLMSG_DONE;
  const auto nothing = [](const SocketRow&) {};
  const auto text = [&] { return std::string_view(reinterpret_cast<char*>(&end), sizeof end); };
  EXPECT_FALSE(*read_dump(text(), false, nothing));
  end.number = -ENOMEM;
  EXPECT_FALSE(read_dump(text(), false, nothing).ok());
  EXPECT_FALSE(read_dump(text(), true, nothing).ok());
  end.header.nlmsg_len = 4000;
  EXPECT_FALSE(read_dump(text(), false, nothing).ok());
}

TEST(ProcessStat, IsReadPastAnyName) {
  const std::string text =
      "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 20 30 22 23\n";
  const ProcessFigures figures = parse_process_stat(text, 100, 4096);
  EXPECT_TRUE(figures.known);
  EXPECT_DOUBLE_EQ(figures.cpu_seconds, 2.0);
  EXPECT_EQ(figures.memory_bytes, 30u * 4096);
  EXPECT_FALSE(parse_process_stat("42 (x) S 1", 100, 4096).known);
}

TEST(ProcessReader, ReadsThisProcess) {
  ProcessReader reader;
  const ProcessFigures figures = reader.read(::getpid());
  EXPECT_TRUE(figures.known);
  EXPECT_GT(figures.memory_bytes, 1u << 20);
  EXPECT_FALSE(reader.read(0).known);
}

TEST(HostReader, ReadsTheHost) {
  HostReader reader;
  const HostFigures figures = reader.read();
  EXPECT_GT(figures.memory_total_bytes, figures.memory_available_bytes);
  EXPECT_GT(figures.tcp_connections, 0u);
}

TEST(LatencyFigures, ComeFromBucketCounts) {
  std::vector<uint64_t> buckets(base::telemetry::kHistogramBuckets, 0);
  buckets[base::telemetry::histogram_bucket(300'000)] = 90;
  buckets[base::telemetry::histogram_bucket(8'000'000)] = 10;
  const LatencyFigures figures = latency_figures(buckets);
  EXPECT_EQ(figures.count, 100u);
  EXPECT_NEAR(figures.p50_seconds, 0.0003, 0.00001);
  EXPECT_NEAR(figures.p99_seconds, 0.008, 0.0002);
  EXPECT_NEAR(figures.slow_share, 0.1, 0.001);
}

std::vector<Sample> named(const std::vector<Sample>& all, const std::string& name) {
  std::vector<Sample> found;
  for (const Sample& sample : all) {
    if (sample.key.name == name) found.push_back(sample);
  }
  return found;
}

class Telemetry : public ::testing::Test {
 protected:
  void SetUp() override {
    open_writer();
    now_ = base::Instant{1'000'000'000'000};
  }
  void open_writer() {
    auto created = base::telemetry::SegmentWriter::create(path_, "amber-proxy-1", "amber", 2);
    ASSERT_TRUE(created.ok());
    writer_ = std::move(*created);
    backend_ = *writer_->backend_index("amber-backend-1");
  }
  std::vector<Sample> read() {
    std::vector<Sample> samples;
    telemetry_.read(::getpid(), now_, samples);
    return samples;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("p.seg");
  std::unique_ptr<base::telemetry::SegmentWriter> writer_;
  uint32_t backend_ = 0;
  base::Instant now_;
  ProxyTelemetry telemetry_{path_, "amber", "amber-proxy-1"};
};

TEST_F(Telemetry, TellsTheOldestHeartbeat) {
  writer_->worker(0).heartbeat_ns.set(static_cast<uint64_t>((now_ - milliseconds(20)).ns));
  writer_->worker(1).heartbeat_ns.set(static_cast<uint64_t>((now_ - milliseconds(700)).ns));
  const auto samples = named(read(), "proxy_heartbeat_age_seconds");
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_NEAR(samples[0].value, 0.7, 0.001);
  EXPECT_EQ(samples[0].key.proxy, "amber-proxy-1");
}

TEST_F(Telemetry, ReportsEachPaceSlotOnceSummedOverWorkers) {
  using base::telemetry::Leg;
  using base::telemetry::record_latency;
  EXPECT_TRUE(named(read(), "link_pace").empty());
  now_ = now_ + milliseconds(5);
  for (uint32_t worker : {0u, 1u}) {
    auto& cells = writer_->worker(worker).backends[backend_];
    record_latency(cells, Leg::kRead, milliseconds(1), now_);
    record_latency(cells, Leg::kRead, milliseconds(9), now_);
  }
  now_ = now_ + milliseconds(100);
  const auto pace = named(read(), "link_pace");
  ASSERT_EQ(pace.size(), 1u);
  EXPECT_EQ(pace[0].value, 2);
  EXPECT_EQ(pace[0].weight, 4);
  EXPECT_EQ(pace[0].key.backend, "amber-backend-1");
  now_ = now_ + milliseconds(100);
  EXPECT_TRUE(named(read(), "link_pace").empty());
}

TEST_F(Telemetry, AgesWhenAWorkerStandsStillInTheMiddleOfATurn) {
  writer_->worker(0).sequence.set(7);
  read();
  now_ = now_ + milliseconds(300);
  EXPECT_NEAR(named(read(), "telemetry_age_seconds")[0].value, 0.3, 0.001);
  writer_->worker(0).sequence.set(9);
  EXPECT_EQ(named(read(), "telemetry_age_seconds")[0].value, 0);
}

TEST_F(Telemetry, MeasuresTheLastSeconds) {
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  read();
  telemetry_.measure(now_, figures, shares, samples);
  writer_->worker(0).requests[0].add(500);
  writer_->worker(0).connections.set(3);
  writer_->worker(0).connections_opened.add(4);
  writer_->worker(1).backends[backend_].requests.add(500);
  base::telemetry::record_latency(writer_->worker(1).backends[backend_],
                                  base::telemetry::Leg::kRead, milliseconds(2), now_);
  now_ = now_ + std::chrono::seconds(1);
  telemetry_.measure(now_, figures, shares, samples);
  EXPECT_NEAR(figures.requests_per_second, 500, 1);
  EXPECT_NEAR(figures.p99_seconds, 0.002, 0.0001);
  EXPECT_EQ(figures.connections, 3u);
  EXPECT_EQ(shares["amber-backend-1"].requests, 500u);
  EXPECT_EQ(named(samples, "proxy_connections_opened").at(0).value, 4);
}

TEST_F(Telemetry, FollowsANewProcessAndForgetsTheOldCounts) {
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  writer_->worker(0).requests[0].add(1000);
  read();
  telemetry_.measure(now_, figures, shares, samples);
  writer_.reset();
  open_writer();
  writer_->header().pid = 77;
  std::vector<Sample> out;
  telemetry_.read(77, now_, out);
  telemetry_.measure(now_, figures, shares, samples);
  writer_->worker(0).requests[0].add(10);
  now_ = now_ + std::chrono::seconds(1);
  telemetry_.measure(now_, figures, shares, samples);
  EXPECT_NEAR(figures.requests_per_second, 10, 0.1);
}

// A whole collector on virtual time, over fakes and the segment of a proxy that is this process.
TEST(Collector, MeasuresSoonAfterItsStartAndThenEverySecond) {
  const test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers(io, clock);
  base::Gate gate;
  test::FakeStore store;
  test::FakeBackends backends(timers);
  coord::Region region(test::small_region(dir.path()));
  const coord::SecretBox box = coord::SecretBox::open(dir.file("secret.key")).value();
  const coord::TableJournal journal(region, store);
  const coord::Tenants tenants(io.get_executor(), region, store, box, clock);
  action::Canary canary(io.get_executor(), region, journal, tenants, timers);
  std::vector<Sample> samples;
  Collector collector(View{io.get_executor(), region, journal, backends, canary, timers, gate},
                      [&samples](const std::vector<Sample>& news) {
                        samples.insert(samples.end(), news.begin(), news.end());
                      });
  const std::string path = region.spec().telemetry_path("amber-proxy-1");
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  ASSERT_TRUE(base::make_directories(folder.string(), 0700).ok());
  auto segment = base::telemetry::SegmentWriter::create(path, "amber-proxy-1", "amber", 1);
  ASSERT_TRUE(segment.ok());
  region.started("amber-proxy-1", ::getpid(), "token", clock.wall());

  collector.start();
  timers.run_for(milliseconds(250));
  EXPECT_TRUE(collector.snapshot().proxies.at("amber-proxy-1").measured);
  EXPECT_FALSE(collector.snapshot().proxies.at("amber-proxy-2").measured);
  EXPECT_TRUE(named(samples, "proxy_connections_opened").empty()) << "a difference of two";
  timers.run_for(milliseconds(1000));
  EXPECT_EQ(named(samples, "proxy_connections_opened").size(), 1u);

  gate.close();
  for (int i = 0; i < 1000 && gate.inside() > 0; ++i) {
    io.restart();
    io.run_one_for(milliseconds(1));  // the kernel answers in its own time
    timers.run_for(std::chrono::seconds(1));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace agent::collect
