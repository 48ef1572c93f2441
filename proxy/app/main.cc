// mcguard-proxy: serves memcache clients in front of stock memcached.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "base/telemetry/log.h"
#include "proxy/app/app.h"
#include "version.h"

namespace {

constexpr int kFailed = 1;
constexpr int kBadConfig = 2;

int complain(const base::Error& error, int status) {
  std::fprintf(stderr, "mcguard-proxy: %s\n", error.context.c_str());
  return status;
}

// Each connection is a descriptor; the soft limit is often 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App flags("Serves memcache clients in front of memcached.");
  flags.set_version_flag("--version", MCGUARD_VERSION);
  std::string path = "/etc/mcguard/proxy.yaml";
  bool only_check = false;
  flags.add_option("--config", path, "Configuration file")->capture_default_str();
  flags.add_flag("--check", only_check, "Check the configuration file and exit");
  try {
    flags.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return flags.exit(wrong) == 0 ? 0 : kBadConfig;
  }

  auto config = proxy::load_config(path);
  if (!config) return complain(config.error(), kBadConfig);
  if (only_check) return 0;

  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  if (const auto logging = base::log::start(config->log); !logging) {
    return complain(logging.error(), kFailed);
  }
  int status = 0;
  {
    proxy::App app(std::move(*config), path);
    if (const auto started = app.start(); started.ok()) {
      app.run();
    } else {
      base::log::error("not_started", {{"error", started.error().context}});
      status = complain(started.error(), kFailed);
    }
  }
  base::log::stop();
  return status;
}
