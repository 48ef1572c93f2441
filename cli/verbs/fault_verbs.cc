#include <CLI/CLI.hpp>
#include <memory>

#include "cli/verbs/requests.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr const char* kPath = "/api/v1/faults";

void add_process_fault(CLI::App& group, Context& context, const std::string& kind,
                       const std::string& help, const std::string& done) {
  auto target = std::make_shared<std::string>();
  CLI::App* verb = add_verb(group, context, kind, help, {"fault " + kind + " amber-proxy-1"},
                            [&context, kind, done, target] {
                              Act what;
                              what.path = kPath;
                              what.body["kind"] = kind;
                              what.body["target"] = *target;
                              return act(context, what, done + " " + *target);
                            });
  verb->add_option("target", *target, "id of a proxy or backend")->required();
  add_act_options(*verb, context);
}

void add_link_fault(CLI::App& group, Context& context, const std::string& kind,
                    const std::string& help, const std::string& example) {
  auto fault = std::make_shared<LinkFault>();
  fault->kind = kind;
  CLI::App* verb = add_verb(
      group, context, kind, help, {"fault " + kind + " " + example}, [&context, kind, fault] {
        auto body = fault_body(*fault);
        if (!body) return report(body.error());
        Act what;
        what.path = kPath;
        what.body = std::move(*body);
        return act(context, what, kind + " is set; end it with mcguard fault clear");
      });
  verb->add_option("--cluster", fault->cluster, "links of this cluster");
  verb->add_option("--proxy", fault->proxy, "links of this proxy");
  verb->add_option("--backend", fault->backend, "links to this backend");
  verb->add_option("--id", fault->id, "a name for the fault, to clear it by");
  if (kind != "stall") {
    verb->add_option("--share", fault->share, "share of what passes, like 15% (default)");
  }
  if (kind == "slow") {
    verb->add_option("--delay", fault->delay, "a time or range, like 5ms..15ms (default)");
  }
  add_act_options(*verb, context);
}

}  // namespace

void add_fault_verbs(CLI::App& app, Context& context) {
  CLI::App* group =
      add_noun(app, "fault", "faults for game days; only in a region started with --gameday");
  add_process_fault(*group, context, "kill", "kill -9 a proxy or backend", "killed");
  add_process_fault(*group, context, "stop", "freeze a proxy or backend (SIGSTOP)", "stopped");
  add_process_fault(*group, context, "cont", "let a frozen one go on (SIGCONT)", "continued");
  add_link_fault(*group, context, "slow", "delay a share of requests on proxy-backend links",
                 "--cluster amber --share 15% --delay 5ms..15ms");
  add_link_fault(*group, context, "drop",
                 "lose a share of packets: they arrive 200 to 400 ms late, as retransmissions do",
                 "--cluster amber --proxy amber-proxy-1 --share 2%");
  add_link_fault(*group, context, "stall", "let nothing pass", "--backend amber-backend-1");

  auto id = std::make_shared<std::string>();
  CLI::App* clear =
      add_verb(*group, context, "clear", "end one fault, or all",
               {"fault clear", "fault clear slow-amber"}, [&context, id] {
                 Act what;
                 what.method = "DELETE";
                 what.path = kPath;
                 if (!id->empty()) what.body["id"] = *id;
                 return act(context, what, id->empty() ? "cleared all faults" : "cleared " + *id);
               });
  clear->add_option("id", *id, "its name; without it all");
  add_act_options(*clear, context);

  CLI::App* list =
      add_verb(*group, context, "list", "the faults that are set", {"fault list"}, [&context] {
        return show(context, kPath, [](const json::value& value, const View& view) {
          return faults_view(items_of(value, "faults"), view);
        });
      });
  add_read_options(*list, context);
}

}  // namespace cli
