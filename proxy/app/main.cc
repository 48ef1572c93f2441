// mcguard-proxy: serves memcache clients in front of stock memcached.
#include <fcntl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/core/text.h"
#include "base/telemetry/log.h"
#include "proxy/app/app.h"
#include "version.h"

namespace {

constexpr int kFailed = 1;
constexpr int kBadConfig = 2;
constexpr int kNotTakenOver = 3;  // the old process goes on

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

// The descriptor that whoever started us has locked for us.
int inherited_lock() {
  const char* const text = std::getenv("MCGUARD_LOCK_FD");
  const auto number = text == nullptr ? std::nullopt : base::parse_u64(text);
  if (!number || *number > 1024 || ::fcntl(static_cast<int>(*number), F_GETFD) < 0) return -1;
  return static_cast<int>(*number);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App flags("Serves memcache clients in front of memcached.");
  flags.set_version_flag("--version", MCGUARD_VERSION);
  std::string path = "/etc/mcguard/proxy.yaml";
  bool only_check = false;
  flags.add_option("--config", path, "Configuration file")->capture_default_str();
  flags.add_flag("--check", only_check, "Check the configuration file and exit");
  proxy::AppOptions options;
  flags
      .add_option("--take-over", options.take_over,
                  "Take over sockets and clients from the process with this control socket")
      ->type_name("SOCKET");
  try {
    flags.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return flags.exit(wrong) == 0 ? 0 : kBadConfig;
  }

  auto config = proxy::load_config(path);
  if (!config) return complain(config.error(), kBadConfig);
  if (only_check) {
    const auto checked = proxy::App::check(*config);
    return checked ? 0 : complain(checked.error(), kBadConfig);
  }

  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow fails the write, as a full disk does
  raise_descriptor_limit();
  if (const auto logging = base::log::start(config->log); !logging) {
    return complain(logging.error(), kFailed);
  }
  int status = 0;
  {
    options.config_path = path;
    options.lock = inherited_lock();
    const bool takes_over = !options.take_over.empty();
    proxy::App app(std::move(*config), std::move(options));
    if (const auto started = app.start(); started.ok()) {
      app.run();
    } else {
      base::log::error("not_started", {{"error", started.error().context}});
      status = complain(started.error(), takes_over ? kNotTakenOver : kFailed);
    }
  }
  base::log::stop();
  return status;
}
