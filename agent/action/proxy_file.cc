#include "agent/action/proxy_file.h"

#include "agent/action/own_certificate.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

namespace agent::action {
namespace {

// JSON strings are YAML double-quoted scalars.
std::string quoted(const std::string& text) {
  return boost::json::serialize(boost::json::value(text));
}

std::string endpoint(const std::string& address, uint16_t port) {
  return "{address: " + quoted(address) + ", port: " + std::to_string(port) + "}";
}

}  // namespace

std::string proxy_file_path(const coord::RegionSpec& region, std::string_view proxy) {
  return region.state_dir(proxy) + "/proxy.yaml";
}

std::string proxy_file(const coord::RegionSpec& region, const coord::ClusterSpec& cluster,
                       const coord::ProxySpec& proxy, base::CacheId open_cache) {
  std::string text = "# Written by mcguard-agent at each start of this proxy.\n";
  const auto line = [&](const char* key, const std::string& value) {
    text += std::string(key) + ": " + value + "\n";
  };
  line("id", proxy.id);
  line("cluster", cluster.name);
  line("listen", endpoint(proxy.address, cluster.ports.memcache));
  if (cluster.ports.open != 0 && open_cache != 0) {
    line("open", "{port: " + std::to_string(cluster.ports.open) +
                     ", cache: " + std::to_string(open_cache) + "}");
  }
  if (cluster.ports.tls != 0) {
    line("tls", "{port: " + std::to_string(cluster.ports.tls) +
                    ", certificate: " + quoted(certificate_path(region)) +
                    ", key: " + quoted(certificate_key_path(region)) + "}");
  }
  line("metrics", endpoint(proxy.address, cluster.ports.metrics));
  if (proxy.workers != 0) line("workers", std::to_string(proxy.workers));
  line("state_dir", quoted(region.state_dir(proxy.id)));
  line("control_socket", quoted(region.run_path(proxy.id, ".sock")));
  line("agent_socket", quoted(region.agent_socket()));
  line("telemetry_file", quoted(region.telemetry_path(proxy.id)));
  line("log", "{level: info, file: " + quoted(region.log_path(proxy.id)) + "}");
  return text;
}

}  // namespace agent::action
