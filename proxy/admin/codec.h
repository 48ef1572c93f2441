// The proxy's documents: what the control socket carries and what lies on disk, as JSON.
//
// One reader serves both, so that a file written by the proxy is checked as strictly as a call. The
// forms are those of docs/architecture.md "Calls to a proxy".
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "proxy/tenant/directory.h"

namespace proxy::admin {

struct BackendAddress {
  std::string id;
  std::string address;  // numeric, or the path of a Unix socket (then without a port)
  uint16_t port = 0;
};

// The args of `configure`.
struct Configuration {
  uint64_t generation = 0;
  uint64_t flush_sequence = 0;
  uint64_t completed_flush = 0;
  std::vector<BackendAddress> backends;
  std::vector<tenant::Cache> caches;
  std::vector<tenant::Credential> credentials;
};
// The args of `change`.
struct Change {
  uint64_t base = 0;
  uint64_t generation = 0;
  std::vector<tenant::Cache> caches;
  std::vector<tenant::Credential> credentials;
  std::vector<base::CacheId> remove_caches;
  std::vector<std::string> remove_credentials;
};
// The args of `flush`.
struct Flush {
  base::CacheId cache = 0;
  base::Generation generation = 0;
  uint64_t sequence = 0;
};

// kInvalid names the key and what was expected.
base::Result<Configuration> parse_configuration(const boost::json::object& args);
base::Result<Change> parse_change(const boost::json::object& args);
base::Result<Flush> parse_flush(const boost::json::object& args);
// The args of `flush.complete`: {sequence}.
base::Result<uint64_t> parse_completion(const boost::json::object& args);
base::Result<base::Epoch> parse_epoch(const boost::json::object& args);

boost::json::object to_json(const tenant::Directory& directory,
                            const std::vector<BackendAddress>& backends);

// What the calls mean for a directory. `configured` keeps the generations and the sequences that
// `before` has already reached: flushes are never undone.
std::shared_ptr<tenant::Directory> configured(const tenant::Directory& before,
                                              const Configuration& configuration);
std::shared_ptr<tenant::Directory> changed(const tenant::Directory& before, const Change& change);

}  // namespace proxy::admin
