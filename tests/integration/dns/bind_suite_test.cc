// The suite of every DnsSwitch against a real BIND 9, and what only a real name server shows.
#include <signal.h>

#include "tests/support/bind_server.h"
#include "tests/support/real_time.h"
#include "tests/unit/agent/dns/dns_suite.h"

namespace agent::dns {
namespace {

using namespace std::chrono_literals;

// One server for the whole suite: a test has names of its own.
std::unique_ptr<test::BindServer> shared;
test::BindServer& shared_server() {
  if (!shared) {
    shared = std::make_unique<test::BindServer>();
    shared->start();
  }
  return *shared;
}
class Cleaning : public ::testing::Environment {
 public:
  void TearDown() override { shared.reset(); }
};
const auto* const cleaning = ::testing::AddGlobalTestEnvironment(new Cleaning);

class BindHarness {
 public:
  static bool available() { return test::BindServer::installed(); }
  DnsSwitch& dns() { return dns_; }
  std::string zone() const { return test::kBindZone; }
  boost::asio::io_context& io() { return time_.io(); }
  base::Instant soon() const { return time_.in(10s); }
  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    return time_.run(std::move(work));
  }

 private:
  test::RealTime time_;
  Rfc2136Switch dns_{time_.io().get_executor(), time_.timers(), shared_server().options()};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Bind, DnsSuite, BindHarness);

class Bind : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::BindServer::installed()) GTEST_SKIP() << "named is not installed (Debian: bind9)";
  }
  base::Result<Changed> change(const Rfc2136Options& options, Change wanted,
                               base::Duration within = 10s) {
    Rfc2136Switch names(time_.io().get_executor(), time_.timers(), options);
    return time_.run(names.change(std::move(wanted), time_.in(within)));
  }
  std::vector<ServerView> views(const Rfc2136Options& options, const std::string& name) {
    Rfc2136Switch names(time_.io().get_executor(), time_.timers(), options);
    auto read = time_.run(names.read(name, time_.in(10s)));
    return read ? std::move(*read) : std::vector<ServerView>{};
  }
  uint64_t generation(const Rfc2136Options& options, const std::string& name) {
    const auto seen = views(options, name);
    return seen.empty() || !seen.front().state ? ~uint64_t{0} : seen.front().state->generation;
  }
  // Until the primary shows it, or for 10 s.
  bool comes_to(const Rfc2136Options& options, const std::string& name, uint64_t wanted) {
    const base::Instant end = time_.in(10s);
    while (time_.in(0s) < end) {
      if (generation(options, name) == wanted) return true;
    }
    return false;
  }
  test::RealTime time_;
};

TEST_F(Bind, TakesOverANameThatWasMadeByHand) {
  const Rfc2136Options options = shared_server().options();
  const auto done = change(options, a_change("hand.cache.test", 0, 1, alias("b.example.net")));
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(views(options, "hand.cache.test").front().state->target, alias("b.example.net"));
}

TEST_F(Bind, LeavesNamesWithOtherRecordsAndWildcardsAlone) {
  const Rfc2136Options options = shared_server().options();
  for (const char* name : {"mail.cache.test", "x.wild.cache.test"}) {
    const auto done = change(options, a_change(name, 0, 1, alias("b.example.net")));
    ASSERT_FALSE(done.ok()) << name;
    EXPECT_EQ(done.code(), base::ErrorCode::kConflict);
    EXPECT_NE(done.error().context.find("wildcard"), std::string::npos) << done.error().context;
  }
}

TEST_F(Bind, RefusesACnameBesideARecordThatSomebodyAddedAndKeepsTheAddress) {
  const Rfc2136Options options = shared_server().options();
  for (const char* name : {"post.cache.test", "note.cache.test"}) {
    const auto done = change(options, a_change(name, 5, 6, alias("b.example.net")));
    ASSERT_FALSE(done.ok()) << name;
    EXPECT_EQ(done.code(), base::ErrorCode::kConflict) << done.error().context;
    EXPECT_NE(done.error().context.find("records of another type"), std::string::npos);
    const NameState state = *views(options, name).front().state;
    EXPECT_EQ(state.generation, 5u);
    EXPECT_EQ(state.target, addresses({"10.7.7.7"}));
    // Addresses may have neighbours.
    EXPECT_TRUE(change(options, a_change(name, 5, 7, addresses({"10.7.7.8"}))).ok());
    EXPECT_EQ(views(options, name).front().state->target, addresses({"10.7.7.8"}));
  }
}

