// What Alertmanager sends to the agent's webhook, and what the incident book makes of it. A message is
// received twice, since Alertmanager repeats.
#include <boost/json.hpp>
#include <cstdint>
#include <string_view>

#include "agent/incident/alerts.h"
#include "agent/incident/json.h"
#include "base/core/check.h"

namespace {

using agent::incident::Alerts;

agent::incident::KnownNames region() {
  agent::incident::KnownNames names;
  names.clusters = {"amber"};
  names.proxies = {{"amber-proxy-1", "amber"}};
  names.backends = {{"amber-backend-1", "amber"}};
  return names;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  boost::json::error_code failed;
  const boost::json::value parsed = boost::json::parse(
      boost::json::string_view(reinterpret_cast<const char*>(data), size), failed);
  if (failed || !parsed.is_object()) return 0;
  const auto alerts = agent::incident::parse_alerts(parsed.get_object(), region());
  if (!alerts) return 0;
  Alerts known;
  agent::incident::IncidentBook book{agent::incident::BookPolicy{}};
  base::Instant now{1'000'000'000};
  for (int i = 0; i < 2; ++i) {
    const agent::incident::Moment at{now, base::WallTime{1'795'418'897'000'000'000 + now.ns}};
    static_cast<void>(known.receive(*alerts, at).ok());
    static_cast<void>(book.apply(known.verdicts(now), at));
    now = now + std::chrono::seconds(1);
  }
  CHECK(known.size() <= Alerts::kMost);
  CHECK(book.unresolved().size() <= known.size());
  for (const agent::incident::Incident* incident : book.unresolved()) {
    CHECK(agent::incident::from_json(agent::incident::to_json(*incident)).ok());
  }
  return 0;
}
