// The kernel's filters, in a network namespace of the test's own.
#include "agent/filter/nftables.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <fstream>

#include "base/core/file.h"
#include "tests/support/new_connections.h"
#include "tests/support/own_network.h"
#include "tests/support/temp_dir.h"

namespace agent::filter {
namespace {

using namespace std::chrono_literals;
using test::Arrival;

constexpr uint16_t kPort = 11211;
constexpr uint16_t kOtherPort = 9999;
constexpr const char* kServer = "127.0.0.1";

Subject subject(std::string_view text) {
  return *Subject::parse(text);
}

struct AgentOptions {
  bool is_disk_stuck = false;
  base::Duration probe_time = 10s;
};
// An agent's table with a loop of its own. Everything happens in the test's thread.
struct Agent {
  boost::asio::io_context io, stuck_disk;
  base::SystemClock clock;
  base::AsioTimers timers{io.get_executor(), clock};
  std::unique_ptr<NftablesTable> table;

  explicit Agent(const std::string& fence_file, std::vector<std::string> command = {},
                 AgentOptions how = {}) {
    NftablesOptions options;
    options.ports = {kPort};
    options.fence_file = fence_file;
    options.command = std::move(command);
    options.probe_time = how.probe_time;
    const auto disk = how.is_disk_stuck ? stuck_disk.get_executor() : io.get_executor();
    auto opened = NftablesTable::open(io.get_executor(), disk, timers, options);
    CHECK(opened.ok());
    table = std::move(*opened);
  }
  template <class T>
  void begin(boost::asio::awaitable<T> work, std::optional<T>& result) {
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result = std::move(value);
    });
  }
  template <class Done>
  void run_until(Done is_done) {
    io.restart();
    while (!is_done()) CHECK(io.run_one_for(30s) > 0);
  }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    begin(std::move(work), result);
    run_until([&] { return result.has_value(); });
    return std::move(*result);
  }

  FilterChange change(uint64_t fence = 0) const {
    FilterChange made;
    made.lock = "cluster/amber";
    made.fence = fence;
    made.deadline = clock.now() + 10s;
    return made;
  }
  base::Result<> add(std::string_view address, Mode mode, base::Duration ttl = 60s,
                     const std::string& name = "run-1", uint64_t fence = 0) {
    FilterChange made = change(fence);
    made.additions.push_back({subject(address), mode, name, ttl});
    return run(table->apply(std::move(made)));
  }
  base::Result<> lift(std::string_view address, Mode mode) {
    FilterChange made = change();
    made.removals.push_back({subject(address), mode});
    return run(table->apply(std::move(made)));
  }
  Standing list() {
    auto standing = run(table->list(clock.now() + 10s));
    CHECK(standing.ok());
    return std::move(*standing);
  }
};

class Nftables : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    is_root_ = ::geteuid() == 0;
    why_not_ = test::enter_own_network();
    if (why_not_.empty() && !find_nft().ok()) why_not_ = find_nft().error().context;
    if (why_not_.empty()) why_not_ = why_no_filters({});
  }
  // What keeps this kernel from filtering at all.
  static std::string why_no_filters(std::vector<std::string> command) {
    const test::TempDir dir;
    Agent agent(dir.file("fences"), std::move(command));
    base::Result<> done = agent.add("127.0.0.9", Mode::kCount);
    if (done.ok()) done = agent.run(agent.table->remove_all(agent.clock.now() + 10s));
    const bool is_lacking = !done.ok() && (done.code() == base::ErrorCode::kUnavailable ||
                                           done.code() == base::ErrorCode::kPermission);
    return is_lacking ? done.error().context : "";
  }
  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
    listener_ = std::make_unique<test::Listener>(kPort);
  }
  void TearDown() override {
    if (!why_not_.empty()) return;
    Agent agent(dir_.file("last"));
    ASSERT_TRUE(agent.run(agent.table->remove_all(agent.clock.now() + 10s)).ok());
    EXPECT_EQ(nft("list tables"), "");
  }
  std::string fences() const { return dir_.file("fences"); }
  Arrival arrive(const std::string& from, uint16_t port = kPort) {
    return test::connect_from(from, kServer, port).arrival;
  }
  // Until a connection from there gets in; how long that took.
  base::Duration until_let_in(const std::string& from) {
    const base::Instant began = clock_.now();
    while (clock_.now() - began < 20s) {
      if (test::connect_from(from, kServer, kPort, 20ms).arrival == Arrival::kConnected) break;
    }
    return clock_.now() - began;
  }
  // What nft itself says to a command.
  std::string nft(const std::string& command) {
    const std::string file = dir_.file("said");
    const std::string whole = *find_nft() + " " + command + " > " + file + " 2>&1";
    EXPECT_EQ(std::system(whole.c_str()), 0) << command;
    return *base::read_file(file);
  }
  std::string script(const std::string& text) {
    const std::string path = dir_.file("nft");
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }

  static bool is_root_;  // outside of the namespaces, too
  static std::string why_not_;
  base::SystemClock clock_;
  test::TempDir dir_;
  std::unique_ptr<test::Listener> listener_;
};
bool Nftables::is_root_ = false;
std::string Nftables::why_not_;

