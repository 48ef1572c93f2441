// Plugins as shell scripts: what their answers, their silence and their end mean.
#include "agent/dns/exec_switch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/dns/change.h"
#include "base/core/file.h"
#include "base/core/json.h"
#include "base/core/text.h"
#include "tests/support/real_time.h"
#include "tests/support/temp_dir.h"

namespace agent::dns {
namespace {

using namespace std::chrono_literals;

class Exec : public ::testing::Test {
 protected:
  // A plugin that runs `script`, with $0's directory to write into.
  void plugin(const std::string& script) {
    const std::string path = directory_.file("plugin");
    ASSERT_TRUE(base::write_file_atomic(path, "#!/bin/sh\ncd " + directory_.path() + "\n" + script,
                                        base::Durability::kRenameOnly, 0755)
                    .ok());
  }
  ExecSwitch names() {
    ExecOptions options;
    options.program = directory_.file("plugin");
    options.zone = "cache.test";
    return ExecSwitch(time_.io().get_executor(), time_.timers(), options);
  }
  static Change a_move() {
    Change change;
    change.name = "a.cache.test";
    change.expected_generation = 5;
    change.target.addresses = {"10.0.0.2", "2001:db8::1"};
    change.fence = 6;
    change.run = "run-6";
    return change;
  }
  base::Result<Changed> move(base::Duration within = 20s) {
    ExecSwitch dns = names();
    return time_.run(dns.change(a_move(), time_.in(within)));
  }
  base::Result<Changed> move_by(const std::string& script, base::Duration within = 20s) {
    plugin(script);
    return move(within);
  }
  std::string written(const std::string& name) {
    return base::read_file(directory_.file(name)).value_or("");
  }
  // Whether it ends within some seconds; its new parent reaps it in its own time.
  bool ends(pid_t pid) {
    const base::Instant end = time_.in(10s);
    const std::string file = "/proc/" + std::to_string(pid) + "/stat";
    while (time_.in(0s) < end) {
      const auto state = base::read_file(file);
      if (!state || state->find(") Z ") != std::string::npos) return true;
      ::poll(nullptr, 0, 5);
    }
    return false;
  }
  test::TempDir directory_;
  test::RealTime time_;
};

TEST_F(Exec, IsAskedInJsonOnItsStandardInput) {
  const auto moved = move_by("cat >request; echo \"$#\" >arguments; echo '{\"ok\":{}}'");
  ASSERT_TRUE(moved.ok()) << moved.error().to_string();
  EXPECT_EQ(moved->state, wanted_state(a_move()));
  const auto request = base::parse_json(written("request"));
  ASSERT_TRUE(request.ok());
  const auto& object = request->as_object();
  EXPECT_EQ(object.at("api"), 1);
  EXPECT_EQ(object.at("verb"), "change");
  EXPECT_EQ(object.at("zone"), "cache.test");
  EXPECT_EQ(object.at("name"), "a.cache.test");
  EXPECT_EQ(object.at("expect_generation"), 5);
  EXPECT_EQ(object.at("fence"), 6);
  EXPECT_EQ(object.at("run"), "run-6");
  EXPECT_EQ(object.at("ttl"), 30);
  EXPECT_EQ(object.at("records"), base::parse_json(R"([{"type":"A","value":"10.0.0.2"},
                                   {"type":"AAAA","value":"2001:db8::1"}])")
                                      .value());
  EXPECT_GT(object.at("deadline_ms").to_number<int64_t>(), 1000);
  EXPECT_EQ(written("arguments"), "0\n");
}

TEST_F(Exec, TellsWhichServersAreBehind) {
  const auto moved = move_by(R"(echo '{"ok":{"behind":[{"server":"ns2","why":"slow"}]}}')");
  ASSERT_TRUE(moved.ok());
  ASSERT_EQ(moved->behind.size(), 1u);
  EXPECT_EQ(moved->behind.front().server, "ns2");
}

TEST_F(Exec, ReadsWhatEveryServerShows) {
  plugin(R"(cat >request; echo '{"ok":{"servers":[
    {"server":"ns1","records":[{"type":"A","value":"10.0.0.2"},{"type":"A","value":"10.0.0.1"}],
     "ttl":30,"generation":5,"run":"run-5"},
    {"server":"ns2","records":[{"type":"CNAME","value":"B.Example.NET."}],"ttl":60},
    {"server":"ns3","records":[{"type":"A","value":"ten"}]}]}}')");
  ExecSwitch dns = names();
  const auto views = time_.run(dns.read("a.cache.test", time_.in(20s)));
  ASSERT_TRUE(views.ok()) << views.error().to_string();
  ASSERT_EQ(views->size(), 3u);
  EXPECT_EQ(to_string(*views->at(0).state),
            "generation 5 of run-5: A 10.0.0.1 A 10.0.0.2, ttl 30 s");
  EXPECT_EQ(to_string(*views->at(1).state), "no generation: CNAME b.example.net, ttl 60 s");
  EXPECT_FALSE(views->at(2).state.ok());
}

