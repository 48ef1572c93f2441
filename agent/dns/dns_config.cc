#include "agent/dns/dns_config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/dns/change.h"
#include "base/core/text.h"
#include "base/net/fd.h"

namespace agent::dns {
namespace {

using base::Error;
using base::ErrorCode;
using base::config::Map;
using base::config::Node;

constexpr size_t kMostServers = 16;
constexpr size_t kShortestSecret = 16;
constexpr size_t kLargestSecretFile = 4096;

std::string read_name(const Node& node) {
  const std::string text = node.text();
  if (text.empty()) return text;  // reported already, or missing
  const auto name = normal_name(text);
  if (!name) node.problem("a domain name of a-z, 0-9, '-' and '_'");
  return name ? *name : "";
}

std::string read_path(const Node& node) {
  std::string text = node.text();
  if (!text.empty() && text.front() != '/') node.problem("an absolute path");
  return text;
}

ServerPlace read_server(const Node& node) {
  Map map(node);
  ServerPlace place;
  const Node address = map.required("address");
  const std::string text = address.text();
  const auto normal = normal_address(text);
  if (normal) {
    place.address = *normal;
  } else if (!text.empty()) {
    address.problem("an IPv4 or IPv6 address");
  }
  place.port = static_cast<uint16_t>(map.integer("port", place.port, 1, 65535));
  map.finish();
  return place;
}

std::vector<ServerPlace> read_servers(const Node& node) {
  std::vector<ServerPlace> servers;
  const std::vector<Node> items = node.list();
  if (node.is_list() && (items.empty() || items.size() > kMostServers)) {
    node.problem("1 to 16 servers, the primary first");
  }
  for (const Node& item : items) {
    ServerPlace place = read_server(item);
    const bool twice = std::any_of(servers.begin(), servers.end(), [&](const ServerPlace& other) {
      return other.address == place.address && other.port == place.port;
    });
    if (twice && !place.address.empty()) item.problem_text("this server is there twice");
    servers.push_back(std::move(place));
  }
  return servers;
}

KeyConfig read_key(const Node& node) {
  Map map(node);
  KeyConfig key;
  key.name = read_name(map.required("name"));
  key.algorithm = map.choice("algorithm", 0, {"hmac-sha256", "hmac-sha512"}) == 0
                      ? TsigAlgorithm::kHmacSha256
                      : TsigAlgorithm::kHmacSha512;
  key.secret_file = read_path(map.required("secret_file"));
  map.finish();
  return key;
}

// The file's content, if nobody but its owner and group may read it.
base::Result<std::string> read_private(const std::string& path) {
  const auto failed = [&](ErrorCode code) {
    return Error(code, "cannot read " + path + ": " + std::strerror(errno));
  };
  const base::net::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return failed(errno == ENOENT   ? ErrorCode::kNotFound
                  : errno == EACCES ? ErrorCode::kPermission
                                    : ErrorCode::kIo);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed(ErrorCode::kIo);
  if (!S_ISREG(info.st_mode)) return Error(ErrorCode::kInvalid, path + " is no regular file");
  if ((info.st_mode & 0007) != 0) {
    return Error(ErrorCode::kPermission,
                 path + " may be read or written by everybody; run: chmod o= " + path);
  }
  std::string content(kLargestSecretFile, '\0');
  const ssize_t size = ::read(fd.get(), content.data(), content.size());
  if (size < 0) return failed(ErrorCode::kIo);
  content.resize(static_cast<size_t>(size));
  return content;
}

}  // namespace

DnsConfig read_dns_config(const Node& node) {
  Map map(node);
  DnsConfig config;
  config.driver = static_cast<Driver>(map.choice("driver", 0, {"rfc2136", "exec", "file"}));
  config.zone = read_name(map.required("zone"));
  const base::Duration ttl = map.duration("ttl", config.ttl, kLeastTtl, kMostTtl);
  config.ttl = std::chrono::duration_cast<std::chrono::seconds>(ttl);
  if (config.ttl != ttl) map.required("ttl").problem("whole seconds");
  switch (config.driver) {
    case Driver::kRfc2136:
      config.servers = read_servers(map.required("servers"));
      config.key = read_key(map.required("key"));
      break;
    case Driver::kExec:
      config.program = read_path(map.required("program"));
      break;
    case Driver::kFile:
      config.directory = read_path(map.required("directory"));
      break;
  }
  map.finish();
  return config;
}

base::Result<DnsConfig> parse_dns_config(std::string_view text, const std::string& file) {
  base::config::Problems problems;
  DnsConfig config = read_dns_config(base::config::Document::parse(text, file, problems));
  if (auto judged = problems.result(); !judged) return judged.error();
  return config;
}

base::Result<Key> load_key(const KeyConfig& config) {
  auto content = read_private(config.secret_file);
  if (!content) return content.error();
  while (!content->empty() && (content->back() == '\n' || content->back() == '\r')) {
    content->pop_back();
  }
  auto secret = base::base64_decode(*content);
  if (!secret) {
    return Error(ErrorCode::kInvalid,
                 config.secret_file + " does not hold a secret in base64, and only that");
  }
  if (secret->size() < kShortestSecret) {
    return Error(ErrorCode::kInvalid, config.secret_file + ": a secret of less than 16 bytes");
  }
  Key key;
  key.name = config.name;
  key.algorithm = config.algorithm;
  key.secret = base::Secret(std::move(*secret));
  return key;
}

}  // namespace agent::dns
