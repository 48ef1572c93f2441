#include "cli/page/page_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/manual_time.h"
#include "tests/support/temp_dir.h"

namespace cli {
namespace {

using namespace std::chrono_literals;
using base::net::HttpResponse;

class PageFilesTest : public ::testing::Test {
 protected:
  PageFilesTest() {
    std::filesystem::create_directories(dir_.path() + "/page/api/v2");
    std::filesystem::create_directories(dir_.path() + "/page/incidents");
    put("index.html", "<!--status-begin-->fine<!--status-end-->");
    put("history.html", "history");
    put("style.css", "body{}");
    put("incidents/index.html", "all incidents");
    put("api/v2/status.json", R"({"page":{},"status":{"indicator":"none"}})");
    put("meta.json", "{\"generated_at_ns\":" + std::to_string(clock_.wall().ns) + "}");
    std::ofstream(dir_.file("secret.key")) << "secret";
  }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(dir_.path() + "/page/" + name) << content;
  }
  HttpResponse get(const std::string& path, const std::string& method = "GET") const {
    base::net::HttpRequest request;
    request.method = method;
    request.path = request.target = path;
    return PageFiles(dir_.path() + "/page", clock_).answer(request);
  }
  static std::string header(const HttpResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  test::TempDir dir_;
  test::ManualClock clock_;
};

TEST_F(PageFilesTest, ServesFilesWithTheirTypes) {
  EXPECT_EQ(get("/").body, "<!--status-begin-->fine<!--status-end-->");
  EXPECT_EQ(get("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(get("/style.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/api/v2/status.json").content_type, "application/json; charset=utf-8");
  EXPECT_EQ(get("/incidents/").body, "all incidents");
  EXPECT_EQ(get("/history").body, "history");
}

TEST_F(PageFilesTest, SetsCachingAndCrossOriginHeaders) {
  EXPECT_EQ(header(get("/"), "Cache-Control"), "public, max-age=5");
  EXPECT_EQ(header(get("/"), "Access-Control-Allow-Origin"), "");
  EXPECT_EQ(header(get("/api/v2/status.json"), "Access-Control-Allow-Origin"), "*");
  EXPECT_NE(header(get("/"), "ETag"), "");
  EXPECT_EQ(header(get("/"), "ETag"), header(get("/"), "ETag"));
  EXPECT_NE(header(get("/"), "ETag"), header(get("/style.css"), "ETag"));
}

TEST_F(PageFilesTest, RedirectsAFolderToItsSlash) {
  EXPECT_EQ(get("/incidents").status, 301);
  EXPECT_EQ(header(get("/incidents"), "Location"), "/incidents/");
}

TEST_F(PageFilesTest, NeverLeavesItsFolder) {
  ASSERT_EQ(::symlink("../secret.key", (dir_.path() + "/page/link.txt").c_str()), 0);
  ASSERT_EQ(::symlink("..", (dir_.path() + "/page/up").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir_.path() + "/page/pipe").c_str(), 0600), 0);
  put(".hidden", "x");
  for (const char* path : {"/../secret.key", "/api/../../secret.key", "/link.txt", "/up/secret.key",
                           "/pipe", "/.hidden", "/nothing", "/style.css/x", "//../secret.key"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(PageFilesTest, OnlyAnswersGet) {
  EXPECT_EQ(get("/", "POST").status, 405);
}

TEST_F(PageFilesTest, SaysUnknownWhenItsPublisherIsSilent) {
  clock_.advance(31s);
  EXPECT_EQ(get("/").status, 200);
  EXPECT_EQ(get("/").body.find("fine"), std::string::npos);
  EXPECT_NE(get("/").body.find("Status unknown: no update since"), std::string::npos);
  EXPECT_NE(get("/api/v2/status.json").body.find("\"stale\":true"), std::string::npos);
}

TEST_F(PageFilesTest, SaysUnknownBeforeTheFirstPage) {
  std::filesystem::remove(dir_.path() + "/page/index.html");
  std::filesystem::remove(dir_.path() + "/page/meta.json");
  EXPECT_EQ(get("/").status, 503);
  EXPECT_NE(get("/").body.find("Status unknown: no update yet"), std::string::npos);
}

}  // namespace
}  // namespace cli
