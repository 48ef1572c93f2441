#include <gtest/gtest.h>

#include "agent/runbook/reference.h"
#include "tests/unit/agent/runbook/engine_fixture.h"

namespace agent::runbook {
namespace {

constexpr const char* kGood = R"(runbook: sample
params:
  proxy: {type: proxy, required: true}
class: disruptive
locks: [cluster/${proxy.cluster}]
guards: [telemetry_age <= 5s, budget]
steps:
  - id: one
    do: proxy.replace
    with: {proxy: ${proxy}}
  - id: two
    when: ${steps.one.pid} != 0
    do: canary.data_path
    with: {proxy: ${proxy}}
)";

// The problems of kGood with one passage replaced.
std::string problems_with(const std::string& passage, const std::string& replacement) {
  test::FakeWorld world;
  ActionRegistry registry;
  test::add_fake_actions(registry, world);
  test::add_reversible_actions(registry, world);
  std::string text = kGood;
  if (!passage.empty()) {
    const size_t at = text.find(passage);
    EXPECT_NE(at, std::string::npos) << passage;
    text.replace(at, passage.size(), replacement);
  }
  const auto library = Library::build({SourceText("sample.yaml", text)}, registry);
  return library.ok() ? "" : library.error().context;
}

TEST(Loader, TakesAGoodRunbook) {
  EXPECT_EQ(problems_with("", ""), "");
}

TEST(Loader, NamesThePlaceAndWhatWasExpected) {
  struct Case {
    const char* passage;
    const char* replacement;
    const char* expected;
  };
  const Case cases[] = {
      {"do: proxy.replace", "do: proxy.replac",
       "steps.one.do: got \"proxy.replac\", expected an action"},
      {"with: {proxy: ${proxy}}", "with: {proxi: ${proxy}}", "takes no such argument"},
      {"with: {proxy: ${proxy}}", "with: {proxy: ${proxi}}",
       "${proxi}: no such param, expected one of: proxy"},
      {"with: {proxy: ${proxy}}", "with: {proxy: ${proxy.colour}}", "a proxy has no such field"},
      {"with: {proxy: ${proxy}}", "with: {proxy: \"\"}", "an empty selection is never everything"},
      {"with: {proxy: ${proxy}}", "with: {proxy: ${steps.two.x}}", "no earlier step two"},
      {"with: {proxy: ${proxy}}", "with: {proxy: ${item}}", "${item}: no such param"},
      {"class: disruptive", "class: reversible", "expected at least the class of its actions"},
      {"class: disruptive", "class: gentle", "sample.yaml:4:8: class"},
      {"locks: [cluster/${proxy.cluster}]", "locks: []", "locks: is empty"},
      {"locks: [cluster/${proxy.cluster}]", "locks: [c/${steps.one.x}]", "is not known yet"},
      {"guards: [telemetry_age <= 5s, budget]", "guards: []", "guards: is empty"},
      {"budget]", "bugdet]", "bugdet: no such fact"},
      {"telemetry_age <= 5s", "telemetry_age <= 5", "compares a duration with a number"},
      {"telemetry_age <= 5s", "telemetry_age <=", "sample.yaml:6:10: guards[0]"},
      {"when: ${steps.one.pid} != 0", "when: 1 == 2", "never holds: the step is unreachable"},
      {"id: two", "id: one", "there is another step with this id"},
      {"    when:", "    timeout: soon\n    when:", "sample.yaml:12:14: steps[1].timeout"},
      {"    when:", "    tiemout: 5s\n    when:", "did you mean timeout"},
      {"    when:", "    retry: {on: [timeout]}\n    when:",
       "unknown and timeout are never repeated"},
      {"    when:", "    each: ${proxy.state}\n    when:", "the selection would be empty"},
      {"    when:", "    verify: {do: proxy.replace}\n    when:",
       "expected an action that only observes"},
      {"    when:", "    verify: {do: canary.data_path, for: 9s, within: 3s}\n    when:",
       "is longer than within"},
      {"do: proxy.replace\n    with: {proxy: ${proxy}}", "do: thing.make",
       "expected an undo, or point_of_no_return"},
      {"do: proxy.replace\n",
       "do: proxy.replace\n    point_of_no_return: true\n    undo: {do: thing.remove}\n",
       "undo: is unreachable"},
      {"type: proxy", "type: proxie", "expected proxy, backend, cluster, cache"},
      {"params:\n", "colour: red\nparams:\n", "sample.yaml:2:1: colour"},
      {"with: {proxy: ${proxy}}\n  - id: two", "timeout: 5s\n  - id: two",
       "is without proxy, expected it: proxy.replace needs a proxy"},
      {"with: {proxy: ${proxy}}", "with: {proxy: ${proxy.cluster}}",
       "${proxy.cluster} is a cluster, expected a proxy for proxy.replace's proxy"},
      {"with: {proxy: ${proxy}}", "with: {proxy: [a, b]}", "got [\"a\",\"b\"], expected a proxy"},
      {"with: {proxy: ${proxy}}", "with: {proxy: [\"${proxy}\"]}",
       "got [\"${proxy}\"], expected a proxy"},
      {"proxy: {type: proxy, required: true}",
       "proxy: {type: proxy, required: true}\n  count: {type: number, default: many}",
       "params.count.default: got \"many\", expected a number"},
      {"${steps.one.pid}", "${steps.one.pdi}",
       "proxy.replace gives no such field, expected one of: pid, forced, handed_over"},
      {"when: ${steps.one.pid} != 0", "when: ${proxy.state} == asleep", "never holds"},
      {"telemetry_age <= 5s", "telemetry_age < 0s", "can never hold"},
      {"telemetry_age <= 5s", "class == observe", "can never hold"},
      {"telemetry_age <= 5s, budget", "load < 0.2, load > 0.3", "can never hold together"},
  };
  for (const Case& one : cases) {
    const std::string problems = problems_with(one.passage, one.replacement);
    EXPECT_NE(problems.find(one.expected), std::string::npos)
        << one.replacement << "\n  expected: " << one.expected << "\n  got: " << problems;
  }
}

TEST(Loader, SaysWhatMayBeAbsentAndIsNeeded) {
  const std::string optional = problems_with(
      "  proxy: {type: proxy, required: true}\nclass: disruptive\nlocks: "
      "[cluster/${proxy.cluster}]",
      "  proxy: {type: proxy}\nclass: disruptive\nlocks: [all]");
  EXPECT_NE(optional.find("${proxy} may be absent"), std::string::npos) << optional;
  // Without it no run begins.
  EXPECT_EQ(problems_with("type: proxy, required: true", "type: proxy"), "");
}

// What an agent has taken it must go on taking.
TEST(Loader, TakesWhatActionsTake) {
  constexpr const char* kWait = R"(runbook: wait
params:
  backend: {type: backend, required: true}
  name: {type: text, default: amber-backend-1}
  pause: {type: duration, default: 1.5s}
  seconds: {type: number, default: 2}
class: disruptive
locks: [cluster/${backend.cluster}]
guards: [budget]
steps:
  - id: wait
    do: backend.await
    with: {backend: ${backend}, for: 3s}
)";
  test::FakeWorld world;
  ActionRegistry registry;
  test::add_fake_actions(registry, world);
  for (const char* given :
       {"for: 1.5s", "for: \"3\"", "for: 3", "for: 500us", "for: 1d", "for: ${pause}",
        "for: ${seconds}s", "for: ${seconds}", "for: ${name}"}) {
    std::string text = kWait;
    text.replace(text.find("for: 3s"), 7, given);
    const auto library = Library::build({SourceText("wait.yaml", text)}, registry);
    EXPECT_TRUE(library.ok()) << given << ": " << library.error().context;
  }
  for (const char* given :
       {"for: 2d", "for: -3", "for: 100000", "for: soon", "for: true", "for: [3s]"}) {
    std::string text = kWait;
    text.replace(text.find("for: 3s"), 7, given);
    EXPECT_FALSE(Library::build({SourceText("wait.yaml", text)}, registry).ok()) << given;
  }
  for (const char* step :
       {"do: epoch.eject\n    point_of_no_return: true\n    with: {backend: ${backend}}",
        "do: cluster.flush\n    with: {cluster: ${backend.cluster}}",
        "do: backend.flush\n    with: {backend: ${name}}",
        "do: cache.flush\n    with: {cache: ${seconds}}",
        "do: canary.data_path\n    with: {cluster: amber, keys_per_backend: \"3\"}",
        "do: notify.page\n    guards: [class == observe]\n    with: {text: 7}"}) {
    std::string text = kWait;
    text += "  - id: more\n    " + std::string(step) + "\n";
    const auto library = Library::build({SourceText("wait.yaml", text)}, registry);
    EXPECT_TRUE(library.ok()) << step << ": " << library.error().context;
  }
}

