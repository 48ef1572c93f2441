// The canary against a proxy that speaks memcache text over real sockets, on virtual time.
#include "agent/action/canary.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <optional>
#include <set>

#include "base/core/check.h"
#include "base/core/slots.h"
#include "tests/support/fake_region.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace agent::action {
namespace {

using boost::asio::awaitable;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Tcp = boost::asio::ip::tcp;

// Stores and tells; whatever comes behind a key of a silent backend on the same connection waits with it.
class FakeProxy {
 public:
  FakeProxy(boost::asio::io_context& io, const std::string& address, base::Timers& timers)
      : io_(io),
        timers_(timers),
        listening_(io, Tcp::endpoint(boost::asio::ip::make_address(address), 0)) {
    boost::asio::co_spawn(io_, accept_all(), boost::asio::detached);
  }
  uint16_t port() const { return listening_.local_endpoint().port(); }

  std::function<bool(const std::string& key)> is_silent = [](const std::string&) { return false; };
  std::function<bool(const std::string& key)> loses = is_silent;  // answers, but does not store
  base::Duration delay{0};                                        // before each answer
  size_t connections = 0;
  std::vector<std::string> keys;  // that were asked for, in their order

  // A new process: the old one's connections are gone.
  void restart() {
    for (const auto& client : clients_) {
      if (const auto open = client.lock()) open->close();
    }
    clients_.clear();
    values_.clear();
  }

 private:
  awaitable<void> accept_all() {
    while (true) {
      boost::system::error_code failed;
      Tcp::socket client = co_await listening_.async_accept(redirect_error(use_awaitable, failed));
      if (failed) co_return;
      ++connections;
      auto kept = std::make_shared<Tcp::socket>(std::move(client));
      clients_.push_back(kept);
      boost::asio::co_spawn(io_, serve(std::move(kept)), boost::asio::detached);
    }
  }
  awaitable<void> serve(std::shared_ptr<Tcp::socket> client) {
    std::string input;
    boost::system::error_code failed;
    char chunk[4096];
    while (!failed) {
      const size_t got = co_await client->async_read_some(boost::asio::buffer(chunk),
                                                          redirect_error(use_awaitable, failed));
      input.append(chunk, got);
      std::string replies;
      bool waits = false;
      while (!waits && answer_one(input, replies, waits)) {
      }
      if (!replies.empty()) {
        co_await timers_.wait_for(delay);
        co_await boost::asio::async_write(*client, boost::asio::buffer(replies),
                                          redirect_error(use_awaitable, failed));
      }
    }
  }
  // Whether a whole request was there.
  bool answer_one(std::string& input, std::string& replies, bool& waits) {
    const size_t line_end = input.find("\r\n");
    if (line_end == std::string::npos) return false;
    const std::string line = input.substr(0, line_end);
    const size_t key_end = line.find(' ', 4);
    const std::string key = line.substr(4, key_end - 4);
    size_t used = line_end + 2;
    if (line.starts_with("set ")) {
      const size_t size = std::stoul(line.substr(line.rfind(' ') + 1));
      if (input.size() < used + size + 2) return false;
      if (!loses(key)) values_[key] = input.substr(used, size);
      used += size + 2;
    }
    waits = is_silent(key);
    if (waits) return false;
    if (line.starts_with("set ")) {
      replies += "STORED\r\n";
    } else {
      keys.push_back(key);
      if (values_.contains(key)) {
        replies += "VALUE " + key + " 0 " + std::to_string(values_[key].size()) + "\r\n" +
                   values_[key] + "\r\n";
      }
      replies += "END\r\n";
    }
    input.erase(0, used);
    return true;
  }

