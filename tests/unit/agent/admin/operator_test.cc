#include "tests/unit/agent/admin/operator_bench.h"

namespace agent::admin {
namespace {

using base::ErrorCode;

TEST(Operator, NamesWhatDoesNotExist) {
  OperatorBench bench;
  EXPECT_EQ(bench.code("no.such.verb"), ErrorCode::kNotFound);
  for (const char* verb : {"incidents.show", "incidents.ack", "incidents.resolve", "runs.show",
                           "runs.approve", "runs.abort"}) {
    EXPECT_EQ(bench.code(verb, R"({"id":"nobody"})"), ErrorCode::kNotFound) << verb;
    EXPECT_EQ(bench.code(verb), ErrorCode::kInvalid) << verb;
  }
  for (const char* verb : {"caches.show", "caches.delete", "caches.flush"}) {
    EXPECT_EQ(bench.code(verb, R"({"id":4000})"), ErrorCode::kNotFound) << verb;
    EXPECT_EQ(bench.code(verb, R"({"id":"x"})"), ErrorCode::kInvalid) << verb;
  }
  EXPECT_EQ(bench.code("runbooks.show", R"({"name":"x"})"), ErrorCode::kNotFound);
  EXPECT_EQ(bench.code("credentials.delete", R"({"user":"x"})"), ErrorCode::kNotFound);
}

TEST(Operator, RefusesWrongTypesAndUnknownIncidentsOfARun) {
  OperatorBench bench;
  EXPECT_EQ(bench.code("runbooks.run", R"({"name":"replace-proxy","params":"proxy"})"),
            ErrorCode::kInvalid);
  EXPECT_EQ(bench.code("runbooks.run",
                       R"({"name":"replace-proxy","params":{"proxy":"amber-proxy-1"},
                           "incident":"inc-nobody"})"),
            ErrorCode::kNotFound);
  EXPECT_EQ(bench.code("conns", R"({"by":"colour"})"), ErrorCode::kInvalid);
  EXPECT_TRUE(bench.world.calls.empty());
}

TEST(Operator, TakesAlertsAndListsThem) {
  OperatorBench bench;
  EXPECT_EQ(bench.code("alerts.receive"), ErrorCode::kInvalid);
  const auto taken = bench.call("alerts.receive", R"({"version":"4","alerts":[{"status":"firing",
      "labels":{"alertname":"Slow","proxy":"amber-proxy-1"},"annotations":{"summary":"It is slow"},
      "startsAt":"2026-11-23T07:28:17Z","fingerprint":"ab12"}]})");
  ASSERT_TRUE(taken.ok()) << taken.error().context;
  EXPECT_EQ(boost::json::serialize(*taken), R"({"firing":1,"resolved":0})");
  const incident::Moment at{bench.clock.now(), bench.clock.wall()};
  (void)bench.book.apply(bench.alerts.verdicts(at.now), at);
  const auto listed = bench.call("alerts.list");
  const auto& alert = listed->at("alerts").at(0);
  EXPECT_EQ(alert.at("fingerprint"), "ab12");
  EXPECT_EQ(alert.at("scope").at("cluster"), "amber");
  EXPECT_EQ(alert.at("incident"), bench.book.unresolved().at(0)->id.c_str());
}

TEST(Operator, NamesEveryProxyAsATargetOfPrometheus) {
  OperatorBench bench;
  const auto targets = bench.call("prometheus.targets");
  ASSERT_TRUE(targets.ok());
  size_t proxies = 0;
  for (const auto& cluster : bench.region.spec().clusters) proxies += cluster.proxies.size();
  ASSERT_EQ(targets->as_array().size(), proxies);
  const auto& first = targets->as_array()[0].as_object();
  const auto& cluster = bench.region.spec().clusters[0];
  EXPECT_EQ(first.at("targets").at(0),
            host_port(cluster.proxies[0].address, cluster.ports.metrics).c_str());
  EXPECT_EQ(first.at("labels").at("cluster"), cluster.name.c_str());
  EXPECT_EQ(first.at("labels").at("proxy"), cluster.proxies[0].id.c_str());
}

