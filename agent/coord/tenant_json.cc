#include "agent/coord/tenant_json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "base/core/text.h"

namespace agent::coord {
namespace {

// Reads one stored document; a missing or mistyped member makes it damaged.
class Reader {
 public:
  Reader(const std::string& key, const std::string& text) : key_(key) {
    boost::system::error_code failed;
    value_ = boost::json::parse(text, failed);
    if (failed || !value_.is_object()) damage("not a JSON object");
  }
  std::string text(std::string_view name) {
    const boost::json::value* value = find(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
    damage(name);
    return {};
  }
  uint64_t number(std::string_view name) {
    const boost::json::value* value = find(name);
    boost::system::error_code failed;
    if (value != nullptr && value->is_number()) {
      const uint64_t number = value->to_number<uint64_t>(failed);
      if (!failed) return number;
    }
    damage(name);
    return 0;
  }
  uint64_t number_or(std::string_view name, uint64_t otherwise) {
    return find(name) == nullptr ? otherwise : number(name);
  }
  bool flag(std::string_view name) {
    const boost::json::value* value = find(name);
    if (value != nullptr && value->is_bool()) return value->get_bool();
    damage(name);
    return false;
  }
  template <class T>
  base::Result<T> finish(T result) const {
    if (damage_.empty()) return result;
    return base::Error(base::ErrorCode::kInvalid, "the store's " + key_ + " is damaged (" +
                                                      damage_ + "); restore agent.db from a copy");
  }

 private:
  const boost::json::value* find(std::string_view name) const {
    return value_.is_object() ? value_.get_object().if_contains(name) : nullptr;
  }
  void damage(std::string_view what) {
    if (damage_.empty()) damage_ = what;
  }
  std::string key_;
  std::string damage_;
  boost::json::value value_;
};

}  // namespace

std::string cache_key(base::CacheId id) {
  return "/caches/" + std::to_string(id);
}
std::string credential_key(std::string_view user) {
  return "/credentials/" + std::string(user);
}
std::string tenants_key(std::string_view cluster) {
  return "/clusters/" + std::string(cluster) + "/tenants";
}
std::string flush_prefix(std::string_view cluster) {
  return "/flushes/" + std::string(cluster) + "/";
}
std::string flush_key(std::string_view cluster, uint64_t sequence) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%012llu", static_cast<unsigned long long>(sequence));
  return flush_prefix(cluster) + digits;
}
std::optional<uint64_t> parse_flush_key(std::string_view key) {
  return base::parse_u64(key.substr(key.rfind('/') + 1));
}

std::string to_document(const Cache& cache) {
  boost::json::object o;
  o["id"] = cache.id;
  o["label"] = cache.label;
  o["plan"] = cache.plan;
  o["cluster"] = cache.cluster;
  o["generation"] = cache.generation;
  o["flushed_at"] = cache.flushed_at;
  o["enabled"] = cache.enabled;
  o["internal"] = cache.internal;
  o["limit_bytes"] = cache.limit_bytes;
  o["connection_limit"] = cache.connection_limit;
  o["created_at"] = cache.created_at;
  return boost::json::serialize(o);
}

std::string to_document(const Credential& credential) {
  boost::json::object o;
  o["user"] = credential.user;
  o["cache"] = credential.cache;
  o["salt"] = credential.salt;
  o["verifier"] = credential.verifier;
  o["sealed"] = credential.sealed;
  o["write"] = credential.write;
  o["flush"] = credential.flush;
  o["api"] = credential.api;
  o["primary"] = credential.primary;
  o["created_at"] = credential.created_at;
  return boost::json::serialize(o);
}

std::string to_document(const TenantVersion& version) {
  boost::json::object o;
  o["generation"] = version.generation;
  o["flush_sequence"] = version.flush_sequence;
  o["form"] = version.form;
  return boost::json::serialize(o);
}

base::Result<Cache> parse_cache(const std::string& key, const std::string& text) {
  Reader reader(key, text);
  Cache cache;
  cache.id = static_cast<base::CacheId>(reader.number("id"));
  cache.label = reader.text("label");
  cache.plan = reader.text("plan");
  cache.cluster = reader.text("cluster");
  cache.generation = static_cast<base::Generation>(reader.number("generation"));
  cache.flushed_at = reader.number_or("flushed_at", 0);
  cache.enabled = reader.flag("enabled");
  cache.internal = reader.flag("internal");
  cache.limit_bytes = reader.number("limit_bytes");
  cache.connection_limit = static_cast<uint32_t>(reader.number("connection_limit"));
  cache.created_at = reader.text("created_at");
  return reader.finish(std::move(cache));
}

base::Result<Credential> parse_credential(const std::string& key, const std::string& text) {
  Reader reader(key, text);
  Credential credential;
  credential.user = reader.text("user");
  credential.cache = static_cast<base::CacheId>(reader.number("cache"));
  credential.salt = reader.text("salt");
  credential.verifier = reader.text("verifier");
  credential.sealed = reader.text("sealed");
  credential.write = reader.flag("write");
  credential.flush = reader.flag("flush");
  credential.api = reader.flag("api");
  credential.primary = reader.flag("primary");
  credential.created_at = reader.text("created_at");
  return reader.finish(std::move(credential));
}

base::Result<TenantVersion> parse_version(const std::string& key, const std::string& text) {
  Reader reader(key, text);
  TenantVersion version;
  version.generation = reader.number("generation");
  version.flush_sequence = reader.number("flush_sequence");
  version.form = reader.number_or("form", 0);
  return reader.finish(version);
}

boost::json::object to_proxy_json(const Credential& credential) {
  boost::json::object o;
  o["user"] = credential.user;
  o["cache"] = credential.cache;
  o["salt"] = credential.salt;
  o["verifier"] = credential.verifier;
  o["write"] = credential.write;
  o["flush"] = credential.flush;
  o["api"] = credential.api;
  return o;
}

}  // namespace agent::coord
