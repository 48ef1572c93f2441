#include "agent/admin/arguments.h"
#include "agent/admin/operator.h"
#include "base/telemetry/log.h"

namespace agent::admin {
namespace {

namespace json = boost::json;

base::Error wrong(std::string_view name, const std::string& value, std::string_view expected) {
  return base::Error(base::ErrorCode::kInvalid,
                     std::string(name) + ": is \"" + value.substr(0, 100) + "\", expected " +
                         std::string(expected),
                     base::Origin::kClient);
}

base::Result<std::optional<base::WallTime>> time_argument(const json::object& args,
                                                          std::string_view name) {
  const auto text = text_argument(args, name);
  if (!text) return std::optional<base::WallTime>();
  const auto at = base::WallTime::from_rfc3339(*text);
  if (!at) return wrong(name, *text, "a time like 2026-11-23T07:28:17Z");
  return std::optional(*at);
}

// Either `for`, a duration, or `until`, a time.
base::Result<base::Duration> length_of(const json::object& args, base::WallTime from) {
  const auto until = time_argument(args, "until");
  if (!until) return until.error();
  const auto length = text_argument(args, "for");
  if (length.has_value() == until->has_value()) {
    return base::Error(base::ErrorCode::kInvalid,
                       "expected either for, a duration like 2h, or until, a time",
                       base::Origin::kClient);
  }
  if (*until) return base::Duration(**until - from);
  const auto parsed = runbook::parse_duration_argument(*length);
  if (!parsed)
    return wrong("for", *length,
                 "a duration like 30m or 2h, at most 24h; until takes a time 7 days ahead");
  return *parsed;
}

base::Result<runbook::PauseWish> wish_of(const json::object& args, base::WallTime now) {
  auto from = time_argument(args, "from");
  if (!from) return from.error();
  auto length = length_of(args, from->value_or(now));
  if (!length) return length.error();
  runbook::PauseWish wish;
  wish.cluster = text_argument(args, "cluster").value_or("");
  wish.runbook = text_argument(args, "runbook").value_or("");
  wish.reason = text_argument(args, "reason").value_or("");
  wish.owner = "operator:" + text_argument(args, "who").value_or("cli");
  wish.from = *from;
  wish.length = *length;
  return wish;
}

}  // namespace

Operator::Answer Operator::list_pauses(json::object) {
  json::value answer = json::object{{"pauses", parts_.engine.pauses().to_json()}};
  co_return answer;
}

Operator::Answer Operator::add_pause(json::object args) {
  auto wish = wish_of(args, parts_.timers.clock().wall());
  if (!wish) co_return wish.error();
  auto paused = co_await parts_.engine.pause(*std::move(wish));
  if (!paused) co_return paused.error();
  base::log::warn("pause_begins", {{"pause", paused->id}, {"text", runbook::words_of(*paused)}});
  json::object answer = runbook::to_document(*paused);
  answer["in_force"] = parts_.engine.pauses().is_in_force(*paused);
  co_return answer;
}

Operator::Answer Operator::lift_pause(json::object args) {
  auto id = required_text(args, "id");
  if (!id) co_return id.error();
  auto lifted = co_await parts_.engine.lift(*id);
  if (!lifted) co_return lifted.error();
  const std::string who = text_argument(args, "who").value_or("cli");
  base::log::warn("pause_lifted", {{"pause", *id}, {"by", who}});
  json::value answer = json::object{{"lifted", *id}};
  co_return answer;
}

}  // namespace agent::admin