TEST(Operator, RunsExactlyThePlanThatWasShown) {
  OperatorBench bench;
  EXPECT_EQ(bench.code("runbooks.run",
                       R"({"name":"flush","params":{"target":"cache/12","reason":"r"},
                           "hash":"another"})"),
            ErrorCode::kConflict);
  const auto run =
      bench.call("runbooks.run", R"({"name":"flush","params":{"target":"cache/12","reason":"r"}})");
  ASSERT_TRUE(run.ok()) << run.error().context;
  bench.timers.run_for(std::chrono::seconds(2));
  EXPECT_EQ(bench.world.happened("cache.flush"), 1);
}

TEST(Operator, TakesFaultsOnlyOnGameDays) {
  OperatorBench bench;
  EXPECT_EQ(bench.code("faults.set", R"({"kind":"kill","target":"amber-proxy-1"})"),
            ErrorCode::kRefused);
  EXPECT_EQ(bench.code("faults.clear"), ErrorCode::kRefused);
  EXPECT_TRUE(bench.call("faults.list").ok());
}

TEST(Operator, ChecksFaultsBeforeAnythingIsDisturbed) {
  OperatorBench bench(true);
  for (const char* wrong :
       {R"({"kind":"melt"})", R"({"kind":"slow"})",
        R"({"kind":"slow","cluster":"amber","share":2})",
        R"({"kind":"slow","cluster":"amber","delay_min_ms":9,"delay_max_ms":5})", "{}"}) {
    EXPECT_EQ(bench.code("faults.set", wrong), ErrorCode::kInvalid) << wrong;
  }
  for (const char* nobody :
       {R"({"kind":"kill","target":"x"})", R"({"kind":"slow","cluster":"x"})",
        R"({"kind":"drop","proxy":"x"})", R"({"kind":"stall","backend":"x"})"}) {
    EXPECT_EQ(bench.code("faults.set", nobody), ErrorCode::kNotFound) << nobody;
  }
}

TEST(Operator, ShowsAPasswordOnceAndNeverInLists) {
  OperatorBench bench;
  const auto made = bench.call("caches.create", R"({"label":"shop","cluster":"amber"})");
  ASSERT_TRUE(made.ok()) << made.error().context;
  const auto& credential = made->as_object().at("credential").as_object();
  const std::string password(credential.at("password").as_string());
  EXPECT_GE(password.size(), 16u);
  for (const char* verb : {"caches.list", "credentials.list", "status"}) {
    const std::string shown = boost::json::serialize(bench.call(verb).value());
    EXPECT_EQ(shown.find(password), std::string::npos) << verb;
    for (const char* secret : {"password", "verifier", "sealed", "salt"}) {
      EXPECT_EQ(shown.find(secret), std::string::npos) << verb << " " << secret;
    }
  }
}

TEST(Operator, ShowsWhatAllProxiesOfItsClusterKnowOfACache) {
  OperatorBench bench;
  const auto created = bench.call("caches.create", R"({"label":"shop","cluster":"amber"})");
  ASSERT_TRUE(created.ok()) << created.error().context;
  const std::string id =
      R"({"id":)" + boost::json::serialize(bench.call("caches.list")->at("caches").at(0).at("id")) +
      "}";
  bench.proxies.at("amber-proxy-1").usage = boost::json::parse(
      R"({"generation":1,"connections":2,"evictions":0,"expired":0,"every":64,"items":[64,10,128,10]})");
  bench.proxies.at("amber-proxy-2").usage = boost::json::parse(
      R"({"generation":1,"connections":1,"evictions":0,"expired":0,"every":64,"items":[128,10,192,10]})");
  auto usage = bench.call("caches.show", id.c_str())->at("usage");
  EXPECT_EQ(usage.at("items").to_number<int>(), 3 * 64);
  EXPECT_EQ(usage.at("bytes").to_number<int>(), 3 * 640);
  EXPECT_EQ(usage.at("connections").to_number<int>(), 3);
  EXPECT_EQ(usage.at("proxies").to_number<int>(), 2);
  bench.proxies.at("amber-proxy-2").absent = true;
  usage = bench.call("caches.show", id.c_str())->at("usage");
  EXPECT_EQ(usage.at("items").to_number<int>(), 2 * 64);
  EXPECT_EQ(usage.at("proxies").to_number<int>(), 1);
}

