#include "agent/app/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/core/file.h"
#include "base/core/rng.h"

namespace agent::app {
namespace {

constexpr size_t kMaxSource = 1u << 20;
constexpr size_t kTokenBytes = 24;

}  // namespace

base::Result<std::vector<runbook::SourceText>> read_sources(const std::string& folder,
                                                            std::string_view except) {
  std::error_code failed;
  std::vector<std::string> paths;
  std::filesystem::directory_iterator entry(folder, failed);
  while (!failed && entry != std::filesystem::directory_iterator()) {
    const std::filesystem::path& path = entry->path();
    const bool skipped = !except.empty() && path.filename().string().starts_with(except);
    if (path.extension() == ".yaml" && !skipped) paths.push_back(path.string());
    entry.increment(failed);
  }
  if (failed) {
    return base::Error(base::ErrorCode::kNotFound,
                       "cannot read the folder " + folder + ": " + failed.message());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<runbook::SourceText> sources;
  for (const std::string& path : paths) {
    auto text = base::read_file(path, kMaxSource);
    if (!text) return text.error();
    sources.emplace_back(path, *std::move(text));
  }
  return sources;
}

base::Result<rule::RuleSet> read_rules(const std::string& folder) {
  auto sources = read_sources(folder, "policy");
  if (!sources) return sources.error();
  std::vector<rule::RuleFile> files;
  for (runbook::SourceText& source : *sources) {
    rule::RuleFile file;
    file.name = std::move(source.file);
    file.text = std::move(source.text);
    files.push_back(std::move(file));
  }
  return rule::parse_rules(files);
}

base::Result<base::Secret> operator_token(const std::string& path) {
  auto text = base::read_file(path, 4096);
  if (text) {
    while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
    if (text->size() < 16) {
      return base::Error(base::ErrorCode::kInvalid,
                         path +
                             ": expected a token of at least 16 characters; remove the file and "
                             "the agent makes a new one");
    }
    return base::Secret(*std::move(text));
  }
  if (text.code() != base::ErrorCode::kNotFound) return text.error();
  std::string token = base::random_hex(kTokenBytes);
  auto written = base::write_file_atomic(path, token + "\n", base::Durability::kFsync, 0600);
  if (!written) return written.error();
  return base::Secret(std::move(token));
}

base::Result<base::net::UniqueFd> take_lock(const std::string& path) {
  base::net::UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) {
    return base::Error(base::ErrorCode::kPermission,
                       "cannot open " + path + ": " + std::strerror(errno));
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    auto holder = base::read_file(path, 64);
    std::string pid = holder ? *holder : std::string("?");
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return base::Error(base::ErrorCode::kConflict,
                       "another agent (process " + pid + ") runs this region; stop it first");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return base::Error(base::ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
  }
  return lock;
}

}  // namespace agent::app
