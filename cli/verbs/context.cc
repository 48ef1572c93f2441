#include "cli/verbs/context.h"

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>

#include "cli/output/yaml_text.h"

namespace cli {

namespace json = boost::json;

CLI::App* add_verb(CLI::App& parent, Context& context, const std::string& name,
                   const std::string& help, const std::vector<std::string>& examples,
                   std::function<int()> act) {
  CLI::App* verb = parent.add_subcommand(name, help);
  std::string footer = "Examples:";
  for (const std::string& example : examples) footer += "\n  mcguard " + example;
  if (!examples.empty()) verb->footer(footer);
  // A verb's callback runs after those of the verbs below it.
  verb->callback([&context, verb, act = std::move(act)] {
    if (verb->get_subcommands().empty()) context.action = act;
  });
  return verb;
}

CLI::App* add_noun(CLI::App& parent, const std::string& name, const std::string& help) {
  CLI::App* noun = parent.add_subcommand(name, help);
  noun->require_subcommand(1);
  return noun;
}

void add_connection_options(CLI::App& verb, Context& context) {
  verb.add_option("--dir", context.endpoint.dir, "the region's directory (default .mcguard)")
      ->group("Connection");
  verb.add_option("--url", context.endpoint.url, "the agent's URL, instead of --dir")
      ->group("Connection");
  verb.add_option("--token-file", context.endpoint.token_file,
                  "file with the operator's token (default: operator.token in --dir)")
      ->group("Connection");
}

void add_output_option(CLI::App& verb, Context& context) {
  verb.add_option("-o,--output", context.output, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
}

void add_read_options(CLI::App& verb, Context& context) {
  add_output_option(verb, context);
  add_connection_options(verb, context);
}

void add_act_options(CLI::App& verb, Context& context) {
  verb.add_flag("--dry-run", context.dry_run, "say what would be done, and do nothing");
  add_read_options(verb, context);
}

int report(const base::Error& error) {
  std::fprintf(stderr, "mcguard: %s\n", error.context.c_str());
  return exit_status_of(error);
}

int print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return written && std::fflush(stdout) == 0 ? kDone : kFailed;
}

base::Result<Api> connect(const Context& context) {
  auto endpoint = find_endpoint(context.endpoint);
  if (!endpoint) return endpoint.error();
  return Api(std::move(*endpoint));
}

View current_view() {
  return {Terminal::of_stdout(), base::SystemClock().wall()};
}

std::string operator_name() {
  for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"}) {
    const char* name = std::getenv(variable);
    if (name != nullptr && *name != '\0') return name;
  }
  return "cli";
}

int print_value(const Context& context, const json::value& value, const Render& render) {
  if (context.output == "json") return print(to_json_text(value));
  if (context.output == "yaml") return print(to_yaml_text(value));
  return print(render(value, current_view()));
}

int show(const Context& context, const std::string& path, const Render& render) {
  const auto api = connect(context);
  if (!api) return report(api.error());
  const auto value = api->get(path);
  if (!value) return report(value.error());
  return print_value(context, *value, render);
}

base::Result<json::value> send(const Context& context, const Act& what) {
  const auto api = connect(context);
  if (!api) return api.error();
  return api->send(what.method, what.path, what.body);
}

int say_dry_run(const Context& context, const Act& what) {
  json::object request;
  request["method"] = what.method;
  request["path"] = what.path;
  request["body"] = what.body;
  return print_value(context, request, [&](const json::value&, const View&) {
    return "dry run, nothing was done: " + what.method + " " + what.path + " " +
           json::serialize(what.body) + "\n";
  });
}

int act(const Context& context, const Act& what, const std::string& done) {
  if (context.dry_run) return say_dry_run(context, what);
  const auto answer = send(context, what);
  if (!answer) return report(answer.error());
  return print_value(context, *answer,
                     [&](const json::value&, const View&) { return done + "\n"; });
}

}  // namespace cli