TEST(Operator, HidesTheCanarysOwnCaches) {
  OperatorBench bench;
  const coord::Tenants& tenants = bench.coordinator.tenants();
  const coord::Cache* canary = tenants.canary_cache("amber");
  ASSERT_NE(canary, nullptr);
  const std::string user = tenants.primary_credential(canary->id)->user;
  const std::string id = R"({"id":)" + std::to_string(canary->id) + "}";
  const std::string cache = R"({"cache":)" + std::to_string(canary->id) + "}";
  for (const char* verb : {"caches.show", "caches.delete", "caches.flush"}) {
    EXPECT_EQ(bench.code(verb, id.c_str()), ErrorCode::kNotFound) << verb;
  }
  EXPECT_EQ(bench.code("credentials.create", cache.c_str()), ErrorCode::kNotFound);
  const std::string update = R"({"user":")" + user + R"(","write":false})";
  EXPECT_EQ(bench.code("credentials.update", update.c_str()), ErrorCode::kNotFound);
  EXPECT_EQ(boost::json::serialize(bench.call("credentials.list").value()).find(user),
            std::string::npos);
}

TEST(Operator, AcknowledgesAndResolvesIncidentsOnce) {
  OperatorBench bench;
  const std::string id = bench.open_incident();
  const std::string args = R"({"id":")" + id + R"(","who":"ann"})";
  ASSERT_TRUE(bench.call("incidents.ack", args.c_str()).ok());
  ASSERT_TRUE(bench.call("incidents.resolve", args.c_str()).ok());
  EXPECT_EQ(bench.told, 2);
  EXPECT_EQ(bench.code("incidents.resolve", args.c_str()), ErrorCode::kConflict);
  EXPECT_EQ(bench.call("incidents.list", R"({"state":"unresolved"})")
                ->as_object()
                .at("incidents")
                .as_array()
                .size(),
            0u);
}

TEST(Operator, PausesAndLifts) {
  OperatorBench bench;
  const auto paused = bench.call(
      "pauses.add", R"({"cluster":"amber","for":"2h","reason":"changing the switch","who":"ann"})");
  ASSERT_TRUE(paused.ok()) << paused.error().context;
  EXPECT_EQ(paused->at("owner"), "operator:ann");
  EXPECT_EQ(paused->at("in_force"), true);
  const auto plan =
      bench.call("runbooks.plan", R"({"name":"replace-proxy","params":{"proxy":"amber-proxy-1"}})");
  ASSERT_TRUE(plan.ok());
  EXPECT_NE(plan->at("paused").as_string().find("by operator:ann (changing the switch)"),
            std::string::npos);
  EXPECT_EQ(bench.call("pauses.list")->at("pauses").as_array().size(), 1u);
  EXPECT_EQ(bench.call("status")->at("pauses").at(0).at("cluster"), "amber");
  const std::string id(paused->at("id").as_string());
  ASSERT_TRUE(bench.call("pauses.lift", R"({"id":")" + id + R"("})").ok());
  EXPECT_EQ(bench.code("pauses.lift", R"({"id":")" + id + R"("})"), ErrorCode::kNotFound);
  EXPECT_TRUE(bench.call("pauses.list")->at("pauses").as_array().empty());
}