TEST(Loader, SaysThatGuardsAskForATargetWithoutOne) {
  const std::string problems =
      problems_with("{type: proxy, required: true}", "{type: text, required: true}");
  EXPECT_NE(problems.find("telemetry_age is never known, expected a param that names a proxy"),
            std::string::npos)
      << problems;
}

TEST(Loader, ReportsAllProblemsOfAllFiles) {
  test::FakeWorld world;
  ActionRegistry registry;
  test::add_fake_actions(registry, world);
  const auto library =
      Library::build({SourceText("a.yaml", "runbook: a\nclass: x\nsteps: []\n"),
                      SourceText("b.yaml", "runbook: b\nclass: observe\nsteps: []\n")},
                     registry);
  ASSERT_FALSE(library.ok());
  EXPECT_NE(library.error().context.find("a.yaml:2"), std::string::npos);
  EXPECT_NE(library.error().context.find("b.yaml:1"), std::string::npos);
}

TEST(Reference, KeepsTheTypeOfAValueThatStandsAlone) {
  boost::json::object scope;
  scope["port"] = 7;
  boost::json::object proxy;
  proxy["id"] = "amber-proxy-1";
  scope["proxy"] = std::move(proxy);
  EXPECT_EQ(substitute(boost::json::value("${port}"), scope), boost::json::value(7));
  EXPECT_EQ(substitute(boost::json::value("${proxy}:${port}"), scope),
            boost::json::value("amber-proxy-1:7"));
  EXPECT_EQ(substitute(std::string_view("${steps.x.y} ${proxy"), scope), "${steps.x.y} ${proxy");
}

