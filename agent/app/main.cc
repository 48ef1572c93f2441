#include <signal.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "agent/app/app.h"
#include "agent/config/agent_config.h"
#include "base/telemetry/log.h"
#include "base/time/clock.h"
#include "version.h"

namespace {

int fail(const base::Error& error) {
  std::fprintf(stderr, "%s\n", error.context.c_str());
  return error.code == base::ErrorCode::kInvalid ? 2 : 1;
}

// One descriptor per connection that the agent makes or watches; the soft limit is often 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App flags{"mcguard-agent: watches a region, runs its runbooks, tells people"};
  std::string dir = "/var/lib/mcguard";
  bool check = false;
  bool to_stderr = false;
  flags.add_option("--dir", dir, "the region's directory, which holds agent.yaml");
  flags.add_flag("--check", check, "read agent.yaml, rules, runbooks and policy, then exit");
  flags.add_flag("--log-stderr", to_stderr, "log to stderr instead of log/agent.log");
  flags.set_version_flag("--version", MCGUARD_VERSION);
  try {
    flags.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return flags.exit(e) == 0 ? 0 : 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();

  if (dir.empty()) {
    std::fprintf(stderr, "mcguard-agent: --dir: expected a directory, got ''\n");
    return 2;
  }
  dir = std::filesystem::absolute(dir).lexically_normal().string();
  if (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  auto spec = agent::config::load_agent_config(dir + "/agent.yaml", dir);
  if (!spec) return fail(spec.error());
  if (check) {
    auto checked = agent::app::App::check(*spec);
    return checked ? 0 : fail(checked.error());
  }

  base::log::Options log;
  if (!to_stderr) {
    std::error_code ignored;
    std::filesystem::create_directories(dir + "/log", ignored);
    log.file = dir + "/log/agent.log";
  }
  if (auto logging = base::log::start(log); !logging) return fail(logging.error());

  base::SystemClock clock;
  agent::app::AppOptions options;
  options.dir = dir;
  auto app = agent::app::App::create(std::move(options), *std::move(spec), clock);
  if (!app) {
    base::log::stop();
    return fail(app.error());
  }
  return (*app)->run();
}