TEST_F(Nftables, RefusesNewConnectionsAndLetsEstablishedOnesGoOn) {
  Agent agent(fences());
  const test::Connection before = test::connect_from("127.0.0.9", kServer, kPort);
  const test::UniqueFd peer = listener_->accept();
  ASSERT_EQ(before.arrival, Arrival::kConnected);
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
  EXPECT_EQ(arrive("127.0.0.9"), Arrival::kRefused);
  EXPECT_EQ(arrive("127.0.0.8"), Arrival::kConnected) << "another client";
  for (int i = 0; i < 100; ++i) {
    char byte = 'x';
    ASSERT_EQ(::send(before.fd.get(), &byte, 1, MSG_NOSIGNAL), 1);
    ASSERT_TRUE(base::net::wait_ready(peer.get(), POLLIN, clock_.now() + 5s));
    ASSERT_EQ(::recv(peer.get(), &byte, 1, 0), 1);
    ASSERT_EQ(::send(peer.get(), &byte, 1, MSG_NOSIGNAL), 1);
    ASSERT_TRUE(base::net::wait_ready(before.fd.get(), POLLIN, clock_.now() + 5s));
    ASSERT_EQ(::recv(before.fd.get(), &byte, 1, 0), 1);
  }
  ASSERT_TRUE(agent.lift("127.0.0.9", Mode::kBlock).ok());
  EXPECT_EQ(arrive("127.0.0.9"), Arrival::kConnected);
}

TEST_F(Nftables, CountsWithoutRefusing) {
  Agent agent(fences());
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kCount).ok());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(arrive("127.0.0.9"), Arrival::kConnected);
  const Standing standing = agent.list();
  ASSERT_EQ(standing.filters.size(), 1u);
  EXPECT_EQ(standing.filters[0].mode, Mode::kCount);
  EXPECT_EQ(standing.filters[0].packets, 20u);
  EXPECT_EQ(standing.refusals.reset + standing.refusals.dropped, 0u);
}

TEST_F(Nftables, ResetsTheFirstFewASecondAndDropsAfter) {
  Agent agent(fences());
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
  std::vector<test::UniqueFd> attempts;
  const base::Instant began = clock_.now();
  for (int i = 0; i < 40; ++i) attempts.push_back(test::begin_connect("127.0.0.9", kServer, kPort));
  const Standing standing = agent.list();
  EXPECT_GE(standing.filters[0].packets, 40u) << "more when some were repeated";
  EXPECT_GE(standing.refusals.reset, 5u);
  const double seconds = base::to_seconds(clock_.now() - began);
  EXPECT_LE(static_cast<double>(standing.refusals.reset), 6 + 5 * seconds);
  EXPECT_EQ(standing.refusals.reset + standing.refusals.dropped, standing.filters[0].packets);
  EXPECT_GE(standing.refusals.dropped, 1u);
  uint64_t silent = 0;
  for (const test::UniqueFd& each : attempts) {
    silent += test::wait_arrival(each, 1ms) == Arrival::kSilence ? 1 : 0;
  }
  EXPECT_GT(silent, 0u);
}