TEST(Plan, FreezesWhatItSelectsAndRefusesToSelectNothing) {
  EngineFixture fixture;
  const auto none = fixture.plan("restore-proxies", "cluster", "amber");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().context.find("selects nothing"), std::string::npos);
  fixture.facts.kill("amber-proxy-1");
  const auto one = fixture.plan("restore-proxies", "cluster", "amber");
  fixture.facts.kill("amber-proxy-2");
  ASSERT_EQ(one->steps.size(), 2u);
  EXPECT_EQ(one->steps.front().id, "restore.amber-proxy-1");
  EXPECT_EQ(one->steps.front().with.at("proxy").as_string(), "amber-proxy-1");
}

TEST(Plan, HasTheSameHashForTheSameInputsAndAnotherForOthers) {
  EngineFixture fixture;
  const auto hash = [&](const char* proxy) {
    return fixture.plan("replace-proxy", "proxy", proxy)->hash();
  };
  EXPECT_EQ(hash("amber-proxy-1"), hash("amber-proxy-1"));
  EXPECT_NE(hash("amber-proxy-1"), hash("amber-proxy-2"));
}

TEST(Plan, TakesPlainParamsAsTheirTypes) {
  EngineFixture fixture;
  fixture.sources.push_back(SourceText("wait.yaml", R"(runbook: wait
params:
  cluster: {type: cluster, required: true}
  keys: {type: number, default: 3}
  backend: {type: backend, required: true}
  pause: {type: duration, default: 2s}
class: observe
steps:
  - id: look
    do: canary.data_path
    with: {cluster: ${cluster}, keys_per_backend: ${keys}}
  - id: wait
    do: backend.await
    with: {backend: ${backend}, for: ${pause}}
)"));
  fixture.start();
  boost::json::object params;
  params["cluster"] = "amber";
  params["backend"] = "amber-backend-1";
  const auto plan = fixture.wait(fixture.engine->plan("wait", params, RunRequest()));
  ASSERT_TRUE(plan.ok()) << plan.error().context;
  EXPECT_EQ(plan->steps.front().with.at("keys_per_backend"), boost::json::value(3));
  EXPECT_EQ(plan->steps.back().with.at("for").as_string(), "2s");
  params["pause"] = "soon";
  const auto wrong = fixture.wait(fixture.engine->plan("wait", params, RunRequest()));
  EXPECT_NE(wrong.error().context.find("pause: got \"soon\", expected a duration"),
            std::string::npos);
}

TEST(Plan, NamesWhatIsWrongWithItsParams) {
  EngineFixture fixture;
  EXPECT_EQ(fixture.plan("replace-proxy", "proxy", "nope").code(), base::ErrorCode::kNotFound);
  EXPECT_EQ(fixture.plan("replace-proxy", "prox", "x").code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(fixture.plan("replace-proxy", "proxy", "").code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(fixture.plan("nope", "proxy", "x").code(), base::ErrorCode::kNotFound);
}

TEST(Plan, TakesTheKindOfAFlushTargetFromItsNameOrItsPrefix) {
  EngineFixture fixture;
  boost::json::object params;
  params["reason"] = "test";
  for (const char* target : {"cache/12", "amber-backend-1", "cluster/amber"}) {
    params["target"] = target;
    boost::json::object given = params;
    auto plan = fixture.wait(fixture.engine->plan("flush", std::move(given), RunRequest()));
    ASSERT_TRUE(plan.ok()) << plan.error().context;
    EXPECT_EQ(plan->locks.front(), "cluster/amber");
    ASSERT_TRUE(fixture.wait(fixture.engine->run(std::move(*plan), RunRequest())).ok());
    fixture.settle();
  }
  EXPECT_EQ(fixture.world.names(),
            (std::vector<std::string>{"cache.flush", "backend.flush", "cluster.flush"}));
}

}  // namespace
}  // namespace agent::runbook
