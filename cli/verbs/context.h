// What every verb shares: the options of its command line, where it prints, and how it reports.
//
// Parsing only remembers which verb was asked for (Context::action); main runs it afterwards, so that
// an exception of the parser is never mixed up with a failure of the act.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "base/core/result.h"
#include "cli/client/api.h"
#include "cli/client/endpoint.h"
#include "cli/client/exit_status.h"
#include "cli/verbs/views.h"

namespace CLI {
class App;
}

namespace cli {

// Thread: main. Owner: main; outlives the parser.
struct Context {
  EndpointOptions endpoint;
  std::string output = "table";  // table, json, yaml
  bool dry_run = false;
  std::function<int()> action;
};

// A verb with its help, examples and act. `examples`: lines without "mcguard ".
CLI::App* add_verb(CLI::App& parent, Context& context, const std::string& name,
                   const std::string& help, const std::vector<std::string>& examples,
                   std::function<int()> act);
// A noun: a verb that only holds others.
CLI::App* add_noun(CLI::App& parent, const std::string& name, const std::string& help);

void add_connection_options(CLI::App& verb, Context& context);  // --dir, --url, --token-file
void add_output_option(CLI::App& verb, Context& context);       // -o
void add_read_options(CLI::App& verb, Context& context);        // both of those
void add_act_options(CLI::App& verb, Context& context);         // those and --dry-run

// Prints the error to stderr; the exit status for it.
int report(const base::Error& error);
int print(const std::string& text);

using Render = std::function<std::string(const boost::json::value&, const View&)>;
// GETs `path` and prints it in the format asked for.
int show(const Context& context, const std::string& path, const Render& render);
int print_value(const Context& context, const boost::json::value& value, const Render& render);

struct Act {
  std::string method = "POST";
  std::string path;
  boost::json::object body;
};
// Sends it (or says what it would send) and prints `done` or, as json or yaml, the answer.
int act(const Context& context, const Act& what, const std::string& done);
// The answer itself; for acts whose answer has to be shown.
base::Result<boost::json::value> send(const Context& context, const Act& what);
int say_dry_run(const Context& context, const Act& what);

base::Result<Api> connect(const Context& context);
View current_view();
// Who acts, for the record: the user behind sudo, else the user.
std::string operator_name();

}  // namespace cli
