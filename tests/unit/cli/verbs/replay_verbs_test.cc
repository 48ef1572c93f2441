// replay, record and rules through the whole command line.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/series/recording.h"
#include "base/core/file.h"
#include "cli/verbs/verbs.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

class ReplayVerbsTest : public ::testing::Test {
 protected:
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "mcguard");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = run_tool(static_cast<int>(argv.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = dir_.file(name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // A segment in which a proxy ends after ten seconds.
  std::string segment() {
    agent::series::RecordingEncoder encoder;
    std::string bytes = encoder.begin_segment();
    encoder.add(agent::series::Event(agent::series::Started{}));
    for (int64_t i = 1; i < 20; ++i) {
      const base::Instant at{i * 1'000'000'000};
      encoder.add({{"proxy_exited", "amber", "amber-proxy-1", "", ""}, at, i < 10 ? 0.0 : 1.0, 1});
      encoder.add(agent::series::Event(agent::series::Tick{at}));
    }
    const base::WallTime wall{1'767'571'219'000'000'000};
    return bytes + encoder.take_block(wall, base::Instant{19'000'000'000});
  }

  test::TempDir dir_;
  std::string out_, err_;
};

TEST_F(ReplayVerbsTest, ScoresASeries) {
  const std::string path = write("x.csv", "timestamp,value\n1767571200,1\n1767571260,2\n");
  EXPECT_EQ(run({"replay", path}), kDone);
  EXPECT_TRUE(out_.starts_with("timestamp,value,anomaly_score\n1767571200,1,0.")) << out_;
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"replay", path, "--reason", "-o", "json"}), kDone);
  EXPECT_NE(out_.find("\"reason\":\"none\""), std::string::npos);
}

TEST_F(ReplayVerbsTest, SaysWhatIsWrongAndWhereWithItsStatus) {
  const std::string path = write("x.csv", "timestamp,value\n1767571200,many\n");
  EXPECT_EQ(run({"replay", path}), kUsage);
  EXPECT_EQ(err_, "mcguard: " + path +
                      ":2:12: value \"many\": expected a finite number, or nothing or NaN for a "
                      "missing one\n");
  EXPECT_EQ(run({"replay", path, "--skip-bad"}), kDone);
  EXPECT_NE(err_.find("left out 1 bad rows of 1"), std::string::npos) << err_;
  EXPECT_EQ(run({"replay", dir_.file("none.csv")}), kNotFound);
  EXPECT_EQ(run({"replay", path, "--rule", "magic"}), kUsage);
  EXPECT_EQ(run({"replay", dir_.path()}), kFailed);
}

TEST_F(ReplayVerbsTest, CopiesARecordingAndJudgesIt) {
  write("state/record/000000000001.mcgrec", segment());
  const std::string out = dir_.file("night.mcgrec");
  EXPECT_EQ(run({"record", "--out", out, "--last", "1h", "--dir", dir_.path()}), kDone) << err_;
  EXPECT_EQ(run({"replay", out, "--rules-dir", "rules"}), kDone) << err_;
  EXPECT_TRUE(
      out_.starts_with("timestamp,change,rule,type,scope,sentence\n"
                       "2026-01-05T00:00:10.000Z,began,proxy_dead,proxy_dead,proxy "
                       "amber-proxy-1,"))
      << out_;
  EXPECT_EQ(run({"replay", out, "--rules-dir", "rules", "--rule", "latency_shift"}), kDone);
  EXPECT_EQ(out_, "timestamp,change,rule,type,scope,sentence\n");
  EXPECT_EQ(run({"replay", out, "--rules-dir", "rules", "--rule", "magic"}), kUsage);
  EXPECT_NE(err_.find("proxy_dead"), std::string::npos);
}

TEST_F(ReplayVerbsTest, SaysWhatThereIsAndHowMuchWasLeftOut) {
  agent::series::RecordingEncoder encoder;
  std::string later = encoder.begin_segment();
  encoder.add(agent::series::Event(agent::series::Checkpoint{}));
  encoder.add(agent::series::Event(agent::series::Dropped{1234}));
  encoder.add(agent::series::Event(agent::series::Tick{{5}}));
  later += encoder.take_block({1'767'571'300'000'000'000}, {6});
  write("state/record/000000000001.mcgrec", segment());
  write("state/record/000000000002.mcgrec", later + "torn");
  EXPECT_EQ(run({"record", "--dir", dir_.path()}), kDone) << err_;
  EXPECT_NE(out_.find("segments   2, "), std::string::npos) << out_;
  EXPECT_NE(out_.find("2026-01-05T00:00:19.000Z to 2026-01-05T00:01:40.000Z, "), std::string::npos)
      << out_;
  EXPECT_NE(out_.find("kept       39 events\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("left out   1,234 events: the disk"), std::string::npos) << out_;
  EXPECT_NE(out_.find("damaged    4 B\n"), std::string::npos) << out_;
  EXPECT_EQ(run({"record", "--out", dir_.file("x.mcgrec"), "--dir", dir_.path()}), kDone);
  EXPECT_NE(err_.find("2 segments, "), std::string::npos) << err_;
  EXPECT_NE(err_.find("1,234 events left out"), std::string::npos) << err_;
}

TEST_F(ReplayVerbsTest, SaysWhatToDoWithoutARecording) {
  EXPECT_EQ(run({"record", "--out", "-", "--dir", dir_.path()}), kNotFound);
  EXPECT_NE(err_.find("agent.yaml"), std::string::npos) << err_;
  EXPECT_EQ(run({"record", "--out", "-", "--last", "soon", "--dir", dir_.path()}), kUsage);
}

TEST_F(ReplayVerbsTest, ReadsARecordingWhoseEndIsTorn) {
  const std::string bytes = segment() + segment();
  const std::string path = write("x.mcgrec", bytes.substr(0, bytes.size() - 3));
  EXPECT_EQ(run({"replay", path, "--rules-dir", "rules"}), kDone);
  EXPECT_NE(out_.find("began,proxy_dead"), std::string::npos);
  EXPECT_NE(err_.find("torn or damaged"), std::string::npos) << err_;
  const std::string other = write("y.mcgrec", std::string("mcgrec\0\7", 8) + "later");
  EXPECT_EQ(run({"replay", other, "--rules-dir", "rules"}), kUsage);
  EXPECT_NE(err_.find("got version 7"), std::string::npos) << err_;
}

TEST_F(ReplayVerbsTest, LintsAndTestsRules) {
  EXPECT_EQ(run({"rules", "lint", "rules"}), kDone) << err_;
  EXPECT_EQ(run({"rules", "test", "rules/tests", "--rules-dir", "rules"}), kDone) << out_ << err_;
  EXPECT_NE(out_.find(" 0 failed\n"), std::string::npos);
  const std::string cases = write("cases.yaml", R"(
cases:
  - case: A proxy ends
    series: [{series: "proxy_exited{cluster=amber,proxy=amber-proxy-1}", every: 1s, values: 0 1}]
)");
  EXPECT_EQ(run({"rules", "test", cases, "--rules-dir", "rules"}), kFailed);
  EXPECT_NE(out_.find("FAIL  A proxy ends"), std::string::npos) << out_;
  EXPECT_NE(out_.find("not expected: proxy_dead"), std::string::npos) << out_;
  const std::string broken = write("broken.yaml", "rule: x\ntype: y\ntest: z\n");
  EXPECT_EQ(run({"rules", "lint", broken}), kUsage);
  EXPECT_NE(err_.find("broken.yaml:3:7"), std::string::npos) << err_;
  EXPECT_EQ(run({"rules", "test", broken, "--rules-dir", "rules"}), kUsage);
}

}  // namespace
}  // namespace cli
