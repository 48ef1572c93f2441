#include "base/config/yaml.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "tests/support/temp_dir.h"

namespace base::config {
namespace {

// What reading `text` with `read` reports, with "f" as the file's name.
template <class Read>
std::string problems_of(std::string_view text, Read read) {
  Problems problems;
  const Node root = Document::parse(text, "f", problems);
  read(root);
  return problems.to_string();
}
std::string problems_of(std::string_view text) {
  return problems_of(text, [](const Node&) {});
}

TEST(Yaml, ReadsEveryType) {
  Problems problems;
  Map root = Document::parse(
                 "name: amber\n"
                 "count: 7\n"
                 "ratio: 0.5\n"
                 "on: true\n"
                 "wait: 250ms\n"
                 "size: 64MiB\n"
                 "share: 15%\n"
                 "level: warn\n"
                 "nothing: ~\n"
                 "list: [1, 2, 3]\n"
                 "map: {a: x, b: y}\n",
                 "f", problems)
                 .map();
  EXPECT_EQ(root.text("name", ""), "amber");
  EXPECT_EQ(root.integer("count", 0, 1, 10), 7);
  EXPECT_EQ(root.number("ratio", 0, 0, 1), 0.5);
  EXPECT_TRUE(root.boolean("on", false));
  EXPECT_EQ(root.duration("wait", 0s, 0s, 1h), 250ms);
  EXPECT_EQ(root.bytes("size", 0, 0, 1u << 30), 64u << 20);
  EXPECT_DOUBLE_EQ(root.share("share", 0), 0.15);
  EXPECT_EQ(root.choice("level", 0, {"debug", "info", "warn"}), 2u);
  EXPECT_FALSE(root.has("nothing"));
  const auto list = root.required("list").list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[2].integer(0, 9), 3);
  EXPECT_EQ(list[2].path(), "list[2]");
  const auto entries = root.required("map").entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].first, "b");
  EXPECT_EQ(entries[1].second.text(), "y");
  EXPECT_EQ(entries[1].second.path(), "map.b");
  root.finish();
  EXPECT_TRUE(problems.result().ok()) << problems.to_string();
}

TEST(Yaml, MissingKeysTakeTheirFallback) {
  Problems problems;
  Map root = Document::parse("a: 1\n", "f", problems).map();
  root.required("a");
  EXPECT_EQ(root.text("t", "x"), "x");
  EXPECT_EQ(root.integer("i", 5, 0, 9), 5);
  EXPECT_EQ(root.duration("d", 3s, 0s, 9s), 3s);
  EXPECT_EQ(root.choice("c", 1, {"p", "q"}), 1u);
  root.finish();
  EXPECT_TRUE(problems.empty()) << problems.to_string();
}

TEST(Yaml, ReportsEveryProblemWithPlaceKeyValueAndExpectation) {
  EXPECT_EQ(
      problems_of("listen: {port: 99999}\n"
                  "limits:\n"
                  "  connections: many\n"
                  "workers: \"2\"\n"
                  "timeout: 5\n"
                  "log: loud\n"
                  "lsiten: 1\n",
                  [](const Node& node) {
                    Map root = node.map();
                    Map listen = root.required("listen").map();
                    listen.integer("port", 1, 1, 65535);
                    listen.finish();
                    Map limits = root.required("limits").map();
                    EXPECT_EQ(limits.integer("connections", 10, 1, 1000000), 10);
                    limits.finish();
                    root.integer("workers", 1, 1, 64);
                    root.duration("timeout", 1s, 0s, 1h);
                    root.choice("log", 0, {"debug", "info"});
                    root.required("id");
                    root.finish();
                  }),
      "f:1:1: id: missing, expected a value for this key\n"
      "f:1:16: listen.port: got \"99999\", expected an integer from 1 to 65535\n"
      "f:3:16: limits.connections: got \"many\", expected an integer from 1 to 1000000\n"
      "f:4:10: workers: got \"2\", expected an integer from 1 to 64 (without the quotes)\n"
      "f:5:10: timeout: got \"5\", expected a duration such as 250ms, 3s or 5m from 0s to 1h\n"
      "f:6:6: log: got \"loud\", expected one of: debug, info\n"
      "f:7:1: lsiten: unknown key, expected one of: id, limits, listen, log, timeout, "
      "workers (did you mean listen?)");
}

