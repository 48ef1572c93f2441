// Applies the rules to the source tree, which is the working directory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/tidy/coroutine_lint.h"
#include "tests/tidy/rules.h"

namespace tidy {
namespace {

namespace fs = std::filesystem;

// Path relative to the tree -> text, of all C++ files and lists of them.
using Tree = std::map<std::string, std::string>;

Tree read_tree() {
  Tree tree;
  for (const char* folder : {"base", "proxy", "agent", "cli", "cmake", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path& path = entry.path();
      const bool wanted = path.extension() == ".cc" || path.extension() == ".h" ||
                          path.extension() == ".cmake" || path.filename() == "CMakeLists.txt";
      if (!entry.is_regular_file() || !wanted) continue;
      std::ifstream file(path, std::ios::binary);
      tree[path.string()] = std::string((std::istreambuf_iterator<char>(file)), {});
    }
  }
  return tree;
}

const Tree& tree() {
  static const Tree kTree = read_tree();
  return kTree;
}

bool ends(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

bool is_cpp(std::string_view path) {
  return ends(path, ".cc") || ends(path, ".h");
}

std::string all(const Findings& findings) {
  std::string text;
  for (const std::string& finding : findings) text += finding + "\n";
  return text;
}

template <class Check>
Findings over_sources(Check check) {
  Findings findings;
  for (const auto& [path, source] : tree()) {
    if (!is_cpp(path)) continue;
    const Findings more = check(path, source);
    findings.insert(findings.end(), more.begin(), more.end());
  }
  return findings;
}

// Whether `name` stands as a word of its own in a CMakeLists.
bool names(const std::string& list, const std::string& name) {
  const auto part_of_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
           c == '-';
  };
  for (size_t at = list.find(name); at != std::string::npos; at = list.find(name, at + 1)) {
    const bool before = at > 0 && part_of_name(list[at - 1]);
    const size_t end = at + name.size();
    if (!before && (end >= list.size() || !part_of_name(list[end]))) return true;
  }
  return false;
}

// Named by the CMakeLists of the file's folder or of the nearest folder above that has one, or with
// its whole path by any other.
bool is_listed(const std::string& path) {
  for (const auto& [list, text] : tree()) {
    if (!is_cpp(list) && text.find("/" + path) != std::string::npos) return true;
  }
  for (fs::path folder = fs::path(path).parent_path(); !folder.empty();
       folder = folder.parent_path()) {
    const auto found = tree().find((folder / "CMakeLists.txt").string());
    if (found == tree().end()) continue;
    return names(found->second, fs::relative(path, folder).string());
  }
  return false;
}

TEST(Tidy, ArrowsBetweenFoldersGoOneWay) {
  const Findings findings = over_sources(check_includes);
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, TimeRandomnessAndWaitingComeFromTheirPlaces) {
  const Findings findings = over_sources(check_calls);
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, UnfinishedWorkNamesSomebody) {
  const Findings findings = over_sources(check_marks);
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, NoExpressionWithCoAwaitHoldsABracedTemporaryOrACapturingLambda) {
  const Findings findings = over_sources([](const std::string& path, const std::string& source) {
    Findings found;
    for (const Trap& trap : find_coroutine_traps(source)) {
      found.push_back(path + ":" + std::to_string(trap.line) + ": " + trap.what);
    }
    return found;
  });
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, EverySourceIsBuilt) {
  Findings findings;
  for (const auto& [path, source] : tree()) {
    if (ends(path, ".cc") && !is_listed(path)) findings.push_back(path + ": in no CMakeLists.txt");
  }
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, EveryHeaderOfTheProductIsListedAndSoCompiledAlone) {
  Findings findings;
  for (const auto& [path, source] : tree()) {
    if (!ends(path, ".h") || path.substr(0, 6) == "tests/" || is_listed(path)) continue;
    findings.push_back(path + ": not among the HDRS of its CMakeLists.txt");
  }
  EXPECT_TRUE(findings.empty()) << all(findings);
}

TEST(Tidy, LooksAtTheWholeTree) {
  EXPECT_TRUE(tree().count("base/core/slots.cc"));
  EXPECT_TRUE(tree().count("tests/tidy/tidy_test.cc"));
  EXPECT_GT(tree().size(), 100u);
}

}  // namespace
}  // namespace tidy