TEST_F(Nftables, EndsByItselfAfterTheAgentIsKilled) {
  const base::Instant began = clock_.now();
  const pid_t agent = ::fork();
  ASSERT_GE(agent, 0);
  if (agent == 0) {
    Agent inside(fences());
    if (!inside.add("127.0.0.9", Mode::kBlock, 6s).ok()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(agent, &status, 0), agent);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it did not get so far";
  EXPECT_NE(arrive("127.0.0.9"), Arrival::kConnected);
  const base::Duration waited = until_let_in("127.0.0.9");
  EXPECT_GE(clock_.now() - began, 5900ms) << "from before it was made";
  EXPECT_LE(waited, 10s);
}

TEST_F(Nftables, FiltersAnIpv6NetworkWhicheverAddressItUses) {
  in6_addr address{};
  for (const char* text :
       {"2001:db8:0:1::7", "2001:db8:0:1:aaaa::8", "2001:db8:0:2::7", "2001:db8:ffff::1"}) {
    ASSERT_EQ(::inet_pton(AF_INET6, text, &address), 1);
    if (!test::add_loopback_address(address)) GTEST_SKIP() << "no IPv6 here";
  }
  const auto from = [](const char* text) {
    return test::connect_from(text, "2001:db8:ffff::1", kPort).arrival;
  };
  Agent agent(fences());
  ASSERT_TRUE(agent.add("2001:db8:0:1::7", Mode::kBlock).ok());
  EXPECT_EQ(from("2001:db8:0:1::7"), Arrival::kRefused);
  EXPECT_EQ(from("2001:db8:0:1:aaaa::8"), Arrival::kRefused);
  EXPECT_EQ(from("2001:db8:0:2::7"), Arrival::kConnected);
  EXPECT_EQ(agent.list().filters[0].subject.text(), "2001:db8:0:1::/64");
}

TEST_F(Nftables, LeavesOtherPortsAndOtherTablesAlone) {
  nft("'add table inet other; add set inet other block4 { type ipv4_addr; }; add element inet "
      "other "
      "block4 { 127.0.0.9 }; add table ip mcguard'");
  const std::string before = nft("list ruleset");
  {
    Agent agent(fences());
    test::Listener other(kOtherPort);
    ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
    EXPECT_EQ(arrive("127.0.0.9", kOtherPort), Arrival::kConnected);
    EXPECT_EQ(arrive("127.0.0.9"), Arrival::kRefused);
    EXPECT_EQ(agent.list().filters.size(), 1u);
    ASSERT_TRUE(agent.run(agent.table->remove_all(clock_.now() + 10s)).ok());
    ASSERT_TRUE(agent.run(agent.table->remove_all(clock_.now() + 10s)).ok()) << "nothing is there";
    EXPECT_TRUE(agent.list().filters.empty());
  }
  EXPECT_EQ(nft("list ruleset"), before);
  nft("'delete table inet other; delete table ip mcguard'");
}

TEST_F(Nftables, IsAdoptedRenewedAndLiftedByTheNextAgent) {
  {
    Agent first(fences());
    ASSERT_TRUE(first.add("127.0.0.9", Mode::kBlock, 30s, "run-1").ok());
    ASSERT_TRUE(first.add("127.0.0.7", Mode::kCount, 30s, "run-2").ok());
  }
  Agent next(fences());
  const Standing found = next.list();
  ASSERT_EQ(found.filters.size(), 2u);
  ASSERT_TRUE(next.add("127.0.0.9", Mode::kBlock, 60s, "run-3").ok());
  EXPECT_NE(arrive("127.0.0.9"), Arrival::kConnected);
  for (const Filter& filter : next.list().filters) {
    const bool is_renewed = filter.mode == Mode::kBlock;
    EXPECT_EQ(filter.run, is_renewed ? "run-3" : "run-2");
    EXPECT_EQ(filter.ttl, base::Duration(is_renewed ? 60s : 30s));
    EXPECT_GT(filter.left, base::Duration(is_renewed ? 31s : 1s));
  }
  ASSERT_TRUE(next.lift("127.0.0.9", Mode::kBlock).ok());
  ASSERT_TRUE(next.lift("127.0.0.9", Mode::kBlock).ok()) << "it is gone already";
  EXPECT_EQ(next.list().filters.size(), 1u);
}

TEST_F(Nftables, DoesAllOfAChangeOrNothing) {
  if (!is_root_) GTEST_SKIP() << "only root may send the kernel so much at once";
  Agent agent(fences());
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kCount).ok());
  FilterChange change = agent.change();
  change.removals.push_back({subject("127.0.0.9"), Mode::kCount});
  for (int i = 1; i <= 1000; ++i) {
    const std::string address = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    change.additions.push_back({subject(address), Mode::kBlock, "run-2", 60s});
  }
  ASSERT_TRUE(agent.run(agent.table->apply(change)).ok());
  EXPECT_EQ(agent.list().filters.size(), 1000u);
  for (int i = 0; i < 3'500; ++i) {  // more than a set holds
    const std::string address = "10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    change.additions.push_back({subject(address), Mode::kBlock, "run-3", 60s});
  }
  change.deadline = clock_.now() + 30s;
  const base::Result<> refused = agent.run(agent.table->apply(change));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), base::ErrorCode::kExhausted) << refused.error().context;
  EXPECT_EQ(agent.list().filters.size(), 1000u);
}