TEST(Yaml, SaysWhatItGotInsteadOfTheTypeExpected) {
  const std::pair<const char*, const char*> cases[] = {
      {"v: [1]", "f:1:4: v: got a list, expected an integer from 1 to 9"},
      {"v: {a: 1}", "f:1:4: v: got a mapping, expected an integer from 1 to 9"},
      {"v: 010", "f:1:4: v: got \"010\", expected an integer from 1 to 9"},
      {"v: 0x8", "f:1:4: v: got \"0x8\", expected an integer from 1 to 9"},
      {"v: '8'", "f:1:4: v: got \"8\", expected an integer from 1 to 9 (without the quotes)"},
      {"v: |\n  8\n", "f:1:4: v: got \"8\\x0a\", expected an integer from 1 to 9"},
      {"v: 10", "f:1:4: v: got \"10\", expected an integer from 1 to 9"},
      {"v: yes", "f:1:4: v: got \"yes\", expected an integer from 1 to 9"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(problems_of(text, [](const Node& n) { n.map().integer("v", 1, 1, 9); }), expected);
  }
}

TEST(Yaml, NamesOpenRangesInWords) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto expected = [](int64_t min, int64_t max) {
    return problems_of("v: x", [&](const Node& n) { n.map().integer("v", 1, min, max); });
  };
  EXPECT_EQ(expected(kMin, kMax), "f:1:4: v: got \"x\", expected an integer");
  EXPECT_EQ(expected(1, kMax), "f:1:4: v: got \"x\", expected an integer of at least 1");
  EXPECT_EQ(expected(kMin, 1), "f:1:4: v: got \"x\", expected an integer of at most 1");
  EXPECT_EQ(
      problems_of("v: 2h", [](const Node& n) { n.map().duration("v", 1s, 10ms, Duration(1h)); }),
      "f:1:4: v: got \"2h\", expected a duration such as 250ms, 3s or 5m from 10ms to 1h");
  EXPECT_EQ(problems_of("v: 120%", [](const Node& n) { n.map().share("v", 0); }),
            "f:1:4: v: got \"120%\", expected a share such as 15% or 0.15, from 0 to 1");
}

TEST(Yaml, BooleansAreTrueOrFalseAndNothingElse) {
  for (const char* wrong : {"yes", "on", "True", "TRUE", "1", "\"true\""}) {
    EXPECT_NE(problems_of("v: " + std::string(wrong),
                          [](const Node& n) { EXPECT_TRUE(n.map().boolean("v", true)); }),
              "")
        << wrong;
  }
}

TEST(Yaml, RefusesDuplicateKeysAndKeepsTheFirst) {
  EXPECT_EQ(problems_of("a:\n  b: 1\n  c: 2\n  b: 3\n",
                        [](const Node& n) {
                          Map root = n.map();
                          Map a = root.required("a").map();
                          EXPECT_EQ(a.integer("b", 0, 0, 9), 1);
                          a.integer("c", 0, 0, 9);
                          a.finish();
                        }),
            "f:4:3: a.b: duplicate key, expected each key once (first on line 2)");
}

TEST(Yaml, RefusesAnchorsAliasesTagsAndFurtherDocuments) {
  EXPECT_EQ(problems_of("a: &x 1\nb: *x\n"),
            "f:1:4: a: anchors (&name) are not allowed, expected each value written out\n"
            "f:2:4: b: aliases (*name) are not allowed, expected the value written out");
  EXPECT_EQ(problems_of("a: !!int 1\n"),
            "f:1:4: a: tags (!name) are not allowed, expected a plain value");
  EXPECT_EQ(problems_of("a: ! 1\n"),
            "f:1:4: a: tags (!name) are not allowed, expected a plain value");
  EXPECT_EQ(problems_of("a: !x [1]\nb: !y {}\nc: !z\n"),
            "f:1:4: a: tags (!name) are not allowed, expected a plain value\n"
            "f:2:4: b: tags (!name) are not allowed, expected a plain value\n"
            "f:3:4: c: tags (!name) are not allowed, expected a plain value");
  EXPECT_NE(problems_of("a: 1\n---\nb: 2\n").find("a second document"), std::string::npos);
  EXPECT_EQ(problems_of("---\na: 1\n...\n"), "");
}

