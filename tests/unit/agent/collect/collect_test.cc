#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "agent/collect/collector.h"
#include "agent/collect/process_reader.h"
#include "agent/collect/proxy_telemetry.h"
#include "base/core/file.h"
#include "tests/support/fake_connections.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/segment_v1_file.h"
#include "tests/support/temp_dir.h"

namespace agent::collect {
namespace {

using series::Sample;
using std::chrono::milliseconds;

TEST(ProcessStat, IsReadPastAnyName) {
  const std::string text =
      "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 20 30 22 23\n";
  const ProcessFigures figures = parse_process_stat(text, 100, 4096);
  EXPECT_TRUE(figures.known);
  EXPECT_DOUBLE_EQ(figures.cpu_seconds, 2.0);
  EXPECT_EQ(figures.memory_bytes, 30u * 4096);
  EXPECT_FALSE(parse_process_stat("42 (x) S 1", 100, 4096).known);
}

TEST(ProcessReader, LeavesOpenFilesOutWhereNobodyAsks) {
  ProcessReader reader(ProcessReader::Files::kNo);
  const ProcessFigures figures = reader.read(::getpid());
  EXPECT_TRUE(figures.known);
  EXPECT_GT(figures.memory_bytes, 0u);
  EXPECT_EQ(figures.open_files_limit, 0u);
}

TEST(ProcessReader, ReadsThisProcess) {
  ProcessReader reader(ProcessReader::Files::kYes);
  const ProcessFigures figures = reader.read(::getpid());
  EXPECT_TRUE(figures.known);
  EXPECT_GT(figures.memory_bytes, 1u << 20);
  EXPECT_FALSE(reader.read(0).known);
}

TEST(HostReader, ReadsTheHost) {
  HostReader reader;
  const HostFigures figures = reader.read(base::Instant(1));
  EXPECT_GT(figures.memory_total_bytes, figures.memory_available_bytes);
  EXPECT_GT(figures.tcp_connections, 0u);
}

TEST(LatencyFigures, ComeFromAHistogram) {
  base::telemetry::Histogram latencies;
  latencies.record(std::chrono::microseconds(300), 90);
  latencies.record(milliseconds(8), 10);
  const LatencyFigures figures = latency_figures(latencies);
  EXPECT_EQ(figures.count, 100u);
  EXPECT_NEAR(figures.p50_seconds, 0.0003, 0.0000024);
  EXPECT_NEAR(figures.p99_seconds, 0.008, 0.000064);
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

  void record(uint32_t worker, base::telemetry::LatencyKind kind, base::Duration took,
              int times = 1) {
    auto& cells = writer_->worker(worker).backends[backend_];
    for (int i = 0; i < times; ++i) {
      base::telemetry::record_latency(writer_->latencies(worker), cells, kind, took, now_);
    }
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

TEST_F(Telemetry, ShowsWhetherAProxyIsAliveAndAsItWasKnownToBe) {
  coord::ProxyStatus known;
  known.pid = ::getpid();
  known.committed = 7;
  known.flush_sequence = 3;
  known.config_generation = 5;
  EXPECT_FALSE(telemetry_.shows(known, now_)) << "nothing was read yet";
  auto& header = writer_->header();
  header.committed_epoch.set(7);
  header.flush_sequence.set(3);
  header.config_generation.set(5);
  const auto beats = [&] {
    for (uint32_t w : {0u, 1u}) {
      writer_->worker(w).heartbeat_ns.set(static_cast<uint64_t>(now_.ns));
    }
  };
  beats();
  read();
  EXPECT_TRUE(telemetry_.shows(known, now_));

  for (auto* cell : {&header.committed_epoch, &header.prepared_epoch, &header.flush_sequence,
                     &header.config_generation, &header.draining}) {
    const uint64_t before = cell->get();
    cell->set(before + 1);
    EXPECT_FALSE(telemetry_.shows(known, now_));
    cell->set(before);
  }
  EXPECT_TRUE(telemetry_.shows(known, now_));
  known.pid = 1;
  EXPECT_FALSE(telemetry_.shows(known, now_)) << "another process";
  known.pid = ::getpid();

  now_ = now_ + milliseconds(600);
  EXPECT_FALSE(telemetry_.shows(known, now_)) << "not read for long";
  read();
  EXPECT_FALSE(telemetry_.shows(known, now_)) << "its workers stand still";
  beats();
  read();
  EXPECT_TRUE(telemetry_.shows(known, now_));
}

TEST_F(Telemetry, ReportsEachPaceSlotOnceSummedOverWorkers) {
  EXPECT_TRUE(named(read(), "link_pace").empty());
  now_ = now_ + milliseconds(5);
  for (uint32_t worker : {0u, 1u}) {
    record(worker, base::telemetry::Operation::kGet, milliseconds(1));
    record(worker, base::telemetry::Operation::kGet, milliseconds(9));
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

TEST_F(Telemetry, TellsHowBusyTheBusiestWorkerWas) {
  const auto spend = [&](uint32_t worker, base::Duration ran, base::Duration waited) {
    auto& detail = writer_->detail(worker);
    detail.ran_ns.add(static_cast<uint64_t>(ran.count()));
    detail.waited_ns.add(static_cast<uint64_t>(waited.count()));
    detail.spent_at_ns.set(static_cast<uint64_t>(now_.ns));
  };
  EXPECT_TRUE(named(read(), "proxy_busy").empty()) << "a proxy that does not tell";
  spend(0, milliseconds(5000), milliseconds(0));
  spend(1, milliseconds(1000), milliseconds(0));
  EXPECT_TRUE(named(read(), "proxy_busy").empty()) << "since when is not known";
  now_ = now_ + milliseconds(100);
  spend(0, milliseconds(30), milliseconds(10));
  spend(1, milliseconds(25), milliseconds(60));
  const auto busy = named(read(), "proxy_busy");
  ASSERT_EQ(busy.size(), 1u);
  EXPECT_NEAR(busy[0].value, 0.25, 1e-9);
  EXPECT_NEAR(busy[0].weight, 0.85, 1e-9);
  EXPECT_EQ(busy[0].key.proxy, "amber-proxy-1");
  now_ = now_ + milliseconds(100);
  spend(0, milliseconds(95), milliseconds(1));
  spend(1, milliseconds(20), milliseconds(60));
  const auto samples = read();
  EXPECT_NEAR(named(samples, "proxy_busy").at(0).value, 0.95, 1e-9);
  EXPECT_NEAR(named(samples, "proxy_busy").at(0).weight, 0.96, 1e-9);
  EXPECT_NEAR(named(samples, "proxy_waited").at(0).value, 0.6, 1e-9) << "of the other one";
  now_ = now_ + milliseconds(100);
  for (const uint32_t worker : {0u, 1u}) {
    spend(worker, milliseconds(40), milliseconds(0));
    writer_->detail(worker).waited_ns.set(base::telemetry::kUnknownTime);
  }
  const auto unknown = read();
  EXPECT_NEAR(named(unknown, "proxy_busy").at(0).weight, 0.4, 1e-9);
  EXPECT_TRUE(named(unknown, "proxy_waited").empty()) << "not known is not zero";
  now_ = now_ + milliseconds(100);
  EXPECT_TRUE(named(read(), "proxy_busy").empty()) << "a worker that stands still";
}

TEST_F(Telemetry, TellsWhoSendsMostOverAllWorkers) {
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  const auto measure = [&](base::Duration after) {
    now_ = now_ + after;
    read();
    std::vector<Sample> samples;
    telemetry_.measure(now_, figures, shares, samples);
    return samples;
  };
  // ::ffff:10.0.0.N
  const auto send = [&](uint32_t worker, size_t slot, uint64_t n, uint64_t commands) {
    auto& cells = writer_->worker(worker).clients[slot];
    cells.address[1].set(0x0000'ffff'0a00'0000 + n);
    cells.requests.add(commands);
  };
  send(0, 7, 1, 1'000'000);
  EXPECT_TRUE(named(measure(milliseconds(0)), "proxy_commands").empty()) << "since when?";
  for (uint64_t n = 2; n <= 20; ++n) send(0, 100 + n, n, 10);
  send(0, 7, 1, 300);
  send(1, 9, 1, 600);
  EXPECT_TRUE(named(measure(milliseconds(1000)), "proxy_commands").empty()) << "no reason to look";
  using base::telemetry::Failure;
  writer_->worker(0).failure(Failure::kRequestLimit).add(50);
  for (const Failure of_connections : {Failure::kConnectionLimit, Failure::kConnectionRate,
                                       Failure::kStrangerLimit, Failure::kDescriptors}) {
    writer_->worker(1).failure(of_connections).add(7000);
  }
  writer_->worker(0).failure(Failure::kQueueFull).add(20);
  writer_->worker(1).failure(Failure::kOverload).add(10);
  const auto samples = measure(milliseconds(9000));
  ASSERT_EQ(named(samples, "proxy_commands").size(), 1u);
  EXPECT_EQ(named(samples, "proxy_commands")[0].value, (300 + 600 + 190) / 10);
  EXPECT_EQ(named(samples, "proxy_refused")[0].value, 5);
  EXPECT_EQ(named(samples, "proxy_unqueued")[0].value, 3);
  const auto clients = named(samples, "client_commands");
  ASSERT_EQ(clients.size(), 10u);
  EXPECT_EQ(clients[0].key.client, "10.0.0.1");
  EXPECT_EQ(clients[0].value, 90);
  EXPECT_EQ(clients[1].value, 1);

  // Another client has come to the place of one that left.
  writer_->worker(1).clients[9].requests.set(0);
  send(1, 9, 99, 40);
  writer_->detail(0).spent_at_ns.set(static_cast<uint64_t>(now_.ns));
  measure(milliseconds(1000));
  writer_->detail(0).spent_at_ns.set(static_cast<uint64_t>(now_.ns));
  writer_->detail(0).ran_ns.add(800'000'000);
  send(1, 9, 99, 5);
  const auto busy = measure(milliseconds(1000));
  ASSERT_EQ(named(busy, "client_commands").size(), 1u) << "a busy proxy is looked at each second";
  EXPECT_EQ(named(busy, "client_commands")[0].key.client, "10.0.0.99");
  EXPECT_TRUE(named(measure(milliseconds(1000)), "client_commands").empty());
  for (const Failure refusal : {Failure::kMemoryShort, Failure::kOverload}) {
    send(1, 9, 99, 5);
    writer_->worker(1).failure(refusal).add();
    EXPECT_EQ(named(measure(milliseconds(1000)), "client_commands").size(), 1u)
        << "and so is one that turns requests away";
  }
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
  record(0, base::telemetry::Operation::kGet, milliseconds(2), 60);
  record(1, base::telemetry::Operation::kGet, milliseconds(2), 38);
  record(1, base::telemetry::Operation::kSet, milliseconds(40), 2);
  record(1, base::telemetry::LatencyKind::fence(), milliseconds(900), 50);  // no client's
  now_ = now_ + std::chrono::seconds(1);
  telemetry_.measure(now_, figures, shares, samples, 8);
  EXPECT_NEAR(named(samples, "proxy_requests").at(0).value, 492, 1) << "without the canaries'";
  EXPECT_EQ(named(samples, "proxy_draining").back().value, 0);
  EXPECT_NEAR(figures.requests_per_second, 500, 1);
  EXPECT_NEAR(figures.p50_seconds, 0.002, 0.000016);
  EXPECT_NEAR(figures.p99_seconds, 0.040, 0.00032);
  EXPECT_NEAR(figures.slow_share, 0.02, 1e-9);
  EXPECT_EQ(figures.connections, 3u);
  EXPECT_EQ(shares["amber-backend-1"].requests, 500u);
  EXPECT_EQ(shares["amber-backend-1"].latencies.count(), 100u);
  EXPECT_EQ(named(samples, "proxy_connections_opened").at(0).value, 4);
}

// What peers are compared by: of ten seconds, without what clients do wrong and the canaries ask.
TEST_F(Telemetry, TellsWhatTheWindowHeld) {
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  figures.cpu_seconds = 7;
  read();
  telemetry_.measure(now_, figures, shares, samples);
  EXPECT_TRUE(named(samples, "proxy_failures").empty()) << "a difference of two";
  for (int second = 1; second <= 12; ++second) {
    auto& worker = writer_->worker(0);
    worker.requests[0].add(100);
    worker.failure(base::telemetry::Failure::kBackendTimeout).add(2);
    worker.failure(base::telemetry::Failure::kFenced).add(1);
    worker.failure(base::telemetry::Failure::kProtocol).add(50);
    worker.failure(base::telemetry::Failure::kTooLarge).add(50);
    record(0, base::telemetry::Operation::kGet, milliseconds(second < 2 ? 500 : 1), 98);
    record(0, base::telemetry::Operation::kGet, milliseconds(20), 2);
    figures.cpu_seconds += 0.25;
    now_ = now_ + std::chrono::seconds(1);
    samples.clear();
    telemetry_.measure(now_, figures, shares, samples, 4);
  }
  const auto only = [&](const char* name) { return named(samples, name).at(0); };
  EXPECT_EQ(only("proxy_failures").value, 30);
  EXPECT_EQ(only("proxy_failures").weight, 960);
  EXPECT_EQ(only("proxy_failures").key.proxy, "amber-proxy-1");
  EXPECT_NEAR(only("proxy_p99_seconds").value, 0.020, 0.0002);
  EXPECT_EQ(only("proxy_p99_seconds").weight, 1000);
  EXPECT_NEAR(only("proxy_processor_seconds").value, 2.5, 1e-9);
  EXPECT_EQ(only("proxy_processor_seconds").weight, 1000);
}

TEST_F(Telemetry, SaysNothingOfAWindowWithoutRequests) {
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  read();
  for (int second = 0; second < 3; ++second) {
    telemetry_.measure(now_, figures, shares, samples, 4);
    now_ = now_ + std::chrono::seconds(1);
  }
  EXPECT_TRUE(named(samples, "proxy_failures").empty());
  EXPECT_TRUE(named(samples, "proxy_p99_seconds").empty());
  EXPECT_TRUE(named(samples, "proxy_processor_seconds").empty());
}

TEST_F(Telemetry, FiguresAreOfWhatCameSinceTheLastReading) {
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  record(0, base::telemetry::Operation::kGet, milliseconds(500), 1000);
  read();
  telemetry_.measure(now_, figures, shares, samples);
  record(0, base::telemetry::Operation::kGet, milliseconds(1), 3);
  now_ = now_ + std::chrono::seconds(1);
  telemetry_.measure(now_, figures, shares, samples);
  EXPECT_NEAR(figures.p99_seconds, 0.001, 0.000008);
}

// A proxy of another release says nothing to this agent, and nothing about it is made up.
TEST_F(Telemetry, HasNoFiguresOfASegmentOfAnotherVersion) {
  writer_->header().version = base::telemetry::kSegmentVersion + 1;
  EXPECT_TRUE(read().empty());
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  telemetry_.measure(now_, figures, shares, samples);
  EXPECT_FALSE(figures.measured);
  EXPECT_TRUE(samples.empty() && shares.empty());
}

// The agent was upgraded, the proxy is yet to be replaced: it is alive, serves, and has figures.
TEST(TelemetryV1, ShowsAProxyOfTheReleaseBefore) {
  using V1 = test::SegmentV1File;
  const test::TempDir dir;
  V1 file(dir.file("p.seg"), "amber-proxy-1", 2);
  file.add_backend("amber-backend-1");
  file.header(V1::kEpoch, 7);
  base::Instant now{1'000'000'000'000};
  ProxyTelemetry telemetry(dir.file("p.seg"), "amber", "amber-proxy-1");
  std::vector<Sample> samples;
  std::map<std::string, ProxyTelemetry::BackendShare> shares;
  ProxyFigures figures;
  const auto turn = [&] {
    for (size_t worker : {0u, 1u}) {
      file.worker(worker, V1::kHeartbeat, static_cast<uint64_t>((now - milliseconds(20)).ns));
      file.backend(worker, 0, V1::kConnected, 1);
    }
    samples.clear();
    telemetry.read(::getpid(), now, samples);
    telemetry.measure(now, figures, shares, samples);
  };
  turn();
  file.worker(0, V1::kRequests, 500);
  file.worker(1, V1::kConnections, 3);
  file.backend(1, 0, V1::kBackendRequests, 500);
  now = now + milliseconds(980);
  file.record(0, 0, V1::kRead, milliseconds(2), now, 490);
  file.record(1, 0, V1::kWrite, milliseconds(40), now, 10);
  now = now + milliseconds(40);
  turn();
  EXPECT_NEAR(named(samples, "proxy_heartbeat_age_seconds").at(0).value, 0.02, 1e-6);
  EXPECT_EQ(named(samples, "telemetry_age_seconds").at(0).value, 0);
  EXPECT_EQ(named(samples, "backend_connected").at(0).value, 1);
  EXPECT_EQ(named(samples, "link_pace").at(0).value, 10);
  EXPECT_EQ(named(samples, "link_pace").at(0).weight, 500);
  EXPECT_TRUE(figures.measured);
  EXPECT_EQ(figures.epoch, 7u);
  EXPECT_EQ(figures.connections, 3u);
  EXPECT_NEAR(figures.requests_per_second, 500 / 1.02, 1);
  EXPECT_NEAR(figures.p50_seconds, 0.002, 0.002 * 0.024);
  EXPECT_NEAR(figures.p99_seconds, 0.040, 0.040 * 0.024);
  EXPECT_NEAR(figures.slow_share, 0.02, 1e-9);
  EXPECT_EQ(shares["amber-backend-1"].requests, 500u);
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
  test::FakeConnections connections;
  connections.now.source = conns::SourceKind::kBpf;
  std::vector<Sample> samples;
  Collector collector(
      View{io.get_executor(), region, journal, backends, canary, connections, timers, gate},
      [&samples](const std::vector<Sample>& news) {
        samples.insert(samples.end(), news.begin(), news.end());
      });
  const std::string path = region.spec().telemetry_path("amber-proxy-1");
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  ASSERT_TRUE(base::make_directories(folder.string(), 0700).ok());
  auto segment = base::telemetry::SegmentWriter::create(path, "amber-proxy-1", "amber", 1);
  ASSERT_TRUE(segment.ok());
  region.started("amber-proxy-1", ::getpid(), "token", clock.wall());

  ASSERT_TRUE((*segment)->backend_index("amber-backend-1").ok());
  collector.start();
  timers.run_for(milliseconds(250));
  EXPECT_TRUE(collector.snapshot().proxies.at("amber-proxy-1").measured);
  EXPECT_FALSE(collector.snapshot().proxies.at("amber-proxy-2").measured);
  EXPECT_TRUE(named(samples, "proxy_connections_opened").empty()) << "a difference of two";
  auto& cells = (*segment)->worker(0).backends[0];
  cells.requests.add(40);
  cells.failures.add(3);
  base::telemetry::record_latency((*segment)->latencies(0), cells, base::telemetry::Operation::kGet,
                                  milliseconds(2), clock.now());
  timers.run_for(milliseconds(1000));
  EXPECT_EQ(named(samples, "backend_failures").at(0).value, 3);
  EXPECT_EQ(named(samples, "backend_failures").at(0).weight, 40);
  EXPECT_EQ(named(samples, "backend_failures").at(0).key.backend, "amber-backend-1");
  EXPECT_NEAR(named(samples, "backend_p99_seconds").at(0).value, 0.002, 0.00002);
  EXPECT_EQ(named(samples, "backend_p99_seconds").at(0).weight, 1);
  EXPECT_EQ(named(samples, "proxy_connections_opened").size(), 1u);
  EXPECT_TRUE(named(samples, "proxy_connections").empty()) << "nothing is known yet";

  const auto ports = watched_ports(region.spec());
  const std::string address = region.spec().clusters.at(0).proxies.at(0).address;
  conns::ListenerCounts listener;
  listener.others = false;
  listener.address = conns::parse_address(address).value();
  listener.port = ports.at(0).port;
  listener.states[conns::kEstablished] = 41;
  connections.now.known = true;
  connections.now.listeners = {listener};
  conns::ClientCount client;
  client.client = conns::parse_address("10.1.2.3").value();
  client.connections = 40;
  connections.clients = {client};
  timers.run_for(milliseconds(1000));
  EXPECT_EQ(named(samples, "proxy_connections").at(0).value, 41);
  EXPECT_EQ(named(samples, "client_connections").at(0).value, 40);
  EXPECT_EQ(named(samples, "client_connections").at(0).key.client, "10.1.2.3");
  EXPECT_EQ(collector.snapshot().proxies.at("amber-proxy-1").kernel_connections, 41u);

  samples.clear();
  connections.now = conns::Counts();
  connections.clients.clear();
  timers.run_for(milliseconds(1000));
  const auto of_proxies = named(samples, "proxy_connections");
  ASSERT_EQ(of_proxies.size(), 1u) << "by its own counter, of the one that was measured";
  EXPECT_EQ(of_proxies[0].value, 0);

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
