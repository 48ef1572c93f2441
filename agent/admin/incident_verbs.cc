#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"
#include "agent/incident/json.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

constexpr size_t kListedResolved = 100;

incident::Moment moment(base::Timers& timers) {
  return incident::Moment{timers.clock().now(), timers.clock().wall()};
}

std::string who(const json::object& args) {
  return text_argument(args, "who").value_or("operator");
}

base::Error no_incident(const std::string& id) {
  return base::Error(base::ErrorCode::kNotFound,
                     "no incident '" + id + "'; see `mcguard incident list`");
}

}  // namespace

Operator::Answer Operator::list_incidents(json::object args) {
  const std::string state = text_argument(args, "state").value_or("");
  json::array listed;
  const auto add = [&](const incident::Incident& found) {
    const bool unresolved = found.state != incident::State::kResolved;
    if (state.empty() || state == incident::to_string(found.state) ||
        (state == "unresolved" && unresolved)) {
      listed.push_back(incident::to_json_brief(found));
    }
  };
  for (const incident::Incident* found : parts_.book.unresolved()) add(*found);
  for (const incident::Incident* found : parts_.book.resolved(kListedResolved)) add(*found);
  json::value answer = json::object{{"incidents", std::move(listed)}};
  co_return answer;
}

Operator::Answer Operator::show_incident(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  const incident::Incident* found = parts_.book.find(*id);
  if (found == nullptr) co_return no_incident(*id);
  json::value answer = incident::to_json(*found);
  co_return answer;
}

Operator::Answer Operator::acknowledge_incident(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  auto change = parts_.book.acknowledge(*id, who(args), moment(parts_.timers));
  if (!change) co_return change.error();
  parts_.changed(*change);
  co_return co_await show_incident(std::move(args));
}

Operator::Answer Operator::resolve_incident(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  const std::string why = text_argument(args, "why").value_or("resolved by hand");
  auto change = parts_.book.resolve(*id, who(args), why, moment(parts_.timers));
  if (!change) co_return change.error();
  parts_.changed(*change);
  co_return co_await show_incident(std::move(args));
}

}  // namespace agent::admin
