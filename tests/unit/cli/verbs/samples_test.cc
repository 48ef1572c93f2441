#include "base/samples/samples.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>

#include "cli/verbs/sample_views.h"
#include "cli/verbs/verbs.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

using namespace base::samples;  // NOLINT: all of it is tested here

using base::telemetry::DetailBlock;
using base::telemetry::KeyWindowCells;
using base::telemetry::SegmentWriter;
using base::telemetry::SlowCells;
using base::telemetry::WorkerBlock;

constexpr uint64_t kSecond = 1'000'000'000;

class SamplesTest : public testing::Test {
 protected:
  SamplesTest() : writer(*SegmentWriter::create(path, "amber-proxy-1", "amber", 2)) {
    (void)writer->backend_index("amber-backend-1");
    for (uint32_t w = 0; w < 2; ++w) {
      writer->worker(w).heartbeat_ns.set(20 * kSecond);
      writer->detail(w).sampled_one_in.set(100);
    }
  }
  std::vector<Segment> segments() {
    SegmentChoice choice;
    choice.files = {path};
    auto opened = open_segments(choice);
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  }
  // In worker w's window, as if it had been sampled `count` times in the last ten seconds.
  void put_key(uint32_t w, uint32_t cache, std::string_view key, uint64_t count) {
    KeyWindowCells& window = writer->detail(w).windows[0];
    window.began_ns.set(10 * kSecond);
    auto& cells = window.keys[window.used.get()];
    cells.key.set(base::telemetry::key_hash(cache, key), cache, key, true);
    cells.count.set(count);
    cells.misses.set(count / 2);
    window.used.add();
    window.samples.add(count);
  }
  void put_slow(uint32_t w, uint64_t number, uint64_t at_ns, uint32_t cache) {
    SlowCells& cells = writer->detail(w).slow[number - 1];
    cells.number.set(number);
    cells.at_ns.set(at_ns);
    cells.queued_ns.set(5'000'000);
    cells.backend_ns.set(45'000'000);
    cells.written_ns.set(base::telemetry::kUnknownTime);
    cells.client[1].set(0xffff'7f000001ULL);
    cells.key.set(7, cache, "slow\x1b[2J", true);
    writer->detail(w).slow_seen.add(10);
    writer->detail(w).slow_written.add();
  }
  test::TempDir dir;
  const std::string path = dir.file("amber-proxy-1.seg");
  std::unique_ptr<SegmentWriter> writer;
  const View view{Terminal(), base::WallTime{1'700'000'100'000'000'000}};
};

TEST_F(SamplesTest, AddsTheWorkersOfAKeyUpAndTellsItsRate) {
  put_key(0, 1, "hot", 30);
  put_key(1, 1, "hot", 10);
  put_key(1, 2, "cool", 10);
  const auto answer = busy_keys(segments(), {});
  const auto& keys = answer.at("keys").as_array();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].at("key").as_string(), "hot");
  EXPECT_DOUBLE_EQ(keys[0].at("requests_per_second").as_double(), 400);
  EXPECT_DOUBLE_EQ(keys[0].at("share").as_double(), 0.8);
  EXPECT_DOUBLE_EQ(keys[0].at("misses").as_double(), 0.5);
  EXPECT_EQ(answer.at("samples").to_number<uint64_t>(), 50u);
  const std::string table = busy_keys_view(answer, view);
  EXPECT_NE(table.find("hot"), std::string::npos);
  EXPECT_NE(table.find("80.0%"), std::string::npos);
  EXPECT_NE(table.find("amber-proxy-1, the last"), std::string::npos);
}

TEST_F(SamplesTest, ShowsKeysOfOneCacheAndAtMostSoMany) {
  for (int i = 0; i < 9; ++i) put_key(0, 1, "a" + std::to_string(i), 5);
  put_key(0, 2, "b", 1);
  EXPECT_EQ(busy_keys(segments(), {20, 2}).at("keys").as_array().size(), 1u);
  EXPECT_EQ(busy_keys(segments(), {3, 0}).at("keys").as_array().size(), 3u);
}

TEST_F(SamplesTest, SaysWhyThereAreNoKeys) {
  EXPECT_NE(busy_keys_view(busy_keys(segments(), {}), view).find("no key was sampled"),
            std::string::npos);
  writer->detail(0).sampled_one_in.set(0);
  writer->detail(1).sampled_one_in.set(0);
  EXPECT_NE(busy_keys_view(busy_keys(segments(), {}), view).find("keys_one_in is 0"),
            std::string::npos);
}