  boost::asio::io_context& io_;
  base::Timers& timers_;
  Tcp::acceptor listening_;
  std::vector<std::weak_ptr<Tcp::socket>> clients_;
  std::map<std::string, std::string> values_;
};

coord::RegionSpec region_at(const std::string& dir, uint16_t port) {
  coord::RegionSpec spec = test::small_region(dir);
  spec.clusters.resize(1);
  spec.clusters[0].ports.memcache = port;
  spec.clusters[0].proxies.resize(1);
  spec.clusters[0].proxies[0].address = "127.87.6.1";
  return spec;
}

struct Bench {
  test::TempDir dir;
  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  test::FakeStore store;
  FakeProxy proxy{io, "127.87.6.1", timers};
  coord::Region region{region_at(dir.path(), proxy.port())};
  coord::SecretBox box = *coord::SecretBox::open(dir.file("secret.key"));
  coord::TableJournal journal{region, store};
  coord::Tenants tenants{io.get_executor(), region, store, box, clock};
  Canary canary{io.get_executor(), region, journal, tenants, timers};
  base::EpochTable table =
      base::next_table({}, 1, {{"amber-backend-1", 1}, {"amber-backend-2", 1}});
  int doubts = 0;

  Bench() {
    CHECK(run(tenants.load()).ok());
    commit(table);
  }
  void commit(base::EpochTable next) {
    table = next;
    CHECK(run(journal.begin("amber", std::move(next))).ok());
    CHECK(run(journal.commit("amber")).ok());
  }
  template <class T>
  T run(awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
    for (int i = 0; i < 10'000 && !result; ++i) {
      io.restart();
      io.run_one_for(std::chrono::microseconds(100));
      timers.run_for(milliseconds(5));
    }
    CHECK(result.has_value());
    return std::move(*result);
  }
  CanaryLook look() {
    return run(canary.look("amber-proxy-1", seconds(1), [this] { ++doubts; }));
  }
  bool is_on(const std::string& key, const std::string& backend) const {
    const base::CacheId cache = tenants.canary_cache("amber")->id;
    return table.backends[table.owner[base::slot_of(cache, key)]].id == backend;
  }
  void wait_until_before_a_tenth(base::Duration before) {
    timers.run_for(base::next_beat(clock.now() + before, milliseconds(100)) - before - clock.now());
  }
  // How long a look took after which all are known to be well.
  base::Duration time_of_a_look() {
    const base::Instant began = clock.now();
    EXPECT_EQ(count_ok(look()), 2u);
    return clock.now() - began;
  }
  static uint64_t count_requests(const CanaryLook& look) {
    uint64_t requests = 0;
    for (const CanaryAnswer& answer : look.answers) requests += answer.requests;
    return requests;
  }
  static size_t count_ok(const CanaryLook& look) {
    size_t ok = 0;
    for (const CanaryAnswer& answer : look.answers) ok += answer.ok ? 1 : 0;
    return ok;
  }
};

TEST(Canary, AsksAllTogetherOnceEachHasAnsweredOnItsOwn) {
  Bench bench;
  CanaryLook look = bench.look();
  EXPECT_FALSE(look.together)
      << "what all answer says which of them do not only to one who knows each";
  EXPECT_EQ(Bench::count_ok(look), 2u);
  EXPECT_EQ(bench.proxy.connections, 2u);
  EXPECT_EQ(bench.doubts, 0);
  for (int i = 0; i < 3; ++i) {
    look = bench.look();
    EXPECT_TRUE(look.together);
    EXPECT_EQ(Bench::count_ok(look), 2u);
    EXPECT_EQ(look.answers[0].requests, 2u);
    EXPECT_EQ(look.answers[0].took, look.answers[1].took);
  }
  EXPECT_EQ(bench.proxy.connections, 3u);
  EXPECT_EQ(bench.proxy.keys.size(), 8u);
  EXPECT_EQ(bench.doubts, 0);
}

TEST(Canary, TellsWhichBackendIsSilentWhenNotAllAnswer) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.is_silent = [&bench](const std::string& key) {
    return key.starts_with("canary") && bench.is_on(key, "amber-backend-1");
  };
  const base::Instant began = bench.clock.now();
  const CanaryLook look = bench.look();
  const base::Duration took = bench.clock.now() - began;
  EXPECT_GE(took, milliseconds(100 + 1000)) << "the timeout is for each on its own";
  EXPECT_LE(took, milliseconds(100 + 1000 + 5)) << "a step of the bench later";
  EXPECT_EQ(bench.doubts, 1);
  EXPECT_FALSE(look.together);
  ASSERT_EQ(look.answers.size(), 2u);
  EXPECT_FALSE(look.answers[0].ok);
  EXPECT_NE(look.answers[0].what.find("in time"), std::string::npos) << look.answers[0].what;
  EXPECT_TRUE(look.answers[1].ok);
  EXPECT_EQ(look.answers[1].requests, 4u) << "together, and alone";
}

