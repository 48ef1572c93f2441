// The whole command line against an agent that answers what the test wants.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>

#include "cli/verbs/verbs.h"
#include "tests/support/fake_agent.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

class ToolTest : public ::testing::Test {
 protected:
  ToolTest() {
    std::ofstream(dir_.file("region.json")) << R"({"urls":{"operator":")" << agent_.url() << "\"}}";
    std::ofstream(dir_.file("operator.token")) << "token-1";
  }
  // Exit status; what was printed is in out_ and err_.
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "mcguard");
    words.insert(words.end(), {"--dir", dir_.path()});
    return run_bare(words);
  }
  int run_bare(const std::vector<std::string>& words) {
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = run_tool(static_cast<int>(argv.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  test::TempDir dir_;
  test::FakeAgent agent_;
  std::string out_, err_;
};

TEST_F(ToolTest, ShowsTheStatusInEveryFormat) {
  agent_.answer("GET /api/v1/status", R"({"region":"local","clusters":[{"name":"amber"}]})");
  EXPECT_EQ(run({"status"}), kDone);
  EXPECT_NE(out_.find("region local"), std::string::npos);
  EXPECT_EQ(out_.find('\x1b'), std::string::npos);
  EXPECT_EQ(run({"status", "-o", "json"}), kDone);
  EXPECT_EQ(boost::json::parse(out_).at("region").as_string(), "local");
  EXPECT_EQ(run({"status", "-o", "yaml"}), kDone);
  EXPECT_TRUE(out_.starts_with("region: local\n"));
}

TEST_F(ToolTest, TopPrintsAPictureIntoAPipe) {
  agent_.answer("GET /api/v1/events", R"({"region":"local"})");
  EXPECT_EQ(run({"top", "--frames", "1"}), kDone);
  EXPECT_NE(out_.find("region local"), std::string::npos);
  EXPECT_EQ(out_.find('\x1b'), std::string::npos);
}

TEST_F(ToolTest, SendsAFaultAsTheApiWantsIt) {
  agent_.answer("POST /api/v1/faults", "{}");
  EXPECT_EQ(run({"fault", "slow", "--cluster", "amber", "--share", "15%", "--delay", "5ms..15ms"}),
            kDone);
  const auto body = boost::json::parse(agent_.seen().at(0).body);
  EXPECT_EQ(body.at("kind").as_string(), "slow");
  EXPECT_EQ(body.at("delay_max_ms").as_int64(), 15);
  EXPECT_EQ(agent_.seen().at(0).authorization, "Bearer token-1");
}

TEST_F(ToolTest, ADryRunSendsNothing) {
  EXPECT_EQ(run({"fault", "kill", "amber-proxy-1", "--dry-run"}), kDone);
  EXPECT_NE(out_.find("nothing was done"), std::string::npos);
  EXPECT_TRUE(agent_.seen().empty());
}

TEST_F(ToolTest, APauseIsAnHourUnlessItSaysOtherwise) {
  agent_.answer("POST /api/v1/pauses", R"({"id":"pause-1","cluster":"amber","in_force":true})");
  EXPECT_EQ(run({"pause", "add", "--cluster", "amber", "--reason", "a switch"}), kDone) << err_;
  const auto body = boost::json::parse(agent_.seen().at(0).body);
  EXPECT_EQ(body.at("for"), "1h");
  EXPECT_EQ(body.at("cluster"), "amber");
  EXPECT_EQ(body.at("reason"), "a switch");
  EXPECT_FALSE(body.as_object().contains("runbook"));
  EXPECT_NE(out_.find("pause-1"), std::string::npos);
  EXPECT_EQ(run({"pause", "add", "--reason", "x", "--for", "1h", "--until", "y"}), kUsage);
  EXPECT_EQ(run({"pause", "add", "--for", "1h"}), kUsage) << "a reason is not left out";
}

TEST_F(ToolTest, AFlushGoesThroughItsRunbookAndWaits) {
  agent_.answer("POST /api/v1/runbooks/flush/run", R"({"run":"run-1"})");
  agent_.answer("GET /api/v1/runs/run-1",
                R"({"id":"run-1","state":"finished","outcome":"completed"})");
  EXPECT_EQ(run({"flush", "--cache", "12", "--reason", "wrong prices"}), kDone) << err_;
  const auto params = boost::json::parse(agent_.seen().at(0).body).at("params");
  EXPECT_EQ(params.at("target").as_string(), "cache/12");
  EXPECT_EQ(params.at("reason").as_string(), "wrong prices");
  EXPECT_NE(out_.find("completed"), std::string::npos);
}

TEST_F(ToolTest, ARunThatDidNotCompleteIsAFailure) {
  agent_.answer("POST /api/v1/runbooks/flush/run", R"({"run":"run-1"})");
  agent_.answer("GET /api/v1/runs/run-1",
                R"({"id":"run-1","state":"finished","outcome":"handed_over"})");
  EXPECT_EQ(run({"flush", "--cluster", "amber", "--reason", "x"}), kFailed);
}

TEST_F(ToolTest, ADryFlushShowsThePlan) {
  agent_.answer("POST /api/v1/runbooks/flush/plan", R"({"runbook":"flush","hash":"h1"})");
  EXPECT_EQ(run({"flush", "--cache", "1", "--reason", "x", "--dry-run"}), kDone);
  EXPECT_NE(out_.find("hash h1"), std::string::npos);
}

TEST_F(ToolTest, RefusalsAndMissingThingsHaveTheirExitStatus) {
  agent_.answer("POST /api/v1/faults",
                R"({"error":{"code":"refused","context":"not started with --gameday"}})", 409);
  EXPECT_EQ(run({"fault", "kill", "amber-proxy-1"}), kRefused);
  EXPECT_NE(err_.find("--gameday"), std::string::npos);
  EXPECT_EQ(run({"incident", "show", "inc-9"}), kNotFound);
  agent_.answer("GET /api/v1/proxies", R"({"proxies":[]})");
  EXPECT_EQ(run({"proxy", "show", "amber-proxy-9"}), kNotFound);
  EXPECT_NE(err_.find("mcguard proxy list"), std::string::npos);
}

TEST_F(ToolTest, AWrongCommandLineIsUsage) {
  EXPECT_EQ(run_bare({"mcguard", "bogus"}), kUsage);
  EXPECT_NE(err_.find("bogus"), std::string::npos);
  EXPECT_EQ(run_bare({"mcguard"}), kUsage);
  EXPECT_EQ(run({"status", "-o", "xml"}), kUsage);
  EXPECT_EQ(run({"fault", "slow", "--cluster", "amber", "--share", "0"}), kUsage);
  EXPECT_EQ(run({"flush", "--cache", "1"}), kUsage) << "a reason is required";
}

TEST_F(ToolTest, SaysWhichWordIsNoCommandWhateverComesBeforeIt) {
  for (const std::vector<std::string>& before :
       {std::vector<std::string>{"--dir", dir_.path()}, {"--dir=" + dir_.path()}}) {
    std::vector<std::string> words = {"mcguard"};
    words.insert(words.end(), before.begin(), before.end());
    words.push_back("bogus");
    EXPECT_EQ(run_bare(words), kUsage);
    EXPECT_NE(err_.find("no command \"bogus\""), std::string::npos) << err_;
  }
  EXPECT_EQ(run_bare({"mcguard", "--dir"}), kUsage);
  EXPECT_EQ(run_bare({"mcguard", "--bogus", "status"}), kUsage);
  EXPECT_NE(err_.find("--bogus"), std::string::npos) << err_;
}

TEST_F(ToolTest, WhereTheAgentIsMayBeSaidAnywhere) {
  agent_.answer("GET /api/v1/status", R"({"region":"local","clusters":[{"name":"amber"}]})");
  agent_.answer("GET /api/v1/incidents", R"({"incidents":[]})");
  const std::string dir = dir_.path();
  EXPECT_EQ(run_bare({"mcguard", "status", "--dir", dir}), kDone) << err_;
  EXPECT_EQ(run_bare({"mcguard", "--dir", dir, "status"}), kDone) << err_;
  EXPECT_EQ(run_bare({"mcguard", "--url", agent_.url(), "status"}), kDone) << err_;
  EXPECT_EQ(run_bare({"mcguard", "--dir", dir, "incident", "list"}), kDone) << err_;
  EXPECT_EQ(run_bare({"mcguard", "incident", "--dir", dir, "list"}), kDone) << err_;
  EXPECT_EQ(run_bare({"mcguard", "incident", "list", "--dir", dir}), kDone) << err_;
  // And the help says so.
  for (const std::vector<std::string>& place : {std::vector<std::string>{"mcguard", "--help"},
                                                {"mcguard", "incident", "--help"},
                                                {"mcguard", "incident", "list", "--help"}}) {
    EXPECT_EQ(run_bare(place), kDone);
    for (const char* option : {"--dir", "--url", "--token-file"}) {
      EXPECT_NE(out_.find(option), std::string::npos) << option << "\n" << out_;
    }
  }
}

TEST_F(ToolTest, AnUnreachableAgentSaysWhatToDo) {
  std::ofstream(dir_.file("region.json")) << R"({"urls":{"operator":"http://127.0.0.1:1"}})";
  EXPECT_EQ(run({"status"}), kUnreachable);
  EXPECT_NE(err_.find("127.0.0.1:1"), std::string::npos);
}

TEST_F(ToolTest, LintNamesThePlace) {
  std::ofstream(dir_.file("bad.yaml")) << "runbook: x\nversoin: 1\n";
  EXPECT_EQ(run_bare({"mcguard", "runbook", "lint", dir_.file("bad.yaml")}), kUsage);
  EXPECT_NE(err_.find("bad.yaml:2:1"), std::string::npos) << err_;
}

TEST_F(ToolTest, EveryVerbHasHelpWithExamples) {
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"status"},
                                               {"incident", "list"},
                                               {"runbook", "run"},
                                               {"flush"},
                                               {"fault", "slow"},
                                               {"cache", "create"},
                                               {"credential", "update"},
                                               {"up"}}) {
    std::vector<std::string> words = {"mcguard"};
    words.insert(words.end(), verb.begin(), verb.end());
    words.emplace_back("--help");
    EXPECT_EQ(run_bare(words), kDone);
    EXPECT_NE(out_.find("Examples:"), std::string::npos) << verb[0];
  }
}

}  // namespace
}  // namespace cli