TEST(Operator, SaysWhatIsWrongWithAPause) {
  OperatorBench bench;
  const auto problem = [&](const std::string& args) {
    const auto answer = bench.call("pauses.add", args);
    return answer.ok() ? std::string("taken") : answer.error().context;
  };
  EXPECT_EQ(problem(R"({"reason":"x"})"),
            "expected either for, a duration like 2h, or until, a time");
  EXPECT_EQ(problem(R"({"reason":"x","for":"2h","until":"2026-01-01T03:00:00Z"})"),
            "expected either for, a duration like 2h, or until, a time");
  EXPECT_EQ(problem(R"({"reason":"x","for":"soon"})"),
            "for: is \"soon\", expected a duration like 30m or 2h, at most 24h; until takes a time "
            "7 days ahead");
  EXPECT_EQ(problem(R"({"reason":"x","until":"tomorrow"})"),
            "until: is \"tomorrow\", expected a time like 2026-11-23T07:28:17Z");
  EXPECT_EQ(problem(R"({"reason":"x","until":"2026-01-01T03:00:00Z"})"), "taken");
}

TEST(Operator, StopsTheRegionWhenAsked) {
  OperatorBench bench;
  EXPECT_TRUE(bench.call("region.stop").ok());
  EXPECT_EQ(bench.stops, 1);
}

TEST(Operator, TellsStatusWhenItHasChangedToOneWhoWaits) {
  OperatorBench bench;
  const auto first = bench.call("status", R"({"seen": 0})");
  ASSERT_TRUE(first.ok());
  const uint64_t seen = first->at("changes").to_number<uint64_t>();
  EXPECT_FALSE(bench.call("status", "{}")->as_object().contains("changes")) << "nobody asked";
  boost::json::object args;
  args["seen"] = seen;
  args["wait_ms"] = 5000;
  const base::Instant began = bench.clock.now();
  std::optional<base::Result<boost::json::value>> answer;
  const auto ask = [&] {
    answer.reset();
    boost::asio::co_spawn(bench.io, bench.admin.call("status", args),
                          [&](std::exception_ptr, base::Result<boost::json::value> told) {
                            answer = std::move(told);
                          });
  };
  ask();
  bench.timers.run_for(std::chrono::milliseconds(1000));
  EXPECT_FALSE(answer.has_value());
  bench.admin.note_change();
  bench.timers.run_for(std::chrono::milliseconds(200));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)->at("changes").to_number<uint64_t>(), seen + 1);
  args["seen"] = seen + 1;
  ask();
  bench.timers.run_for(std::chrono::milliseconds(4900));
  EXPECT_FALSE(answer.has_value());
  bench.timers.run_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(answer.has_value()) << "nothing has changed, and that is told too";
  EXPECT_GT(bench.clock.now() - began, std::chrono::seconds(6));
  EXPECT_EQ(bench.call("status", R"({"seen": "x"})").code(), base::ErrorCode::kInvalid);
}

TEST(Operator, LetsFewWaitForAChangeOfTheStatusAndNotLong) {
  OperatorBench bench;
  boost::json::object args;
  args["seen"] = bench.admin.change_count();
  args["wait_ms"] = 60'000;
  size_t answered = 0;
  const auto ask = [&] {
    boost::asio::co_spawn(bench.io, bench.admin.call("status", args),
                          [&](std::exception_ptr, base::Result<boost::json::value> told) {
                            EXPECT_TRUE(told.ok());
                            ++answered;
                          });
  };
  for (int i = 0; i < 20; ++i) ask();
  bench.timers.run_for(std::chrono::milliseconds(9900));
  EXPECT_EQ(answered, 4u) << "at once";
  bench.timers.run_for(std::chrono::milliseconds(200));
  EXPECT_EQ(answered, 20u);
  ask();
  bench.timers.run_for(std::chrono::milliseconds(5000));
  EXPECT_EQ(answered, 20u) << "there is room again";
  bench.admin.note_change();
  bench.timers.run_for(std::chrono::milliseconds(200));
  EXPECT_EQ(answered, 21u);
}

}  // namespace
}  // namespace agent::admin