TEST_F(Exec, IsAskedForItsVersion) {
  plugin(R"(grep -q '"verb":"version"' && echo '{"ok":{"api":1}}')");
  ExecSwitch dns = names();
  EXPECT_TRUE(time_.run(dns.check(time_.in(20s))).ok());
  plugin(R"(echo '{"ok":{"api":2}}')");
  EXPECT_EQ(time_.run(dns.check(time_.in(20s))).code(), base::ErrorCode::kInvalid);
}

TEST_F(Exec, MapsItsErrors) {
  struct Case {
    const char* error;
    base::ErrorCode code;
  };
  for (const Case& each : {
           Case{R"("code":"conflict","maybe_done":false)", base::ErrorCode::kConflict},
           Case{R"("code":"refused","maybe_done":false)", base::ErrorCode::kRefused},
           Case{R"("code":"throttled","maybe_done":false)", base::ErrorCode::kUnavailable},
           Case{R"("code":"conflict","maybe_done":true)", base::ErrorCode::kUnknown},
           Case{R"("code":"conflict")", base::ErrorCode::kUnknown},
           Case{R"("code":"timeout","maybe_done":false)", base::ErrorCode::kUnknown},
       }) {
    for (const char* end : {"", "; exit 3"}) {
      const auto moved =
          move_by(std::string("echo '{\"error\":{") + each.error + ",\"message\":\"why\"}}'" + end);
      ASSERT_FALSE(moved.ok());
      EXPECT_EQ(moved.code(), each.code) << each.error << end;
      EXPECT_NE(moved.error().context.find("why"), std::string::npos);
    }
  }
}

TEST_F(Exec, WithoutAnAnswerIsUnknown) {
  for (const char* script :
       {"true", "exit 1", "echo >&2 no credentials; exit 2", "echo '{\"ok\":'", "echo '[]'",
        "echo '{\"ok\":{},\"error\":{}}'", "echo '{\"ok\":{}}'; exit 1", "kill -9 $$",
        "head -c 2000000 /dev/zero"}) {
    const auto moved = move_by(script);
    ASSERT_FALSE(moved.ok()) << script;
    EXPECT_EQ(moved.code(), base::ErrorCode::kUnknown) << script;
  }
  const auto told = move_by("echo >&2 no credentials; exit 2");
  EXPECT_NE(told.error().context.find("no credentials"), std::string::npos) << told.error().context;
}

TEST_F(Exec, ThatCannotBeStartedHasCertainlyDoneNothing) {
  const auto moved = move();
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.code(), base::ErrorCode::kUnavailable);
}

TEST_F(Exec, IsNotStartedWhenNoTimeIsLeft) {
  const auto moved = move_by("touch asked; echo '{\"ok\":{}}'", 0s);
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.code(), base::ErrorCode::kUnavailable) << moved.error().context;
  EXPECT_FALSE(base::read_file(directory_.file("asked")).ok());
}

TEST_F(Exec, IsKilledAtTheDeadlineWithAllThatItStarted) {
  const auto moved = move_by("sleep 600 & echo $! >child; echo $$ >self; wait", 1500ms);
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.code(), base::ErrorCode::kUnknown);
  for (const char* file : {"self", "child"}) {
    std::string number = written(file);
    ASSERT_FALSE(number.empty()) << file;
    number.pop_back();
    const auto pid = static_cast<pid_t>(base::parse_u64(number).value_or(0));
    ASSERT_GT(pid, 1);
    EXPECT_TRUE(ends(pid)) << file;
  }
}

TEST_F(Exec, DoesNotWaitForWhatItLeftBehind) {
  const auto moved = move_by("sleep 600 & echo '{\"ok\":{}}'");
  EXPECT_TRUE(moved.ok()) << moved.error().to_string();
}

TEST_F(Exec, SeesNothingOfOurEnvironmentButThePath) {
  ::setenv("MCGUARD_TEST_TOKEN", "hush", 1);
  ASSERT_TRUE(move_by("env >environment; echo '{\"ok\":{}}'").ok());
  ::unsetenv("MCGUARD_TEST_TOKEN");
  const std::string environment = written("environment");
  EXPECT_NE(environment.find("PATH="), std::string::npos);
  EXPECT_EQ(environment.find("hush"), std::string::npos);
}

TEST_F(Exec, IsNotAskedForWhatMustNotBeTried) {
  plugin("touch asked; echo '{\"ok\":{}}'");
  ExecSwitch dns = names();
  Change empty = a_move();
  empty.target = Target();
  const auto moved = time_.run(dns.change(empty, time_.in(20s)));
  EXPECT_EQ(moved.code(), base::ErrorCode::kInvalid);
  EXPECT_FALSE(base::read_file(directory_.file("asked")).ok());
}

}  // namespace
}  // namespace agent::dns
