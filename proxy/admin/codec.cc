#include "proxy/admin/codec.h"

#include <boost/json.hpp>
#include <limits>
#include <set>

#include "base/core/text.h"
#include "base/memcache/stored_key.h"
#include "base/net/socket_address.h"
#include "base/telemetry/segment.h"

namespace proxy::admin {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr size_t kVerifierSize = 32;
constexpr size_t kLongestName = 250;
constexpr size_t kLongestAddress = 1024;

// Reads the members of one object; the first that is wrong is remembered, and reading goes on with
// harmless values, so that readers stay straight lines.
class Reader {
 public:
  Reader(const json::object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  uint64_t number(std::string_view key, uint64_t min, uint64_t max) {
    const json::value* value = find(key);
    uint64_t number = min;
    if (value != nullptr && value->is_uint64()) {
      number = value->get_uint64();
    } else if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
      number = static_cast<uint64_t>(value->get_int64());
    } else {
      fail(key, "a number");
      return min;
    }
    if (number < min || number > max) {
      fail(key, "a number from " + std::to_string(min) + " to " + std::to_string(max));
      return min;
    }
    return number;
  }
  uint64_t number_or(std::string_view key, uint64_t fallback, uint64_t max) {
    return has(key) ? number(key, 0, max) : fallback;
  }
  bool boolean_or(std::string_view key, bool fallback) {
    if (!has(key)) return fallback;
    const json::value* value = find(key);
    if (!value->is_bool()) return fail(key, "true or false"), fallback;
    return value->get_bool();
  }
  std::string text(std::string_view key, size_t longest) {
    const json::value* value = find(key);
    if (value == nullptr || !value->is_string() || value->get_string().empty() ||
        value->get_string().size() > longest) {
      return fail(key, "a text of 1 to " + std::to_string(longest) + " bytes"), std::string();
    }
    return std::string(value->get_string().data(), value->get_string().size());
  }
  std::string text_or(std::string_view key, size_t longest) {
    const json::value* value = find(key);
    if (value != nullptr && value->is_string() && value->get_string().empty()) return {};
    return has(key) ? text(key, longest) : std::string();
  }
  std::string hex(std::string_view key, size_t size) {
    const auto bytes = base::hex_decode(text(key, 1024));
    if (!bytes || (size != 0 && bytes->size() != size)) {
      return fail(key, size == 0 ? "hex digits" : std::to_string(2 * size) + " hex digits"),
             std::string();
    }
    return *bytes;
  }
  // Objects of a list that may be missing.
  template <class Read>
  auto objects(std::string_view key, Read read) {
    std::vector<decltype(read(std::declval<Reader&>()))> items;
    for_each(key, [&](const json::value& item, const std::string& where) {
      if (!item.is_object()) return fail_at(where, "an object");
      Reader reader(item.get_object(), where);
      items.push_back(read(reader));
      if (error_.empty()) error_ = reader.error_;
    });
    return items;
  }
  template <class Visit>
  void for_each(std::string_view key, Visit visit) {
    if (!has(key)) return;
    const json::value* list = find(key);
    if (!list->is_array()) return fail(key, "a list");
    size_t i = 0;
    for (const json::value& item : list->get_array()) {
      visit(item, path(key) + "[" + std::to_string(i++) + "]");
    }
  }

  void fail(std::string_view key, std::string_view expected) { fail_at(path(key), expected); }
  void fail_at(const std::string& where, std::string_view expected) {
    if (error_.empty()) error_ = where + ": expected " + std::string(expected);
  }
  bool ok() const { return error_.empty(); }
  Error error() const { return Error(ErrorCode::kInvalid, error_); }

 private:
  bool has(std::string_view key) const {
    const json::value* value = find(key);
    return value != nullptr && !value->is_null();
  }
  const json::value* find(std::string_view key) const {
    return object_.if_contains(json::string_view(key.data(), key.size()));
  }
  std::string path(std::string_view key) const {
    return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
  }

