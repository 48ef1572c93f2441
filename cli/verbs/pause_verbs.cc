#include <CLI/CLI.hpp>
#include <memory>

#include "cli/verbs/run_views.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr const char* kPath = "/api/v1/pauses";

struct Wish {
  std::string cluster, runbook, reason, from, length, until;
};

Act act_of(const Wish& wish) {
  Act what;
  what.path = kPath;
  const auto add = [&what](const char* key, const std::string& value) {
    if (!value.empty()) what.body[key] = value;
  };
  add("cluster", wish.cluster);
  add("runbook", wish.runbook);
  add("reason", wish.reason);
  add("from", wish.from);
  add("for", wish.length);
  add("until", wish.until);
  what.body["who"] = operator_name();
  return what;
}

std::string pause_line(const json::value& value, const View& view) {
  json::array one;
  one.push_back(value);
  return pauses_view(one, view);
}

void add_addition(CLI::App& group, Context& context) {
  auto wish = std::make_shared<Wish>();
  CLI::App* add = add_verb(
      group, context, "add", "for a while, policy starts no runbook by itself",
      {"pause add --cluster amber --for 2h --reason \"changing the switch\"",
       "pause add --from 2026-12-01T02:00:00Z --until 2026-12-01T05:00:00Z --reason \"kernel "
       "upgrade\"",
       "pause add --runbook replace-proxy --for 30m --reason \"looking at a core dump\""},
      [&context, wish] {
        if (wish->length.empty() && wish->until.empty()) wish->length = "1h";
        const Act what = act_of(*wish);
        if (context.dry_run) return say_dry_run(context, what);
        const auto answer = send(context, what);
        return answer ? print_value(context, *answer, pause_line) : report(answer.error());
      });
  add->add_option("--reason", wish->reason, "why, for whoever finds it")->required();
  auto* length = add->add_option("--for", wish->length, "how long, at most 24h (default: 1h)");
  add->add_option("--until", wish->until, "its end, at most 7 days after its beginning")
      ->excludes(length);
  add->add_option("--from", wish->from, "its beginning (default: now), for maintenance to come");
  add->add_option("--cluster", wish->cluster, "only there (default: everywhere)");
  add->add_option("--runbook", wish->runbook, "only this one (default: all)");
  add_act_options(*add, context);
}

}  // namespace

void add_pause_verbs(CLI::App& app, Context& context) {
  CLI::App* group = add_noun(app, "pause", "times in which policy starts nothing by itself");
  CLI::App* list =
      add_verb(*group, context, "list", "pauses in force and to come", {"pause list"}, [&context] {
        return show(context, kPath, [](const json::value& value, const View& view) {
          return pauses_view(items_of(value, "pauses"), view);
        });
      });
  add_read_options(*list, context);
  add_addition(*group, context);
  auto id = std::make_shared<std::string>();
  CLI::App* lift = add_verb(*group, context, "lift", "end a pause before its time",
                            {"pause lift pause-20261128-214500-017"}, [&context, id] {
                              Act what;
                              what.path = std::string(kPath) + "/" + url_encoded(*id) + "/lift";
                              what.body["who"] = operator_name();
                              return act(context, what, "lifted " + *id);
                            });
  lift->add_option("pause", *id, "its id")->required();
  add_act_options(*lift, context);
}

}  // namespace cli
