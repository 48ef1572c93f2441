#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

namespace tidy {
namespace {

size_t includes_refused(std::string_view path, const std::string& included) {
  return check_includes(path, "// x\n#include " + included + "\n").size();
}
size_t calls_refused(std::string_view path, const std::string& statement) {
  return check_calls(path, "void f() { " + statement + " }\n").size();
}

TEST(Arrows, GoOneWay) {
  EXPECT_EQ(includes_refused("base/core/x.h", "\"proxy/ring/y.h\""), 1u);
  EXPECT_EQ(includes_refused("base/core/x.h", "\"cli/y.h\""), 1u);
  EXPECT_EQ(includes_refused("agent/app/x.cc", "\"proxy/ring/y.h\""), 1u);
  EXPECT_EQ(includes_refused("proxy/app/x.cc", "\"agent/series/y.h\""), 1u);
  EXPECT_EQ(includes_refused("proxy/frontend/x.cc", "\"proxy/app/y.h\""), 1u);
  EXPECT_EQ(includes_refused("proxy/frontend/x.cc", "\"tests/support/y.h\""), 1u);
  EXPECT_EQ(includes_refused("proxy/app/x.cc", "\"proxy/frontend/y.h\""), 0u);
  EXPECT_EQ(includes_refused("proxy/frontend/x.cc", "\"proxy/route/y.h\""), 0u);
  EXPECT_EQ(includes_refused("proxy/frontend/x.cc", "\"base/net/y.h\""), 0u);
  EXPECT_EQ(includes_refused("cli/x.cc", "\"base/net/y.h\""), 0u);
}

TEST(Arrows, RoomsThatDecideReachNoEdgeAndNoWorld) {
  for (const char* wrong :
       {"\"agent/store/sqlite_store.h\"", "\"agent/collect/y.h\"", "\"base/net/rpc.h\"",
        "\"base/telemetry/log.h\"", "\"base/core/file.h\"", "\"base/core/rng.h\"", "<fstream>",
        "<sys/socket.h>", "<unistd.h>", "<boost/asio/ip/tcp.hpp>"}) {
    EXPECT_EQ(includes_refused("agent/rule/x.cc", wrong), 1u) << wrong;
  }
  for (const char* right :
       {"\"agent/series/y.h\"", "\"agent/store/store.h\"", "\"base/time/clock.h\"",
        "\"base/core/slots.h\"", "\"base/telemetry/segment.h\"", "<boost/asio/awaitable.hpp>",
        "<map>"}) {
    EXPECT_EQ(includes_refused("agent/rule/x.cc", right), 0u) << right;
  }
  EXPECT_EQ(includes_refused("agent/store/x.cc", "<fstream>"), 0u);
}

TEST(Calls, TimeAndChanceHaveOneHome) {
  EXPECT_EQ(calls_refused("proxy/app/x.cc", "auto t = std::chrono::steady_clock::now();"), 1u);
  EXPECT_EQ(calls_refused("tests/unit/x.cc", "auto t = std::chrono::system_clock::now();"), 1u);
  EXPECT_EQ(calls_refused("base/time/clock.cc", "auto t = std::chrono::steady_clock::now();"), 0u);
  EXPECT_EQ(calls_refused("cli/x.cc", "clock_gettime(CLOCK_MONOTONIC, &t);"), 1u);
  EXPECT_EQ(calls_refused("cli/x.cc", "std::random_device d;"), 1u);
  EXPECT_EQ(calls_refused("base/core/rng.cc", "::getrandom(at, size, 0);"), 0u);
  EXPECT_EQ(calls_refused("agent/rule/x.cc", "base::SystemClock clock;"), 1u);
  EXPECT_EQ(calls_refused("agent/app/x.cc", "base::SystemClock clock;"), 0u);
  EXPECT_EQ(calls_refused("cli/x.cc", "t.expires_at(steady_clock::time_point::max());"), 0u);
}

TEST(Calls, NobodySleepsAndNoTestIsDisabled) {
  EXPECT_EQ(calls_refused("tests/unit/x.cc", "std::this_thread::sleep_for(1ms);"), 1u);
  EXPECT_EQ(calls_refused("base/time/clock.cc", "usleep(1);"), 1u);
  EXPECT_EQ(calls_refused("tests/unit/x.cc", "TEST(A, DISABLED_B) {}"), 1u);
  EXPECT_EQ(calls_refused("cli/x.cc", "// sleep_for\n say(\"usleep\");"), 0u);
}

TEST(Calls, DaemonsSpeakThroughTheLogAlone) {
  for (const char* wrong :
       {"std::cerr << error;", "std::fprintf(stderr, \"down\");", "printf(\"x\");",
        "spdlog::error(\"x\");", "::syslog(3, \"x\");", "std::perror(\"x\");",
        "::write(STDERR_FILENO, text, size);", "std::fputs(\"x\", stdout);"}) {
    for (const char* path :
         {"proxy/backend/x.cc", "agent/app/x.cc", "base/net/x.cc", "base/telemetry/segment.cc"}) {
      EXPECT_GE(calls_refused(path, wrong), 1u) << path << ": " << wrong;
    }
    for (const char* path : {"cli/verbs/x.cc", "proxy/app/main.cc", "base/telemetry/log_writer.cc",
                             "tests/bench/x.cc"}) {
      EXPECT_EQ(calls_refused(path, wrong), 0u) << path << ": " << wrong;
    }
  }
  EXPECT_EQ(calls_refused("proxy/backend/x.cc", "base::log::error(\"down\");"), 0u);
  EXPECT_EQ(calls_refused("proxy/backend/x.cc", "std::snprintf(to, size, \"%d\", 1);"), 0u);
}

TEST(Marks, UnfinishedWorkNamesSomebody) {
  const std::string mark =
      "TO"
      "DO";
  EXPECT_EQ(check_marks("x.h", "// a\n// " + mark + ": later\n"),
            Findings{"x.h:2: " + mark + " without a name: write (name): what, when"});
  EXPECT_EQ(check_marks("x.h", "// " + mark + "(): later").size(), 1u);
  EXPECT_EQ(check_marks("x.h", "// " + mark).size(), 1u);
  EXPECT_TRUE(check_marks("x.h", "// " + mark + "(ada): split, by May\n").empty());
  EXPECT_TRUE(check_marks("x.h", "int MAS" + mark + "NT;").empty());
}

}  // namespace
}  // namespace tidy
