// The verbs of the tool, by subject. Each function hangs its verbs below `app`.
#pragma once

#include "cli/verbs/context.h"

namespace cli {

void add_read_verbs(CLI::App& app, Context& context);  // status, top, proxy, backend, …
void add_conns_verb(CLI::App& app, Context& context);
void add_sample_verbs(CLI::App& app, Context& context);  // top keys, top clients, slow
void add_replay_verbs(CLI::App& app, Context& context);  // replay, record, rules
void add_incident_verbs(CLI::App& app, Context& context);
void add_runbook_verbs(CLI::App& app, Context& context);  // runbook, run, flush
void add_runbook_file_verbs(CLI::App& runbook,
                            Context& context);  // runbook lint, actions, page, schema
void add_pause_verbs(CLI::App& app, Context& context);
void add_tenant_verbs(CLI::App& app, Context& context);  // cache, credential
void add_fault_verbs(CLI::App& app, Context& context);
void add_local_verbs(CLI::App& app, Context& context);  // up, down, page, forwarder, completion

void add_bench_verb(CLI::App& app, Context& context);

// The whole command line. Returns the exit status.
int run_tool(int argc, const char* const* argv);

}  // namespace cli