TEST(Canary, AsksEachOnItsOwnForAWhileAfterOneHasFailed) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.loses = [&bench](const std::string& key) {
    return bench.is_on(key, "amber-backend-2");
  };
  const CanaryLook bad = bench.look();
  EXPECT_EQ(Bench::count_ok(bad), 1u);
  EXPECT_TRUE(bad.answers[1].what.starts_with("get answered VALUE canary"))
      << "an older value: " << bad.answers[1].what;
  bench.proxy.loses = [](const std::string&) { return false; };
  const CanaryLook well = bench.look();
  EXPECT_EQ(Bench::count_ok(well), 2u);
  EXPECT_FALSE(well.together);
  bench.timers.run_for(seconds(9));
  EXPECT_FALSE(bench.look().together);
  bench.timers.run_for(seconds(2));
  EXPECT_FALSE(bench.look().together);
  EXPECT_TRUE(bench.look().together);
  EXPECT_EQ(bench.doubts, 1) << "of each trouble once";
}

TEST(Canary, WaitsLongerForAllWhereTheyAreMerelySlow) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  // Silent until each is asked on its own: then all answer.
  bench.proxy.is_silent = [](const std::string& key) { return key.starts_with("canary-all"); };
  EXPECT_LT(bench.time_of_a_look(), milliseconds(150));
  EXPECT_GT(bench.time_of_a_look(), milliseconds(190));
  const base::Duration most = bench.time_of_a_look();
  EXPECT_GT(most, milliseconds(390));
  EXPECT_LT(most, milliseconds(450)) << "longer than that it never waits for all";
  bench.proxy.is_silent = [](const std::string&) { return false; };
  bench.timers.run_for(seconds(10));
  EXPECT_FALSE(bench.look().together);
  // Seen 60 ms later: within a quarter of 400 ms, but not of 200.
  for (int i = 0; i < 3; ++i) {
    bench.wait_until_before_a_tenth(milliseconds(60));
    EXPECT_TRUE(bench.look().together);
  }
  bench.proxy.is_silent = [](const std::string& key) { return key.starts_with("canary-all"); };
  const base::Duration half = bench.time_of_a_look();
  EXPECT_GT(half, milliseconds(190));
  EXPECT_LT(half, milliseconds(250));
}

TEST(Canary, AsksEachOnItsOwnForAWhileWhereAllTogetherAreTooSlow) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.delay = milliseconds(900);  // well within the timeout of each
  for (int i = 0; i < 3; ++i) EXPECT_GT(bench.time_of_a_look(), milliseconds(1000));
  EXPECT_EQ(bench.doubts, 3);
  EXPECT_LT(bench.time_of_a_look(), milliseconds(1000));
  bench.timers.run_for(seconds(8));
  EXPECT_LT(bench.time_of_a_look(), milliseconds(1000));
  EXPECT_EQ(bench.doubts, 3) << "nobody was asked in vain";
  bench.proxy.delay = base::Duration(0);
  bench.timers.run_for(seconds(1));
  EXPECT_FALSE(bench.look().together);
  EXPECT_TRUE(bench.look().together);
}