TEST_F(SamplesTest, EscapesKeysAndShowsTheHashWhenThatIsAllThereIs) {
  base::telemetry::ShownKeyCells cells;
  cells.set(0xabc, 1, "a\x1b[2J\nb", true);
  EXPECT_EQ(shown_key(base::telemetry::ShownKey::of(cells)), "a\\x1b[2J\\x0ab");
  cells.set(0xabc, 1, std::string(250, 'k'), true);
  EXPECT_EQ(shown_key(base::telemetry::ShownKey::of(cells)), std::string(128, 'k') + "…");
  cells.set(0xabc, 1, "private", false);
  EXPECT_EQ(shown_key(base::telemetry::ShownKey::of(cells)), "#0000000000000abc");
}

TEST_F(SamplesTest, ShowsSlowRequestsNewestFirstInCivilTime) {
  test::ManualClock clock;
  clock.set(base::Instant{int64_t(100 * kSecond)});
  put_slow(0, 1, 90 * kSecond, 1);
  put_slow(1, 1, 95 * kSecond, 2);
  const auto answer = slow_requests(segments(), {}, clock);
  const auto& requests = answer.at("requests").as_array();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].at("cache").to_number<int>(), 2);
  EXPECT_EQ(requests[0].at("at").as_string(),
            (clock.wall() + base::Duration(-5 * int64_t(kSecond))).to_rfc3339());
  EXPECT_DOUBLE_EQ(requests[0].at("seconds").as_double(), 0.05);
  EXPECT_TRUE(requests[0].at("written_seconds").is_null());
  EXPECT_EQ(requests[0].at("backend").as_string(), "amber-backend-1");
  EXPECT_EQ(requests[0].at("client").as_string(), "127.0.0.1");
  EXPECT_EQ(answer.at("slow_requests").to_number<int>(), 20);
  EXPECT_EQ(slow_requests(segments(), {20, 1}, clock).at("requests").as_array().size(), 1u);
  const std::string table = slow_requests_view(answer, view);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("45.0 ms"), std::string::npos);
  EXPECT_EQ(table.find("PROXY"), std::string::npos);
  auto several = answer;
  several["proxies"].as_array().emplace_back("amber-proxy-2");
  EXPECT_NE(slow_requests_view(several, view).find("PROXY"), std::string::npos);
  EXPECT_NE(table.find("20 slow requests since the start, 2 kept"), std::string::npos);
}

TEST_F(SamplesTest, CountsClientsBetweenTwoReadings) {
  auto& client = writer->worker(0).clients[3];
  client.address[1].set(0xffff'7f000002ULL);
  client.requests.set(1000);
  client.connections.set(2);
  auto& other = writer->worker(1).clients[9];
  other.address[1].set(0xffff'7f000003ULL);
  other.requests.set(5000);
  const ClientSums before = sum_clients(segments());
  client.requests.add(600);
  const ClientSums after = sum_clients(segments());
  const auto answer = busy_clients(segments(), before, after, 2, 20);
  const auto& clients = answer.at("clients").as_array();
  ASSERT_EQ(clients.size(), 2u);
  EXPECT_EQ(clients[0].at("address").as_string(), "127.0.0.2");
  EXPECT_DOUBLE_EQ(clients[0].at("requests_per_second").as_double(), 300);
  const auto ever = busy_clients(segments(), {}, after, 0, 1);
  ASSERT_EQ(ever.at("clients").as_array().size(), 1u);
  EXPECT_EQ(ever.at("clients").as_array()[0].at("address").as_string(), "127.0.0.3");
  EXPECT_NE(busy_clients_view(answer, view).find("127.0.0.2"), std::string::npos);
}

TEST_F(SamplesTest, SaysWhereItLookedForSegments) {
  SegmentChoice choice;
  choice.dir = dir.path();
  const auto none = open_segments(choice);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, base::ErrorCode::kNotFound);
  EXPECT_NE(none.error().context.find("--segment"), std::string::npos);
  choice.files = {path};
  choice.proxy = "birch-proxy-1";
  const auto other = open_segments(choice);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().context.find("birch-proxy-1"), std::string::npos);
}

TEST_F(SamplesTest, TheVerbsBelowTopReadSegments) {
  put_key(0, 1, "hot", 30);
  const std::vector<std::vector<const char*>> lines = {
      {"mcguard", "top", "keys", "--segment", path.c_str()},
      {"mcguard", "top", "clients", "--over", "0", "--segment", path.c_str()},
      {"mcguard", "slow", "-o", "json", "--segment", path.c_str()}};
  const char* const expected[] = {"hot", "no client has come", "\"slow_requests\""};
  for (size_t i = 0; i < lines.size(); ++i) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_tool(int(lines[i].size()), lines[i].data()), kDone);
    EXPECT_NE(testing::internal::GetCapturedStdout().find(expected[i]), std::string::npos) << i;
  }
}

}  // namespace
}  // namespace cli