TEST_F(Nftables, MakesItsTableAgainWhenSomebodyRemovedIt) {
  Agent agent(fences());
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
  nft("flush ruleset");
  EXPECT_TRUE(agent.list().filters.empty());
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
  EXPECT_EQ(arrive("127.0.0.9"), Arrival::kRefused);
}

TEST_F(Nftables, RefusesAnOlderFenceAlsoAfterARestart) {
  {
    Agent agent(fences());
    ASSERT_TRUE(agent.add("127.0.0.9", Mode::kCount, 60s, "run-7", 7).ok());
  }
  Agent next(fences());
  EXPECT_EQ(next.table->fences().highest("cluster/amber"), 7u);
  const base::Result<> refused = next.add("127.0.0.9", Mode::kBlock, 60s, "run-6", 6);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), base::ErrorCode::kRefused);
  EXPECT_EQ(next.list().filters[0].run, "run-7");
  EXPECT_TRUE(next.add("127.0.0.9", Mode::kBlock, 60s, "run-7", 7).ok());
  EXPECT_TRUE(next.lift("127.0.0.9", Mode::kBlock).ok()) << "a person's act, under no lock";
}

TEST_F(Nftables, LiftsWhileTheDiskIsStuck) {
  Agent agent(fences(), {}, {.is_disk_stuck = true});
  ASSERT_TRUE(agent.add("127.0.0.9", Mode::kBlock).ok());
  FilterChange waiting = agent.change(7);
  waiting.deadline = clock_.now() + 60s;
  waiting.additions.push_back({subject("127.0.0.7"), Mode::kBlock, "run-7", 60s});
  std::optional<base::Result<>> kept;
  agent.begin(agent.table->apply(waiting), kept);
  EXPECT_TRUE(agent.lift("127.0.0.9", Mode::kBlock).ok());
  EXPECT_FALSE(kept.has_value());
  EXPECT_TRUE(agent.list().filters.empty()) << "what has a fence waits for the disk";
  agent.stuck_disk.run();
  agent.run_until([&] { return kept.has_value(); });
  EXPECT_TRUE(kept->ok()) << kept->error().context;
  EXPECT_EQ(agent.list().filters.size(), 1u);
}

TEST_F(Nftables, RefusesAnOlderFenceThatWasAdmittedBeforeANewerOne) {
  const std::string go = dir_.file("go");
  Agent agent(fences(), {script("while [ ! -e " + go + " ]; do sleep 0.05; done\nexec " +
                                *find_nft() + " -j -i")});
  const auto apply = [&](uint64_t fence) {
    FilterChange made = agent.change(fence);
    made.deadline = clock_.now() + 25s;
    made.additions.push_back({subject("127.0.0.9"), Mode::kCount, "run-1", 60s});
    return agent.table->apply(std::move(made));
  };
  std::optional<base::Result<Standing>> listed;
  std::optional<base::Result<>> older, newer;
  agent.begin(agent.table->list(clock_.now() + 25s), listed);  // has the turn until nft may go
  agent.begin(apply(6), older);
  agent.begin(apply(7), newer);
  agent.run_until([&] { return agent.table->fences().highest("cluster/amber") == 7; });
  ASSERT_FALSE(older.has_value()) << "it was admitted, and waits for its turn";
  std::ofstream(go) << "go";
  agent.run_until([&] { return listed && older && newer; });
  EXPECT_EQ(older->code(), base::ErrorCode::kRefused);
  EXPECT_TRUE(newer->ok()) << newer->error().context;
  EXPECT_TRUE(listed->ok());
}

TEST_F(Nftables, SkipsItsTestsOnAKernelThatCannotFilter) {
  const std::string error = "internal:0:0-0: Error: Could not process rule: ";
  const auto says = [&](const std::string& words) {
    return why_no_filters(
        {script("echo '" + error + words +
                "'\necho '{\"nftables\": [{\"metainfo\": {}}]}'\nexec sleep 300")});
  };
  EXPECT_NE(says("Operation not supported").find("nft_limit"), std::string::npos);
  EXPECT_NE(says("Operation not permitted").find("CAP_NET_ADMIN"), std::string::npos);
}

