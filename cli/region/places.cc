#include "cli/region/places.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/core/file.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;

std::string user_name(uid_t user) {
  const passwd* entry = ::getpwuid(user);
  return entry ? entry->pw_name : std::to_string(user);
}

base::Result<> check_owner(const std::string& dir) {
  struct stat found {};
  if (::stat(dir.c_str(), &found) != 0) {
    return Error(ErrorCode::kIo, "cannot look at " + dir + ": " + strerror(errno));
  }
  if (found.st_uid == ::geteuid()) return {};
  return Error(ErrorCode::kPermission, dir + " belongs to user " + user_name(found.st_uid) +
                                           ", you are " + user_name(::geteuid()) +
                                           ": choose a directory of your own with --dir");
}

bool is_program(const std::string& path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure) && ::access(path.c_str(), X_OK) == 0;
}

std::string find_in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (is_program(candidate)) return candidate;
  }
  return {};
}

// Data lies at the top of a source tree (program in build/<preset>/bin), or under share/mcguard.
std::string find_data(const fs::path& programs, const std::string& name) {
  for (const fs::path& candidate :
       {programs / "../../.." / name, programs / "../share/mcguard" / name,
        fs::path("/usr/share/mcguard") / name}) {
    std::error_code failure;
    if (fs::is_directory(candidate, failure)) return fs::canonical(candidate, failure).string();
  }
  return "/usr/share/mcguard/" + name;
}

}  // namespace

Places::Places(const std::string& path) {
  dir = fs::absolute(path).lexically_normal().string();
  while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
}

base::Result<> make_places(const Places& places) {
  auto made = base::make_directories(places.dir);
  if (!made) return made;
  if (auto own = check_owner(places.dir); !own) return own;
  for (const std::string& folder : {places.run(), places.log(), places.page()}) {
    made = base::make_directories(folder);
    if (!made) return made;
    if (auto own = check_owner(folder); !own) return own;
  }
  return {};
}

Installation find_installation() {
  std::error_code failure;
  Installation found;
  const fs::path self = fs::read_symlink("/proc/self/exe", failure);
  const fs::path folder = self.parent_path();
  found.tool = self.string();
  found.agent = (folder / "mcguard-agent").string();
  found.proxy = (folder / "mcguard-proxy").string();
  found.memcached = find_in_path("memcached");
  found.rules_dir = find_data(folder, "rules");
  found.runbooks_dir = find_data(folder, "runbooks");
  return found;
}

base::Result<> check_programs(const Definition& definition, const std::string& agent) {
  if (definition.memcached.empty() || !is_program(definition.memcached)) {
    const std::string name = definition.memcached.empty() ? "memcached" : definition.memcached;
    return Error(ErrorCode::kNotFound,
                 name +
                     " is not there: install it with \"apt-get install memcached\", or name "
                     "another one under programs.memcached in agent.yaml");
  }
  for (const auto& [program, flag] :
       {std::pair{definition.proxy, "--proxy-binary"}, std::pair{agent, "--agent-binary"}}) {
    if (is_program(program)) continue;
    return Error(ErrorCode::kNotFound,
                 program +
                     " is not there or not a program: build it (./up does), install it, or "
                     "name another one with " +
                     flag);
  }
  return {};
}

base::Result<std::string> read_region_json(const Places& places, const std::string& advice) {
  constexpr size_t kMost = 4u << 20;
  auto text = base::read_file(places.region_json(), kMost);
  if (text.ok() || text.code() != ErrorCode::kNotFound) return text;
  return Error(ErrorCode::kUnavailable,
               "no region runs in " + places.dir + ": start one with mcguard up, or " + advice);
}

}  // namespace cli