  const json::object& object_;
  std::string where_;
  std::string error_;
};

constexpr uint64_t kAnyNumber = std::numeric_limits<int64_t>::max();

tenant::Cache read_cache(Reader& reader) {
  tenant::Cache cache;
  cache.id = static_cast<base::CacheId>(reader.number("id", 1, base::memcache::kMaxCacheId));
  cache.generation =
      static_cast<base::Generation>(reader.number("generation", 1, base::memcache::kMaxGeneration));
  cache.flushed_at = reader.number_or("flushed_at", 0, kAnyNumber);
  cache.enabled = reader.boolean_or("enabled", true);
  cache.limit_bytes = reader.number_or("limit_bytes", 0, kAnyNumber);
  cache.connection_limit =
      static_cast<uint32_t>(reader.number_or("connection_limit", 0, 0xffffffff));
  cache.label = reader.text_or("label", kLongestName);
  const std::string secret = reader.text_or("cas_secret", kLongestName);
  if (!secret.empty()) {
    const auto parsed = base::memcache::parse_cas_secret(secret);
    if (!parsed) reader.fail("cas_secret", "32 hex digits");
    cache.cas_secret = parsed.value_or(base::memcache::CasSecret{});
  }
  return cache;
}

tenant::Credential read_credential(Reader& reader) {
  tenant::Credential credential;
  credential.user = reader.text("user", kLongestName);
  credential.cache =
      static_cast<base::CacheId>(reader.number("cache", 1, base::memcache::kMaxCacheId));
  credential.salt = reader.hex("salt", 0);
  credential.verifier = reader.hex("verifier", kVerifierSize);
  credential.write = reader.boolean_or("write", false);
  credential.flush = reader.boolean_or("flush", false);
  credential.api = reader.boolean_or("api", false);
  return credential;
}

BackendAddress read_backend(Reader& reader) {
  BackendAddress backend;
  backend.id = reader.text("id", 47);
  backend.address = reader.text("address", kLongestAddress);
  if (backend.address.starts_with('/')) return backend;
  backend.port = static_cast<uint16_t>(reader.number("port", 1, 65535));
  if (!base::net::make_socket_address(backend.address, backend.port)) {
    reader.fail("address", "a numeric IPv4 or IPv6 address, or the absolute path of a Unix socket");
  }
  return backend;
}

json::object cache_json(const tenant::Cache& cache) {
  return {{"id", cache.id},
          {"label", cache.label},
          {"enabled", cache.enabled},
          {"generation", cache.generation},
          {"flushed_at", cache.flushed_at},
          {"limit_bytes", cache.limit_bytes},
          {"connection_limit", cache.connection_limit},
          {"cas_secret", base::memcache::to_text(cache.cas_secret)}};
}

json::object credential_json(const tenant::Credential& credential) {
  return {{"user", credential.user},
          {"cache", credential.cache},
          {"salt", base::hex_encode(credential.salt)},
          {"verifier", base::hex_encode(credential.verifier)},
          {"write", credential.write},
          {"flush", credential.flush},
          {"api", credential.api}};
}

}  // namespace

Result<Configuration> parse_configuration(const json::object& args) {
  Reader reader(args, {});
  Configuration configuration;
  configuration.generation = reader.number("generation", 1, kAnyNumber);
  configuration.flush_sequence = reader.number_or("flush_sequence", 0, kAnyNumber);
  configuration.completed_flush = reader.number_or("completed_flush", 0, kAnyNumber);
  configuration.backends = reader.objects("backends", read_backend);
  configuration.caches = reader.objects("caches", read_cache);
  configuration.credentials = reader.objects("credentials", read_credential);
  if (configuration.backends.size() > base::telemetry::kMaxBackends) {
    reader.fail("backends", "at most " + std::to_string(base::telemetry::kMaxBackends));
  }
  std::set<std::string> ids;
  for (const BackendAddress& backend : configuration.backends) {
    if (!ids.insert(backend.id).second) reader.fail("backends", "ids that differ");
  }
  if (!reader.ok()) return reader.error();
  return configuration;
}

