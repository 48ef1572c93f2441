// Which names are moved, where, and with which key: the map `dns` of agent.yaml, read strictly.
//
//   dns:
//     driver: rfc2136                                    # or exec, or file
//     zone: cache.example.net
//     servers: [{address: 10.0.0.53, port: 53}, {address: 10.0.1.53}]        # the primary first
//     key: {name: mcguard, algorithm: hmac-sha256, secret_file: /etc/mcguard/dns.key}
//     ttl: 30s                                           # 30s to 60s
//
// exec instead of servers and key: program: /usr/libexec/mcguard-dns (absolute); file: directory: ….
// The secret file holds the key in base64, alone; others may not read it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dns/courier.h"
#include "agent/dns/dns_switch.h"
#include "agent/dns/tsig.h"
#include "base/config/yaml.h"
#include "base/core/result.h"

namespace agent::dns {

enum class Driver { kRfc2136, kExec, kFile };

struct KeyConfig {
  std::string name;
  TsigAlgorithm algorithm = TsigAlgorithm::kHmacSha256;
  std::string secret_file;  // absolute
};

struct DnsConfig {
  Driver driver = Driver::kRfc2136;
  std::string zone;  // normal form (change.h)
  std::chrono::seconds ttl = kLeastTtl;
  std::vector<ServerPlace> servers;  // rfc2136; the primary first
  KeyConfig key;                     // rfc2136
  std::string program;               // exec
  std::string directory;             // file
};

// The value of `dns`; what is wrong goes to the document's problems.
DnsConfig read_dns_config(const base::config::Node& node);
// A document that is only this map; `file` in messages.
base::Result<DnsConfig> parse_dns_config(std::string_view text, const std::string& file);

// kPermission: others may read the file. kInvalid: no base64, or less than 16 bytes.
base::Result<Key> load_key(const KeyConfig& config);

}  // namespace agent::dns