TEST_F(Bind, ThatIgnoredACnameBesideAnUnusualRecordIsNotBelieved) {
  test::BindServer server;
  server.start();
  const Rfc2136Options options = server.options();
  const auto done = change(options, a_change("odd.cache.test", 5, 6, alias("b.example.net")), 2s);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnknown) << done.error().context;
  EXPECT_NE(done.error().context.find("in part"), std::string::npos) << done.error().context;
}

TEST_F(Bind, SpeaksHmacSha512AndTcp) {
  test::BindServer server(TsigAlgorithm::kHmacSha512);
  server.start();
  std::vector<std::string> many;
  for (int i = 1; i <= 64; ++i) many.push_back("2001:db8::" + std::to_string(i));
  const Rfc2136Options options = server.options();
  ASSERT_TRUE(change(options, a_change("a.cache.test", 0, 1, addresses(many))).ok());
  EXPECT_EQ(views(options, "a.cache.test").front().state->target.addresses.size(), 64u);
  const auto back = change(options, a_change("a.cache.test", 1, 2, addresses({"10.0.0.1"})));
  EXPECT_TRUE(back.ok()) << back.error().to_string();
}

TEST_F(Bind, IsToldThatTheKeyIsAnotherBeforeAnythingIsSent) {
  Rfc2136Options options = shared_server().options();
  options.key.secret = base::Secret(std::string(32, 'x'));
  auto done = change(options, a_change("key.cache.test", 0, 1, alias("b.example.net")));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable);
  EXPECT_NE(done.error().context.find("BADSIG"), std::string::npos) << done.error().context;
  options.key.name = "stranger";
  done = change(options, a_change("key.cache.test", 0, 1, alias("b.example.net")));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable);
  EXPECT_NE(done.error().context.find("BADKEY"), std::string::npos) << done.error().context;
}

TEST_F(Bind, KeepsTheChangeOverARestart) {
  test::BindServer server;
  server.start();
  const Rfc2136Options options = server.options();
  ASSERT_TRUE(change(options, a_change("a.cache.test", 0, 3, addresses({"10.0.0.1"}))).ok());
  server.kill();
  const auto away = change(options, a_change("a.cache.test", 3, 4, addresses({"10.0.0.2"})));
  ASSERT_FALSE(away.ok());
  EXPECT_EQ(away.code(), base::ErrorCode::kUnavailable) << away.error().context;
  server.start();
  EXPECT_EQ(generation(options, "a.cache.test"), 3u);
  EXPECT_TRUE(change(options, a_change("a.cache.test", 3, 4, addresses({"10.0.0.2"}))).ok());
}

TEST_F(Bind, SaysWhichServerDoesNotShowTheChangeYet) {
  test::BindServer primary, secondary;
  test::BindServer::join(primary, secondary);
  primary.start();
  secondary.start();
  Rfc2136Options options = primary.options();
  options.servers.push_back(secondary.place());
  const auto both = change(options, a_change("a.cache.test", 0, 1, addresses({"10.0.0.1"})));
  ASSERT_TRUE(both.ok()) << both.error().to_string();
  EXPECT_TRUE(both->behind.empty()) << both->behind.front().why;
  const auto seen = views(options, "a.cache.test");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(*seen[0].state, *seen[1].state);

  secondary.signal(SIGSTOP);
  const auto one = change(options, a_change("a.cache.test", 1, 2, alias("b.example.net")), 1500ms);
  secondary.signal(SIGCONT);
  ASSERT_TRUE(one.ok()) << one.error().to_string();
  ASSERT_EQ(one->behind.size(), 1u);
  EXPECT_EQ(one->behind.front().server, to_string(secondary.place()));
  // It comes after all.
  const auto again = change(options, a_change("a.cache.test", 1, 2, alias("b.example.net")));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->behind.empty()) << again->behind.front().why;
}

}  // namespace
}  // namespace agent::dns
