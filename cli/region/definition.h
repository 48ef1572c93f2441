// The definition of a local region: what `mcguard up` writes to agent.yaml on its first start, and
// what it reads there on later ones.
//
// The file belongs to the user from then on. Flags of a later start may repeat what it says, never
// contradict it: two truths about one region would surprise whoever edited the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace cli {

struct ClusterPorts {
  uint16_t memcache = 11211, tls = 11212, open = 0, backend = 11214, metrics = 7490, links = 11240;
};
struct Member {
  std::string id, address;
};
struct Cluster {
  std::string name;
  ClusterPorts ports;
  std::vector<Member> proxies;
  std::vector<Member> backends;
};
struct RegionPorts {
  uint16_t operator_api = 7480, status = 7481, customer = 7482, agents = 7483;
};

struct Definition {
  std::string region = "local";
  bool gameday = false;
  RegionPorts ports;
  std::string proxy, memcached, tool;  // programs, absolute paths
  std::string rules_dir, runbooks_dir, policy;
  std::vector<Cluster> clusters;
};

// What the command line asks for; empty: not said.
struct UpOptions {
  std::string dir = ".mcguard";
  std::optional<int> port_base;
  bool gameday = false;
  bool open = false;
  std::string policy, rules_dir, runbooks_dir, proxy_binary, agent_binary;
};

// A region of clusters amber and birch, two proxies and two backends each. `defaults` carries the
// programs and folders that the options leave open.
Definition make_definition(const UpOptions& options, Definition defaults);
std::string to_yaml(const Definition& definition);
// All problems as file:line:column (kInvalid), kNotFound.
base::Result<Definition> parse_definition(const std::string& text, const std::string& file);
base::Result<Definition> load_definition(const std::string& path);
// kInvalid names the flag, what the file says, and what to do.
base::Result<> check_no_contradiction(const Definition& definition, const UpOptions& options,
                                      const std::string& file);

}  // namespace cli