TEST(Canary, AsksEachOnItsOwnForAWhileWhereAllTogetherAreAnsweredWrongly) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.loses = [](const std::string& key) { return key.starts_with("canary-all"); };
  EXPECT_LT(bench.time_of_a_look(), milliseconds(150)) << "seen at the next tenth of a second";
  for (int i = 0; i < 2; ++i) EXPECT_LT(bench.time_of_a_look(), milliseconds(50));
  EXPECT_EQ(bench.doubts, 1);
  bench.proxy.loses = [](const std::string&) { return false; };
  bench.timers.run_for(seconds(10));
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.is_silent = [](const std::string& key) { return key.starts_with("canary-all"); };
  EXPECT_LT(bench.time_of_a_look(), milliseconds(150)) << "more time would not have helped";
}

TEST(Canary, FindsAProxyThatWasRestartedWellAtOnce) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  bench.proxy.restart();
  bench.proxy.keys.clear();
  const CanaryLook look = bench.look();
  EXPECT_FALSE(look.together);
  EXPECT_EQ(Bench::count_ok(look), 2u);
  EXPECT_EQ(bench.doubts, 1);
  EXPECT_EQ(bench.proxy.keys.size(), 2u);
  EXPECT_EQ(Bench::count_requests(look), 4u) << "the new process knows of no others";
  EXPECT_TRUE(bench.look().together);
  bench.proxy.restart();
  ASSERT_FALSE(bench.look().together);
  bench.proxy.is_silent = [](const std::string& key) { return key.starts_with("canary-all"); };
  EXPECT_LT(bench.time_of_a_look(), milliseconds(150)) << "more time would not have helped";
}

TEST(Canary, FollowsTheTableFromOneLookToTheNext) {
  Bench bench;
  bench.look();
  ASSERT_TRUE(bench.look().together);
  const auto named = [](const CanaryLook& look) {
    std::set<std::string> names;
    for (const CanaryAnswer& answer : look.answers) {
      if (answer.ok) names.insert(answer.backend);
    }
    return names;
  };
  bench.commit(base::next_table(bench.table, 2, {{"amber-backend-2", 1}}));
  CanaryLook look = bench.look();
  EXPECT_TRUE(look.together);
  EXPECT_EQ(look.answers.size(), 1u);
  EXPECT_EQ(named(look), (std::set<std::string>{"amber-backend-2"}));
  EXPECT_TRUE(bench.is_on(bench.proxy.keys.back(), "amber-backend-2"));
  bench.commit(base::next_table(bench.table, 3, {{"amber-backend-1", 1}, {"amber-backend-2", 1}}));
  bench.proxy.keys.clear();
  look = bench.look();
  EXPECT_TRUE(look.together);
  EXPECT_EQ(named(look), (std::set<std::string>{"amber-backend-1", "amber-backend-2"}));
  ASSERT_EQ(bench.proxy.keys.size(), 2u);
  EXPECT_TRUE(bench.is_on(bench.proxy.keys[0], "amber-backend-1"));
  EXPECT_TRUE(bench.is_on(bench.proxy.keys[1], "amber-backend-2"));
  EXPECT_EQ(bench.doubts, 0);
}

TEST(Canary, WaitsForALogInNoLongerThanForTheAnswers) {
  Bench bench;
  bench.look();
  // Each has its connection; that for all together has to log in, and is not answered.
  bench.proxy.is_silent = [](const std::string& key) { return !key.starts_with("canary"); };
  const base::Instant began = bench.clock.now();
  const CanaryLook look = bench.look();
  EXPECT_GE(bench.clock.now() - began, milliseconds(100));
  EXPECT_LT(bench.clock.now() - began, milliseconds(150));
  EXPECT_EQ(Bench::count_ok(look), 2u);
  EXPECT_EQ(Bench::count_requests(look), 4u) << "of all together none was sent";
  EXPECT_EQ(bench.doubts, 1);
  EXPECT_GT(bench.time_of_a_look(), milliseconds(190));
  bench.proxy.is_silent = [](const std::string&) { return false; };
  EXPECT_TRUE(bench.look().together);
}

}  // namespace
}  // namespace agent::action
