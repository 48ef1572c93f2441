// Caches, credentials and flushes as JSON: in the store, and in calls to proxies.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/coord/tenants.h"
#include "base/core/result.h"

namespace agent::coord {

std::string cache_key(base::CacheId id);                             // "/caches/12"
std::string credential_key(std::string_view user);                   // "/credentials/a1b2c3"
std::string tenants_key(std::string_view cluster);                   // "/clusters/amber/tenants"
std::string flush_prefix(std::string_view cluster);                  // of its flush_key()s
std::string flush_key(std::string_view cluster, uint64_t sequence);  // in order of sequence
std::optional<uint64_t> parse_flush_key(std::string_view key);

std::string to_document(const Cache& cache);
std::string to_document(const Credential& credential);
std::string to_document(const TenantVersion& version);
base::Result<Cache> parse_cache(const std::string& key, const std::string& text);
base::Result<Credential> parse_credential(const std::string& key, const std::string& text);
base::Result<TenantVersion> parse_version(const std::string& key, const std::string& text);

}  // namespace agent::coord