TEST(Yaml, RefusesKeysThatAreNotText) {
  EXPECT_NE(problems_of("? [a]\n: 1\n").find("this key is not text"), std::string::npos);
  EXPECT_NE(problems_of("? {a: b}\n: 1\n").find("this key is not text"), std::string::npos);
  EXPECT_NE(problems_of("~: 1\n").find("this key is not text"), std::string::npos);
}

TEST(Yaml, SyntaxErrorsNameTheirPlace) {
  EXPECT_EQ(problems_of("a: [1, 2\nb: 3\n").substr(0, 4), "f:2:");
  EXPECT_NE(problems_of("a: b: c\n").find("not valid YAML"), std::string::npos);
  EXPECT_NE(problems_of("\ta: 1\n").find("f:1:"), std::string::npos);
  EXPECT_NE(problems_of("a: 'x").find("not valid YAML"), std::string::npos);
  EXPECT_EQ(problems_of("a: 1\nb: 'x''\n"),
            "f:2:4: b: this quoted text never ends, expected a closing quote");
  EXPECT_EQ(problems_of("b: \"x\\\"\nc: 2\n"),
            "f:1:4: b: this quoted text never ends, expected a closing quote");
  EXPECT_EQ(problems_of("a: 'it''s'\nb: \"\\\"\"\n"), "");
}

TEST(Yaml, AfterASyntaxErrorTheWalkReportsNothingMore) {
  Problems problems;
  Map root = Document::parse("a: [", "f", problems).map();
  root.required("x").map().required("y").integer(1, 9);
  root.required("z").list();
  root.required("w").entries();
  root.finish();
  EXPECT_EQ(problems.size(), 1u);
}

TEST(Yaml, AMissingKeyIsReportedOnceHoweverItIsRead) {
  EXPECT_EQ(problems_of("a: 1\n",
                        [](const Node& n) {
                          Map root = n.map();
                          const Node missing = root.required("b");
                          EXPECT_TRUE(missing.is_null());
                          EXPECT_EQ(missing.integer(3, 9), 3);
                          missing.map().required("c").text();
                          missing.problem("something");
                        }),
            "f:1:1: b: missing, expected a value for this key");
}

TEST(Yaml, RefusesBytesThatAreNotText) {
  EXPECT_EQ(problems_of("a: 1\nb: \xff\n"),
            "f:2:4: got a byte that is not UTF-8, expected UTF-8 text");
  EXPECT_EQ(problems_of(std::string_view("a\0b: 1", 6)),
            "f:1:2: got a control character, expected UTF-8 text");
  EXPECT_EQ(problems_of("\xff\xfe\x61\x00"),
            "f:1:1: got a byte that is not UTF-8, expected UTF-8 text");
  EXPECT_EQ(problems_of("\xef\xbb\xbf"
                        "a: 1\n"),
            "");
  EXPECT_EQ(problems_of("a: \xc3"), "f:1:4: got a byte that is not UTF-8, expected UTF-8 text");
}

TEST(Yaml, DeepNestingIsAProblemAndNotAnOverflow) {
  for (const char* opening : {"[", "{a: ", "- ", "? ", "[{a: "}) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += opening;
    EXPECT_NE(problems_of(text), "") << opening;
  }
  std::string block;
  for (int i = 0; i < 100; ++i) block += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_NE(problems_of(block).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_EQ(problems_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_NE(problems_of(std::string(65, '[') + std::string(65, ']')), "");
}

TEST(Yaml, BoundsTheSizeOfAFile) {
  const std::string big(17u << 20, ' ');
  EXPECT_NE(problems_of(big).find("expected at most 16MiB"), std::string::npos);
}

TEST(Yaml, AnEmptyFileIsNull) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "~\n"}) {
    EXPECT_EQ(problems_of(text, [](const Node& n) { EXPECT_TRUE(n.is_null()); }), "") << text;
  }
  EXPECT_EQ(problems_of("", [](const Node& n) { n.map().finish(); }),
            "f:1:1: got nothing, expected a mapping");
}

