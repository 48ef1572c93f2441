#include "tests/support/fake_operator_api.h"

#include <algorithm>
#include <boost/json/parse.hpp>

namespace test {

boost::asio::awaitable<base::Result<boost::json::value>> FakeOperatorApi::call(
    std::string verb, boost::json::object args) {
  calls_.push_back({verb, std::move(args)});
  const auto found = answers_.find(verb);
  if (found == answers_.end()) {
    co_return base::Error(base::ErrorCode::kNotFound, "the fake has no answer for " + verb);
  }
  base::Result<boost::json::value> result = found->second;
  co_return result;
}

void FakeOperatorApi::answer(const std::string& verb, boost::json::value value) {
  answers_.insert_or_assign(verb, base::Result<boost::json::value>(std::move(value)));
}

void FakeOperatorApi::fail(const std::string& verb, base::Error error) {
  answers_.insert_or_assign(verb, base::Result<boost::json::value>(std::move(error)));
}

size_t FakeOperatorApi::count(const std::string& verb) const {
  return static_cast<size_t>(std::count_if(calls_.begin(), calls_.end(),
                                           [&](const Call& call) { return call.verb == verb; }));
}

boost::json::value sample_status() {
  return boost::json::parse(R"({
"region":"local","generated_at":"2026-11-23T08:00:00.000Z","gameday":true,
"agent":{"pid":4711,"version":"0.1.0","uptime_seconds":3725.5,"controller":true,"cpu_seconds":37.2,
 "memory_bytes":25165824},
"clusters":[
 {"name":"amber","state":"degraded","epoch":7,"prepared_epoch":8,"open":"127.0.1.1:11213",
  "proxies":[
   {"id":"amber-proxy-1","address":"127.0.1.1","port":11211,"pid":0,"state":"dead","connections":0,
    "requests_per_second":0.0,"p50_seconds":0,"p99_seconds":0,"slow_share":0,"errors_per_second":0,
    "epoch":7,"since":"2026-11-23T07:59:58.000Z"},
   {"id":"amber-proxy-2","address":"127.0.1.2","port":11211,"pid":812,"state":"up",
    "connections":1204,"requests_per_second":48211.5,"p50_seconds":0.00031,"p99_seconds":0.0042,
    "slow_share":0.021,"errors_per_second":0.4,"epoch":7,"since":"2026-11-23T06:00:00.000Z"}],
  "backends":[
   {"id":"amber-backend-1","address":"127.0.1.11","port":11214,"pid":901,"state":"up","weight":1,
    "slots":16384,"items":1250000,"bytes":536870912,"limit_bytes":1073741824,
    "requests_per_second":48000,"p99_seconds":0.0009,"since":"2026-11-23T06:00:00.000Z"},
   {"id":"amber-backend-2","address":"127.0.1.12","port":11214,"pid":902,"state":"ejected",
    "weight":0,"slots":0,"items":0,"bytes":0,"limit_bytes":1073741824,"requests_per_second":0,
    "p99_seconds":0,"since":"2026-11-23T07:58:00.000Z"}]},
 {"name":"birch","state":"healthy","epoch":3,"prepared_epoch":0,
  "proxies":[
   {"id":"birch-proxy-1","address":"127.0.2.1","port":11211,"pid":815,"state":"up","connections":88,
    "requests_per_second":3.5,"p50_seconds":0.00028,"p99_seconds":0.0011,"slow_share":0,
    "errors_per_second":0,"epoch":3,"since":"2026-11-22T06:00:00.000Z"}],
  "backends":[
   {"id":"birch-backend-1","address":"127.0.2.11","port":11214,"pid":905,"state":"up","weight":1,
    "slots":16384,"items":12,"bytes":4096,"limit_bytes":67108864,"requests_per_second":3.5,
    "p99_seconds":0.0008,"since":"2026-11-22T06:00:00.000Z"}]}],
"incidents":[
 {"id":"inc-20261123-075958-1","type":"proxy_dead","title":"Proxy amber-proxy-1 is dead",
  "state":"mitigating","scope":{"cluster":"amber","proxy":"amber-proxy-1","backend":"","client":""},
  "started_at":"2026-11-23T07:59:57.900Z","detected_at":"2026-11-23T07:59:58.100Z",
  "updated_at":"2026-11-23T07:59:58.400Z","resolved_at":null,"confidence":1.0,"acknowledged_by":""},
 {"id":"inc-20261123-070000-1","type":"network_degraded","title":"Slow network in cluster amber",
  "state":"resolved","scope":{"cluster":"amber","proxy":"","backend":"","client":""},
  "started_at":"2026-11-23T07:00:00.000Z","detected_at":"2026-11-23T07:00:04.000Z",
  "updated_at":"2026-11-23T07:12:00.000Z","resolved_at":"2026-11-23T07:12:00.000Z",
  "confidence":0.93,"acknowledged_by":"operator"}],
"runs":[
 {"id":"run-20261123-075958-400-replace-proxy","runbook":"replace-proxy",
  "incident":"inc-20261123-075958-1","state":"awaiting_approval","step":"spawn","steps":4,
  "started_at":"2026-11-23T07:59:58.400Z","finished_at":null,"outcome":"","target":"amber-proxy-1"},
 {"id":"run-20261123-070010-100-flush","runbook":"flush","incident":"","state":"finished",
  "step":"flush","steps":1,"started_at":"2026-11-23T07:00:10.100Z",
  "finished_at":"2026-11-23T07:00:11.300Z","outcome":"completed","target":"amber"}]
})");
}

boost::json::value sample_incident_document() {
  boost::json::value incident = sample_status().at("incidents").at(0);
  boost::json::object& object = incident.as_object();
  object["evidence"] = boost::json::parse(R"([
{"series":"proxy_alive{cluster=amber,proxy=amber-proxy-1}","baseline":1,"observed":0,"unit":""},
{"series":"link_latency{proxy=amber-proxy-1}","baseline":0.0003,"observed":0.0104,"unit":"seconds"}
])");
  object["timeline"] = boost::json::parse(R"([
{"at":"2026-11-23T07:59:58.100Z","kind":"detected","text":"the process of amber-proxy-1 has ended"},
{"at":"2026-11-23T07:59:58.100Z","kind":"opened","text":"certain enough to act"},
{"at":"2026-11-23T07:59:58.400Z","kind":"run","text":"replace-proxy has started"}])");
  object["runs"] = boost::json::parse(R"(["run-20261123-075958-400-replace-proxy"])");
  return incident;
}

boost::json::value sample_run_document() {
  boost::json::value run = sample_status().at("runs").at(0);
  boost::json::object& object = run.as_object();
  object["requester"] = "policy";
  object["message"] = "waits for approval";
  object["steps"] = boost::json::parse(R"([
{"id":"stop","action":"provider.destroy","state":"verified","note":"",
 "started_at":"2026-11-23T07:59:58.410Z","finished_at":"2026-11-23T07:59:58.600Z"},
{"id":"spawn","action":"provider.create","state":"planned","note":"","started_at":null,
 "finished_at":null}])");
  object["plan"] = boost::json::parse(R"({
"targets":{"proxy":{"id":"amber-proxy-1","cluster":"amber"}},
"guards":[{"guard":"healthy_after >= policy.min_healthy","answer":"yes","reason":"2 of 2 would be healthy"},
 {"guard":"budget","answer":"unknown","reason":"no telemetry"}],
"predicted":{"healthy":1,"healthy_after":2}})");
  return run;
}

}  // namespace test
