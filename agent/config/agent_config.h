// agent.yaml: the region's definition, read strictly.
//
//   region: local
//   gameday: false
//   ports: {operator: 7480, status: 7481, customer: 7482, agents: 7483}
//   programs: {proxy: /usr/bin/mcguard-proxy, memcached: /usr/bin/memcached, tool:
//   /usr/bin/mcguard} rules_dir: /usr/share/mcguard/rules runbooks_dir: /usr/share/mcguard/runbooks
//   policy: /usr/share/mcguard/rules/policy.yaml
//   budget: {cpu: 1%, memory: 64MiB, disk: 1MiB}
//   record: {size: 64MiB}   # of signals on disk, the newest; 0: none
//   echo: {listen: 10.0.0.1, peers: [{address: 10.0.0.2, port: 7483}]}   # UDP, port ports.agents
//   clusters:
//     - name: amber
//       ports: {memcache: 11211, tls: 11212, open: 11213, backend: 11214, metrics: 7490, links:
//       11240} proxies: [{id: amber-proxy-1, address: 127.0.1.1, workers: 2}] backends: [{id:
//       amber-backend-1, address: 127.0.1.11, memory: 64MiB, weight: 1}]
//
// All problems are reported at once as file:line:column. Beyond types: names and ids are unique
// over the region, addresses within a cluster, addresses are IPv4 or IPv6 literals, ports of one
// address differ.
#pragma once

#include <string>
#include <string_view>

#include "agent/coord/region.h"
#include "base/core/result.h"

namespace agent::config {

// `dir`: the region's directory (made absolute); `text` is read as `file` in messages.
base::Result<coord::RegionSpec> parse_agent_config(std::string_view text, const std::string& file,
                                                   const std::string& dir);
base::Result<coord::RegionSpec> load_agent_config(const std::string& path, const std::string& dir);

}  // namespace agent::config
