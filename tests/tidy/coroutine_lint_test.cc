#include "tests/tidy/coroutine_lint.h"

#include <gtest/gtest.h>

namespace tidy {
namespace {

std::string body(const char* statement) {
  return std::string("awaitable<void> Thing::run(int n) {\n  before();\n  ") + statement +
         "\n  after(Name{1}, [n] { return n; });\n}\n";
}

TEST(CoroutineLint, RefusesBracedTemporariesAndCapturingLambdasInAwaitingExpressions) {
  for (const char* wrong : {
           "co_await f(Agg{});",
           "co_await f(Agg{.n = 5});",
           "co_await f({});",
           "co_await f({1, 2});",
           "co_await f(1, {});",
           "co_await f(std::vector<int>{1});",
           "auto r = co_await g([x] { return x; });",
           "co_await co_spawn(ex, [x]() -> awaitable<void> { co_return; }, use_awaitable);",
           "co_await [this]() -> awaitable<void> { co_return; }();",
           "b ? co_await f(Agg{}) : nothing();",
           "use(Agg{1}, co_await f());",
           "if (const auto x = co_await f(Agg{1})) done();",
           "while (const auto y = co_await f(x, [&] { return 1; })) done();",
           "for (auto& x : co_await f(Agg{1})) done();",
           "co_return Agg{co_await f()};",
           "co_return {1, co_await f()};",
           "co_yield Agg{1};",
           "if (x) co_await f(Agg{});",
           "x = co_await f() || g(Agg{});",
           "f(Agg{1}).then(co_await g());",
       }) {
    const auto traps = find_coroutine_traps(body(wrong));
    ASSERT_EQ(traps.size(), 1u) << wrong;
    EXPECT_EQ(traps[0].line, 3) << wrong;
  }
}

TEST(CoroutineLint, AcceptsWhatIsNamedFirstAndWhatStandsElsewhere) {
  for (const char* right : {
           "Agg agg{1}; co_await f(std::move(agg));",
           "auto a = f(Agg{}); co_await std::move(a);",
           "co_await f(std::string(100, 'k'));",
           "co_await f([](int x) { return Agg{x}; });",
           "const auto [error, count] = co_await f(tuple);",
           "auto& [error, count] = co_await f(tuple);",
           "const auto& [error, count] = co_await f(tuple);",
           "Result r{co_await f()};",
           "const std::vector<int> r{co_await f()};",
           "if (Agg{1}.ok()) { co_await f(); }",
           "if (const bool well = co_await f()) { use(Agg{1}, [n] { return n; }); }",
           "if (auto [error, n] = co_await f(); !error) { use(Agg{1}); } else { use({1}); }",
           "spawn(ex, [this]() -> awaitable<void> { co_await f(); });",
           "spawn(ex, [this] { co_return co_await f(); });",
           "auto l = [n](int x) -> Thing { co_await f(x); };",
           "use(Agg{1}); co_await f();",
           "co_await f(); use(Agg{1});",
           "for (Agg a : {Agg{1}, Agg{2}}) co_await f(a);",
           "for (auto a = co_await f(); a.ok();) done();",
           "for (const auto& a : co_await f()) done();",
           "while (!done()) co_await f();",
           "while (true) { const bool well = co_await f(); if (!well) break; }",
           "if (well) { co_await f(); } else { co_await g(); }",
           "if (spawn(ex, [this] { co_return co_await f(); })) done();",
           "for (int i = 0; i < n; ++i) n += co_await f();",
           "do { co_await f(); } while (n < 3);",
           "co_await f(items[3], \"Agg{1}\");  // co_await f(Agg{})",
           "/* co_await f(Agg{}) */ co_await f(1'000'000);",
           "co_await f(R\"(Agg{[x]})\");",
           "struct Local { int x; }; co_await f();",
           "[[maybe_unused]] const int x = co_await f();",
           "Agg list[] = {Agg{1}}; co_await f();",
       }) {
    const auto traps = find_coroutine_traps(body(right));
    EXPECT_TRUE(traps.empty()) << right << ": " << traps[0].what;
  }
}

TEST(CoroutineLint, RefusesConditionsThatAwait) {
  for (const char* wrong : {
           "if (co_await f()) done();",
           "if (!co_await f()) { use(Agg{1}); } else { use({1}); }",
           "while (co_await f()) { done(); }",
           "while (!(co_await f()).ok()) done();",
           "while (n < 3 && co_await f()) done();",
           "if (n == 3 || co_await f() || co_await g()) done();",
           "if (n == co_await f()) done();",
           "for (; co_await f();) done();",
           "for (Agg a{1}; co_await f(a);) done();",
           "for (int i = 0; i < 3 && co_await f(); ++i) done();",
           "do { done(); } while (co_await f());",
           "switch (co_await f()) { case 1: use(Agg{1}); }",
           "if (x) done(); else if (co_await f()) done();",
           "spawn(ex, [this] { if (co_await f()) done(); });",
       }) {
    const auto traps = find_coroutine_traps(body(wrong));
    ASSERT_EQ(traps.size(), 1u) << wrong;
    EXPECT_NE(traps[0].what.find("condition"), std::string::npos) << wrong << ": " << traps[0].what;
    EXPECT_EQ(traps[0].line, 3) << wrong;
  }
}

TEST(CoroutineLint, NamesTheLineOfTheTemporary) {
  const auto traps =
      find_coroutine_traps("void f() {\n  co_await g(1,\n      2,\n      Agg{3});\n}\n");
  ASSERT_EQ(traps.size(), 1u);
  EXPECT_EQ(traps[0].line, 4);
}

TEST(CoroutineLint, SurvivesTextThatIsNotCpp) {
  for (const char* text : {"co_await", "co_await (", "co_await }", ") co_await {", "[ co_await ]",
                           "co_await f([", "\"co_await", "'", "R\"", "#define X \\"}) {
    find_coroutine_traps(text);
  }
}

}  // namespace
}  // namespace tidy