TEST(Yaml, PathsQuoteKeysThatAreNotPlainWords) {
  EXPECT_EQ(problems_of("labels: {\"a b\": [x]}\n",
                        [](const Node& n) {
                          Map root = n.map();
                          root.required("labels").entries()[0].second.list()[0].integer(0, 1);
                        }),
            "f:1:18: labels[\"a b\"][0]: got \"x\", expected an integer from 0 to 1");
}

TEST(Yaml, ReadersAddProblemsOfTheirOwn) {
  EXPECT_EQ(problems_of("id: Amber\n",
                        [](const Node& n) {
                          Map root = n.map();
                          const Node id = root.required("id");
                          id.problem("lower-case letters");
                          id.problem_text("refers to itself");
                        }),
            "f:1:5: id: got \"Amber\", expected lower-case letters\n"
            "f:1:5: id: refers to itself");
}

TEST(Yaml, QuotedScalarsAreTextAndPlainOnesMayBeNumbers) {
  Problems problems;
  Map root = Document::parse("a: '7'\nb: 7\nc: \"\"\nd: >\n  x\n", "f", problems).map();
  EXPECT_TRUE(root.required("a").is_quoted());
  EXPECT_FALSE(root.required("b").is_quoted());
  EXPECT_EQ(root.text("b", ""), "7");
  EXPECT_EQ(root.text("c", "fallback"), "");
  EXPECT_TRUE(root.required("d").is_quoted());
  EXPECT_TRUE(problems.empty());
}

TEST(Yaml, NodesKeepTheirDocumentAlive) {
  Problems problems;
  std::optional<Node> node;
  {
    Map root = Document::parse("a: {b: [x, y]}\n", "f", problems).map();
    node = root.required("a").map().required("b");
  }
  EXPECT_EQ(node->list()[1].text(), "y");
}

TEST(Yaml, LoadReportsAFileThatCannotBeRead) {
  test::TempDir dir;
  Problems problems;
  const Node root = Document::load(dir.file("none.yaml"), problems);
  EXPECT_TRUE(root.is_null());
  root.map().required("x");
  EXPECT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems.to_string(), dir.file("none.yaml") + ": cannot read " + dir.file("none.yaml") +
                                      ": No such file or directory");
  EXPECT_EQ(problems.result().code(), ErrorCode::kInvalid);
}

TEST(Yaml, LoadReadsAFile) {
  test::TempDir dir;
  std::ofstream(dir.file("a.yaml")) << "id: 1\n";
  Problems problems;
  Map root = Document::load(dir.file("a.yaml"), problems).map();
  EXPECT_EQ(root.integer("id", 0, 0, 9), 1);
  EXPECT_EQ(root.node().place().to_string(), dir.file("a.yaml") + ":1:1");
}

TEST(Problems, KeepsABoundedNumberAndCountsTheRest) {
  Problems problems;
  for (int i = 0; i < 1000; ++i) problems.add({"f", i + 1, 1}, "k", "wrong");
  EXPECT_EQ(problems.size(), 1000u);
  const std::string text = problems.to_string();
  EXPECT_EQ(text.substr(text.rfind('\n') + 1), "and 800 more problems");
}

TEST(Problems, ListsFilesInTheOrderTheyCameAndLinesInTheirs) {
  Problems problems;
  problems.add({"b", 2, 1}, "", "x");
  problems.add({"a", 1, 1}, "", "y");
  problems.add({"b", 1, 9}, "", "z");
  EXPECT_EQ(problems.to_string(), "b:1:9: z\nb:2:1: x\na:1:1: y");
}

}  // namespace
}  // namespace base::config
