// Where things lie: the files of a region, and the programs and data beside this tool.
#pragma once

#include <string>

#include "base/core/result.h"
#include "cli/region/definition.h"

namespace cli {

// Paths within a region's directory (absolute).
struct Places {
  explicit Places(const std::string& dir);
  std::string dir;
  std::string definition() const { return dir + "/agent.yaml"; }
  std::string region_json() const { return dir + "/region.json"; }
  std::string run() const { return dir + "/run"; }
  std::string log() const { return dir + "/log"; }
  std::string page() const { return dir + "/page"; }
  std::string agent_socket() const { return run() + "/agent.sock"; }
  std::string up_socket() const { return run() + "/up.sock"; }
  std::string up_lock() const { return run() + "/up.owner"; }
  std::string lock(const std::string& id) const { return run() + "/" + id + ".lock"; }
};

// Makes D, D/run, D/log and D/page. kPermission names the owner of what is someone else's.
base::Result<> make_places(const Places& places);

// What D/region.json says of the region that runs there. kUnavailable when none does, with `advice`:
// what the caller can do instead of starting one.
base::Result<std::string> read_region_json(const Places& places, const std::string& advice);

// The programs and data of the installation that this tool belongs to.
struct Installation {
  std::string tool;  // this program
  std::string agent, proxy;
  std::string memcached;  // empty: not found
  std::string rules_dir, runbooks_dir;
};
Installation find_installation();
// One sentence about the first that is missing, with the remedy.
base::Result<> check_programs(const Definition& definition, const std::string& agent);

}  // namespace cli