TEST_F(Nftables, RefusesWhatIsNoFilterBeforeTheKernelSeesIt) {
  Agent agent(fences());
  for (const char* run : {"", "run\"}", "run 1", "run\n"}) {
    EXPECT_EQ(agent.add("127.0.0.9", Mode::kBlock, 60s, run).code(), base::ErrorCode::kInvalid);
  }
  EXPECT_EQ(agent.add("127.0.0.9", Mode::kBlock, 2h).code(), base::ErrorCode::kInvalid);
  EXPECT_TRUE(agent.list().filters.empty());
}

TEST_F(Nftables, FindsOutWhatAnNftDidThatHangs) {
  const std::string flag = dir_.file("hung");
  const std::string real = *find_nft();
  // The first one does what it is told (the table, then a change), and never answers the second
  // time.
  const std::string path = script("[ -e " + flag + " ] && exec " + real + " -j -i\ntouch " + flag +
                                  "\nsed -u 3q | " + real + " -j -i\nexec sleep 300");
  Agent agent(fences(), {path});
  FilterChange change = agent.change();
  change.additions.push_back({subject("127.0.0.9"), Mode::kBlock, "run-1", 60s});
  change.deadline = clock_.now() + 10s;
  const base::Result<> done = agent.run(agent.table->apply(change));
  EXPECT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(arrive("127.0.0.9"), Arrival::kRefused);
}

TEST_F(Nftables, KnowsThatAnNftThatHungDidNothing) {
  const std::string flag = dir_.file("hung");
  const std::string real = *find_nft();
  const std::string path = script("[ -e " + flag + " ] && exec " + real + " -j -i\ntouch " + flag +
                                  "\nsed -u 2q | " + real + " -j -i\nexec sleep 300");
  Agent agent(fences(), {path});
  FilterChange change = agent.change();
  change.additions.push_back({subject("127.0.0.9"), Mode::kBlock, "run-1", 60s});
  change.deadline = clock_.now() + 10s;
  const base::Result<> done = agent.run(agent.table->apply(change));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable) << done.error().context;
  EXPECT_EQ(arrive("127.0.0.9"), Arrival::kConnected);
}

TEST_F(Nftables, SaysUnknownWhenEveryNftHangs) {
  const std::string flag = dir_.file("hung");
  Agent agent(fences(),
              {script("[ -e " + flag + " ] && exec sleep 300\ntouch " + flag + "\nsed -u 2q | " +
                      *find_nft() + " -j -i\nexec sleep 300")},
              {.probe_time = 1s});
  FilterChange change = agent.change();
  change.additions.push_back({subject("127.0.0.9"), Mode::kBlock, "run-1", 60s});
  change.deadline = clock_.now() + 10s;
  const base::Instant began = clock_.now();
  const base::Result<> done = agent.run(agent.table->apply(change));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnknown) << done.error().context;
  EXPECT_LE(clock_.now() - began, 30s);
}

TEST_F(Nftables, DidNothingWhenTheTableCouldNotBeMade) {
  Agent agent(fences(), {script("exec sleep 300")});
  FilterChange change = agent.change();
  change.additions.push_back({subject("127.0.0.9"), Mode::kBlock, "run-1", 60s});
  change.deadline = clock_.now() + 200ms;
  const base::Result<> done = agent.run(agent.table->apply(change));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.code(), base::ErrorCode::kUnavailable) << done.error().context;
}

TEST_F(Nftables, SaysWhatIsMissing) {
  if (!is_root_) GTEST_SKIP() << "only root can be somebody else";
  Agent powerless(fences(), {"/usr/bin/setpriv", "--reuid=65534", "--clear-groups",
                             "--inh-caps=-all", "--bounding-set=-all", *find_nft(), "-j", "-i"});
  const base::Result<> refused = powerless.add("127.0.0.9", Mode::kBlock);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), base::ErrorCode::kPermission);
  EXPECT_NE(refused.error().context.find("CAP_NET_ADMIN"), std::string::npos);
  Agent without(fences(), {dir_.file("nowhere")});
  const base::Result<> missing = without.add("127.0.0.9", Mode::kBlock);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.code(), base::ErrorCode::kNotFound);
  EXPECT_NE(missing.error().context.find("install the package nftables"), std::string::npos);
}

TEST_F(Nftables, GoesOnWhenNftIsStartedAnew) {
  Agent agent(fences());
  for (int i = 0; i < kMostExchanges + 20; ++i) {
    ASSERT_TRUE(agent.add("127.0.0.9", Mode::kCount).ok()) << i;
  }
  EXPECT_EQ(agent.list().filters.size(), 1u);
}

}  // namespace
}  // namespace agent::filter
