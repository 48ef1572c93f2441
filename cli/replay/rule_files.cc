#include "cli/replay/rule_files.h"

#include <algorithm>
#include <filesystem>

#include "base/core/file.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMostBytes = 16u << 20;

base::Result<std::vector<std::string>> files_of(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    const fs::path& path = entry->path();
    const bool is_policy = path.filename().string().starts_with("policy");
    if (path.extension() == ".yaml" && !is_policy) files.push_back(path.string());
  }
  if (failed) {
    return base::Error(base::ErrorCode::kNotFound,
                       "cannot read the folder " + folder + ": " + failed.message());
  }
  if (files.empty()) {
    return base::Error(base::ErrorCode::kNotFound, "no *.yaml files in the folder " + folder);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

base::Result<std::vector<agent::rule::RuleFile>> read_yaml_files(
    const std::vector<std::string>& paths) {
  std::vector<agent::rule::RuleFile> read;
  for (const std::string& path : paths) {
    std::error_code failed;
    std::vector<std::string> files{path};
    if (fs::is_directory(path, failed)) {
      auto listed = files_of(path);
      if (!listed) return listed.error();
      files = *std::move(listed);
    }
    for (const std::string& file : files) {
      auto text = base::read_file(file, kMostBytes);
      if (!text) return text.error();
      read.push_back({file, *std::move(text)});
    }
  }
  return read;
}

base::Result<agent::rule::RuleSet> read_rules(const std::string& folder) {
  auto files = read_yaml_files({folder});
  if (!files) return files.error();
  return agent::rule::parse_rules(*files);
}

}  // namespace cli
