#include <CLI/CLI.hpp>
#include <memory>

#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

std::string path_of(const std::string& id) {
  return "/api/v1/incidents/" + url_encoded(id);
}

}  // namespace

void add_incident_verbs(CLI::App& app, Context& context) {
  CLI::App* group = add_noun(app, "incident", "what is or was wrong");

  auto state = std::make_shared<std::string>();
  CLI::App* list =
      add_verb(*group, context, "list", "incidents, unresolved ones first",
               {"incident list", "incident list --state unresolved -o json"}, [&context, state] {
                 const std::string query = state->empty() ? "" : "?state=" + url_encoded(*state);
                 return show(context, "/api/v1/incidents" + query,
                             [](const json::value& value, const View& view) {
                               return incidents_view(items_of(value, "incidents"), view);
                             });
               });
  list->add_option("--state", *state, "only those in this state")
      ->check(CLI::IsMember(
          {"unresolved", "suspected", "open", "mitigating", "monitoring", "resolved"}));
  add_read_options(*list, context);

  auto id = std::make_shared<std::string>();
  CLI::App* one = add_verb(
      *group, context, "show", "one incident: evidence and timeline",
      {"incident show inc-20261123-072817-1"}, [&context, id] {
        return show(context, path_of(*id), [](const json::value& value, const View& view) {
          return value.is_object() ? incident_view(value.get_object(), view) : std::string();
        });
      });
  one->add_option("id", *id, "its id")->required();
  add_read_options(*one, context);

  CLI::App* ack = add_verb(*group, context, "ack", "say that a person is looking at it",
                           {"incident ack inc-20261123-072817-1"}, [&context, id] {
                             Act what;
                             what.path = path_of(*id) + "/ack";
                             what.body["who"] = operator_name();
                             return act(context, what, "acknowledged " + *id);
                           });
  ack->add_option("id", *id, "its id")->required();
  add_act_options(*ack, context);

  auto why = std::make_shared<std::string>();
  CLI::App* resolve = add_verb(
      *group, context, "resolve", "close it by hand; it opens again if the trouble is still there",
      {"incident resolve inc-20261123-072817-1 --reason \"switch replaced\""}, [&context, id, why] {
        Act what;
        what.path = path_of(*id) + "/resolve";
        what.body["who"] = operator_name();
        if (!why->empty()) what.body["why"] = *why;
        return act(context, what, "resolved " + *id);
      });
  resolve->add_option("id", *id, "its id")->required();
  resolve->add_option("--reason", *why, "why, for the timeline");
  add_act_options(*resolve, context);
}

}  // namespace cli
