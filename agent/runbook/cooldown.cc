#include "agent/runbook/cooldown.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace agent::runbook {

namespace json = boost::json;

CooldownAnswer ask(const Cooldown& rule, const CooldownRecord& record, base::WallTime symptom_since,
                   base::Duration symptom_return, base::WallTime now) {
  CooldownAnswer answer;
  if (rule.key.empty() || record.finished.ns == 0) return answer;
  const bool returned = symptom_since.ns != 0 && record.verified.ns != 0 &&
                        symptom_since <= record.verified + symptom_return;
  answer.level = returned ? record.level + 1 : 0;
  double wait = static_cast<double>(rule.base.count()) * std::pow(rule.factor, answer.level);
  const auto longest = static_cast<double>(rule.max.count());
  if (wait > longest) {
    wait = longest;
    if (rule.on_exhausted == Exhausted::kHandOver) {
      answer.hold = Hold::kCooldownExhausted;
      answer.text = "the symptom keeps returning after verified runs (last: " + record.run +
                    "); the cure does not hold, a person has to look";
      return answer;
    }
  }
  answer.until = record.finished + base::Duration(static_cast<int64_t>(wait));
  if (now < answer.until) {
    answer.hold = Hold::kCooldown;
    answer.text = "cooling down after " + record.run + " until " + answer.until.to_rfc3339();
  }
  return answer;
}

std::string to_document(const CooldownRecord& record) {
  json::object out;
  out["level"] = record.level;
  out["finished"] = record.finished.ns;
  out["verified"] = record.verified.ns;
  out["run"] = record.run;
  return json::serialize(out);
}

base::Result<CooldownRecord> cooldown_from_document(std::string_view text) {
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed);
  const json::object* object = failed ? nullptr : value.if_object();
  const auto number = [&](std::string_view key) -> const int64_t* {
    const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? nullptr : found->if_int64();
  };
  const int64_t* level = number("level");
  const int64_t* finished = number("finished");
  const int64_t* verified = number("verified");
  const json::value* run = object == nullptr ? nullptr : object->if_contains("run");
  if (!level || !finished || !verified || run == nullptr || !run->is_string()) {
    return base::Error(base::ErrorCode::kInvalid, "is not a cooldown's record");
  }
  CooldownRecord record;
  record.level = static_cast<int>(*level);
  record.finished = base::WallTime{*finished};
  record.verified = base::WallTime{*verified};
  record.run = std::string(run->get_string());
  return record;
}

}  // namespace agent::runbook
