#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/core/text.h"
#include "cli/forwarder/forwarder_main.h"
#include "cli/page/page_server.h"
#include "cli/region/down.h"
#include "cli/region/up.h"
#include "cli/verbs/completion.h"
#include "cli/verbs/verbs.h"
#include "version.h"

namespace cli {
namespace {

// base + 40 + the number of proxies has to stay below 65536.
constexpr int kMinPortBase = 1024;
constexpr int kMaxPortBase = 65400;

void add_up(CLI::App& app, Context& context) {
  auto options = std::make_shared<UpOptions>();
  auto port_base = std::make_shared<int>(0);
  CLI::App* up =
      add_verb(app, context, "up", "run a whole local region in the foreground; Ctrl-C stops it",
               {"up", "up --dir /tmp/r1 --port-base 21000", "up --dir .gameday --gameday --open"},
               [&context, options, port_base] {
                 options->dir = context.endpoint.dir;
                 if (*port_base != 0) options->port_base = *port_base;
                 return run_up(*options);
               });
  up->add_option("--dir", context.endpoint.dir, "where the region keeps its state (.mcguard)");
  up->add_option("--port-base", *port_base, "move every port: N memcache, N+20 operator API, …")
      ->check(CLI::Range(kMinPortBase, kMaxPortBase));
  up->add_flag("--gameday", options->gameday, "put a fault forwarder on every proxy-backend link");
  up->add_flag("--open", options->open, "add a listener per cluster that needs no password");
  up->add_option("--policy", options->policy, "which incident calls which runbook, and how");
  up->add_option("--rules-dir", options->rules_dir, "detection rules");
  up->add_option("--runbooks-dir", options->runbooks_dir, "runbooks");
  up->add_option("--proxy-binary", options->proxy_binary, "the mcguard-proxy to run");
  up->add_option("--agent-binary", options->agent_binary, "the mcguard-agent to run");
}

void add_page(CLI::App& app, Context& context) {
  CLI::App* page = add_noun(app, "page", "the status page");
  auto port = std::make_shared<uint16_t>(0);
  auto address = std::make_shared<std::string>("127.0.0.1");
  CLI::App* serve = add_verb(
      *page, context, "serve", "serve the status page's files, and say so when they grow old",
      {"page serve --dir .mcguard", "page serve --dir .mcguard --port 8080 --address 0.0.0.0"},
      [&context, port, address] {
        return run_page_server(context.endpoint.dir,
                               *port == 0 ? std::nullopt : std::optional<uint16_t>(*port),
                               *address);
      });
  serve->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
  serve->add_option("--port", *port, "default: ports.status of agent.yaml, else 7481")
      ->check(CLI::Range(1, 65535));
  serve->add_option("--address", *address, "where to listen");
}

void add_forwarder(CLI::App& app, Context& context) {
  struct Options {
    std::string socket;
    uint64_t seed = 1;
  };
  auto options = std::make_shared<Options>();
  CLI::App* forwarder = add_verb(
      app, context, "forwarder", "the fault forwarder of a game-day region (started by its agent)",
      {"forwarder --socket run/forwarder.sock"},
      [options] { return run_forwarder(options->socket, options->seed); });
  forwarder->add_option("--socket", options->socket, "Unix socket to be controlled on")->required();
  forwarder->add_option("--seed", options->seed, "of its draws; the same seed draws the same");
}

// Where the agent is may be said before the verb and before a noun's verb too.
void accept_before_the_verb(CLI::App& app, Context& context) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  if (verbs.empty()) return;
  if (app.get_option_no_throw("--dir") == nullptr) add_connection_options(app, context);
  for (CLI::App* verb : verbs) accept_before_the_verb(*verb, context);
}

// The first word that is no verb, when what comes before it is well-formed.
std::string first_unknown(int argc, const char* const* argv, const CLI::App& app) {
  int at = 1;
  while (at < argc && argv[at][0] == '-') {
    const std::string word = argv[at];
    const std::string name = word.substr(0, word.find('='));
    if (name == "-h" || name == "--help" || app.get_option_no_throw(name) == nullptr) return {};
    at += name == word ? 2 : 1;
  }
  if (at >= argc) return {};
  const std::string word = argv[at];
  const auto named =
      app.get_subcommands([&](const CLI::App* verb) { return verb->check_name(word); });
  return named.empty() ? word : "";
}

}  // namespace

void add_local_verbs(CLI::App& app, Context& context) {
  add_up(app, context);
  CLI::App* down =
      add_verb(app, context, "down", "stop a region from elsewhere", {"down", "down --dir /tmp/r1"},
               [&context] { return run_down(context.endpoint.dir); });
  down->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
  add_page(app, context);
  add_forwarder(app, context);
  add_bench_verb(app, context);

  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      add_verb(app, context, "completion", "print a completion script for a shell",
               {"completion bash > /etc/bash_completion.d/mcguard",
                "completion fish > ~/.config/fish/completions/mcguard.fish"},
               [&app, shell] { return print(completion_script(*shell, completion_nodes(app))); });
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

int run_tool(int argc, const char* const* argv) {
  Context context;
  CLI::App app{"mcguard: runs memcache clusters and keeps them standing"};
  app.name("mcguard");
  app.set_version_flag("--version", MCGUARD_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done, 1 failed, 2 usage, 3 refused by a guard, 4 not found, "
      "5 unreachable.\nStart with: mcguard up; mcguard status; mcguard top");
  add_local_verbs(app, context);
  add_read_verbs(app, context);
  add_sample_verbs(app, context);
  add_replay_verbs(app, context);
  add_incident_verbs(app, context);
  add_pause_verbs(app, context);
  add_runbook_verbs(app, context);
  add_tenant_verbs(app, context);
  add_fault_verbs(app, context);
  accept_before_the_verb(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    const std::string unknown = first_unknown(argc, argv, app);
    if (problem.get_exit_code() != 0 && !unknown.empty()) {
      std::fprintf(stderr, "mcguard: no command \"%s\"; see mcguard --help\n",
                   base::printable(unknown, 60).c_str());
      return kUsage;
    }
    return app.exit(problem) == 0 ? kDone : kUsage;
  }
  if (context.endpoint.dir.empty()) {
    std::fprintf(stderr, "mcguard: --dir: expected a directory, got \"\"\n");
    return kUsage;
  }
  return context.action ? context.action() : kUsage;
}

}  // namespace cli
