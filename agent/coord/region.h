// The region: what should run (RegionSpec, from agent.yaml) and what does run (Region, the live
// view).
//
// Idea: everybody who needs to know an address, a port, a path or a pid asks here, so that there is
// one place that derives them. Ids are unique over the whole region; a replaced proxy or backend
// keeps its id, address and port, only its pid and start token change.
//
// What it leaves out: who owns which slot (tables.h) and how processes are made
// (action/process_provider).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/slots.h"
#include "base/time/clock.h"

namespace agent::coord {

struct RegionPorts {
  uint16_t operator_api = 7480;
  uint16_t status = 7481;
  uint16_t customer = 7482;
  uint16_t agents = 7483;
};

struct Programs {
  std::string proxy;      // path of mcguard-proxy
  std::string memcached;  // path of memcached
  std::string tool;       // path of mcguard
};

// Ports are the same for all members of a cluster: each has its own address.
struct ClusterPorts {
  uint16_t memcache = 11211;
  uint16_t tls = 0;   // 0: no such listener
  uint16_t open = 0;  // 0: no such listener
  uint16_t backend = 11214;
  uint16_t metrics = 7490;
  uint16_t links = 11240;  // game days: link of proxy number p of the cluster is links + p
};

struct ProxySpec {
  std::string id;
  std::string address;
  uint32_t workers = 0;  // 0: the proxy's default
};

struct BackendSpec {
  std::string id;
  std::string address;          // numeric, or the absolute path of memcached's Unix socket
  uint64_t memory = 64u << 20;  // bytes
  uint32_t weight = 1;

  bool is_unix() const { return !address.empty() && address.front() == '/'; }
};

struct ClusterSpec {
  std::string name;
  ClusterPorts ports;
  std::vector<ProxySpec> proxies;
  std::vector<BackendSpec> backends;

  // Where a backend listens beside its address; 0: nowhere, it has a Unix socket.
  uint16_t port_of(const BackendSpec& backend) const {
    return backend.is_unix() ? uint16_t{0} : ports.backend;
  }
};

// What the agent may take of its host (agent.yaml: budget).
struct AgentBudget {
  double cpu_share = 0.01;                    // of one core
  uint64_t memory_bytes = 64u << 20;          // resident
  uint64_t disk_bytes_per_second = 1u << 20;  // written, by the kernel's account
};

struct EchoPeer {
  std::string address;
  uint16_t port = 0;
};

// Echoes over UDP with the agents of other nodes (agent.yaml: echo).
struct EchoSpec {
  std::string listen;  // numeric IPv4 address, with the port ports.agents; empty: as echo_address()
  std::vector<EchoPeer> peers;  // asked for echoes, and answered
};

struct RegionSpec {
  std::string region = "local";
  bool gameday = false;
  std::string dir;  // absolute; the region's files (docs/architecture.md)
  RegionPorts ports;
  Programs programs;
  std::string rules_dir;
  std::string runbooks_dir;
  std::string policy;                 // file
  uint64_t record_bytes = 64u << 20;  // of signals on disk; 0: none are recorded
  AgentBudget budget;
  EchoSpec echo;
  std::vector<ClusterSpec> clusters;

  std::string run_path(std::string_view id, std::string_view suffix) const;  // D/run/<id><suffix>
  std::string log_path(std::string_view id) const;                           // D/log/<id>.log
  std::string state_dir(std::string_view id) const;                          // D/state/<id>
  std::string agent_socket() const;
  std::string forwarder_socket() const;
  // Where the agent answers echoes, with the port ports.agents; empty: it does not. On game days the
  // links lead there.
  std::string echo_address() const;
  std::string telemetry_path(std::string_view proxy) const;
};

inline constexpr std::string_view kForwarderId = "forwarder";

enum class Kind { kProxy, kBackend, kForwarder };
std::string_view to_string(Kind kind);

enum class ProcessState { kStarting, kUp, kStuck, kDead, kDraining, kEjected };
std::string_view to_string(ProcessState state);  // "starting", "up", …

// One member as it is now.
struct Process {
  Kind kind = Kind::kProxy;
  std::string id;
  std::string cluster;   // empty for the forwarder
  pid_t pid = 0;         // 0: no process
  std::string token;     // idempotency key of the call that started it
  base::WallTime since;  // of the present process or, when dead, of its end
  ProcessState state = ProcessState::kDead;
  std::string last_exit;  // "killed by signal 9", "exit status 1"; empty: none seen
};

// What an epoch table of a cluster may list: its backends with the weights of the definition.
std::vector<base::TableBackend> table_backends(const ClusterSpec& cluster);

// Thread: the control thread's. Owner: app.
// Invariant: holds exactly one Process per member of the spec (and the forwarder on game days).
class Region {
 public:
  explicit Region(RegionSpec spec);
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  const RegionSpec& spec() const { return spec_; }
  // nullptr: no such member. The pointers stay valid.
  const ClusterSpec* cluster(std::string_view name) const;
  const ProxySpec* proxy(std::string_view id) const;
  const BackendSpec* backend(std::string_view id) const;
  const ClusterSpec* cluster_of(std::string_view id) const;
  const Process* process(std::string_view id) const;
  size_t proxy_index(std::string_view id) const;  // within its cluster
  // All, in the order of the spec: backends, then the forwarder, then proxies.
  std::vector<const Process*> processes() const;

  // Where a proxy reaches a backend: the backend itself or, on game days, its link.
  uint16_t link_port(const ClusterSpec& cluster, std::string_view proxy) const;

  void started(std::string_view id, pid_t pid, std::string token, base::WallTime at);
  void ended(std::string_view id, std::string how, base::WallTime at);
  void set_state(std::string_view id, ProcessState state);
  // Grows at every change of a Process.
  uint64_t change_count() const { return changes_; }

 private:
  Process& mutable_process(std::string_view id);

  const RegionSpec spec_;
  std::map<std::string, Process, std::less<>> processes_;
  uint64_t changes_ = 0;
};

}  // namespace agent::coord