Result<Change> parse_change(const json::object& args) {
  Reader reader(args, {});
  Change change;
  change.base = reader.number("base", 0, kAnyNumber);
  change.generation = reader.number("generation", 1, kAnyNumber);
  change.caches = reader.objects("caches", read_cache);
  change.credentials = reader.objects("credentials", read_credential);
  reader.for_each("remove_caches", [&](const json::value& item, const std::string& where) {
    json::error_code wrong;
    const auto id = item.is_number() ? item.to_number<base::CacheId>(wrong) : 0;
    if (!item.is_number() || wrong) return reader.fail_at(where, "a cache's number");
    change.remove_caches.push_back(id);
  });
  reader.for_each("remove_credentials", [&](const json::value& item, const std::string& where) {
    if (!item.is_string()) return reader.fail_at(where, "a user's name");
    change.remove_credentials.emplace_back(item.get_string().data(), item.get_string().size());
  });
  if (!reader.ok()) return reader.error();
  return change;
}

Result<Flush> parse_flush(const json::object& args) {
  Reader reader(args, {});
  Flush flush;
  flush.cache = static_cast<base::CacheId>(reader.number("cache", 1, base::memcache::kMaxCacheId));
  flush.generation =
      static_cast<base::Generation>(reader.number("generation", 1, base::memcache::kMaxGeneration));
  flush.sequence = reader.number("sequence", 1, kAnyNumber);
  if (!reader.ok()) return reader.error();
  return flush;
}

Result<uint64_t> parse_completion(const json::object& args) {
  Reader reader(args, {});
  const uint64_t sequence = reader.number("sequence", 1, kAnyNumber);
  if (!reader.ok()) return reader.error();
  return sequence;
}

Result<base::Epoch> parse_epoch(const json::object& args) {
  Reader reader(args, {});
  const auto epoch = static_cast<base::Epoch>(reader.number("epoch", 1, base::memcache::kMaxEpoch));
  if (!reader.ok()) return reader.error();
  return epoch;
}

json::object to_json(const tenant::Directory& directory,
                     const std::vector<BackendAddress>& backends) {
  json::array backend_list, caches, credentials;
  for (const BackendAddress& backend : backends) {
    backend_list.push_back(
        json::object{{"id", backend.id}, {"address", backend.address}, {"port", backend.port}});
  }
  directory.caches.for_each(
      [&](const tenant::Cache& cache) { caches.push_back(cache_json(cache)); });
  directory.credentials.for_each([&](const tenant::Credential& credential) {
    credentials.push_back(credential_json(credential));
  });
  return {{"generation", directory.generation},
          {"flush_sequence", directory.flush_sequence()},
          {"completed_flush", directory.completed_flush()},
          {"backends", std::move(backend_list)},
          {"caches", std::move(caches)},
          {"credentials", std::move(credentials)}};
}

std::shared_ptr<tenant::Directory> configured(const tenant::Directory& before,
                                              const Configuration& configuration) {
  auto next = std::make_shared<tenant::Directory>();
  next->generation = configuration.generation;
  for (tenant::Cache cache : configuration.caches) {
    if (const tenant::Cache* known = before.caches.find(cache.id)) cache.keep_flushes_of(*known);
    next->put_cache(std::move(cache));
  }
  for (const tenant::Credential& credential : configuration.credentials) {
    next->credentials.put(credential.user, credential);
  }
  next->flushed_up_to(std::max(before.flush_sequence(), configuration.flush_sequence));
  next->complete_flushes(std::max(before.completed_flush(), configuration.completed_flush));
  return next;
}

std::shared_ptr<tenant::Directory> changed(const tenant::Directory& before, const Change& change) {
  auto next = std::make_shared<tenant::Directory>(before);
  next->generation = change.generation;
  for (const tenant::Cache& cache : change.caches) next->put_cache(cache);
  for (const tenant::Credential& credential : change.credentials) {
    next->credentials.put(credential.user, credential);
  }
  for (const base::CacheId id : change.remove_caches) next->caches.erase(id);
  for (const std::string& user : change.remove_credentials) next->credentials.erase(user);
  return next;
}

}  // namespace proxy::admin
