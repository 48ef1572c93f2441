// What `stats` shows: the cache as this proxy sees it. Items, bytes, evictions and expired ones are
// estimates (proxy/tenant/ledger.h); `items_error_percent` says how far off curr_items may be.
#include <unistd.h>

#include <string>

#include "base/memcache/ascii_writer.h"
#include "base/memcache/binary_writer.h"
#include "proxy/frontend/worker.h"

namespace proxy {

namespace ascii = base::memcache::ascii;
namespace binary = base::memcache::binary;
using base::memcache::Buffer;
using base::memcache::Request;

namespace {

constexpr const char* kVersion = "1.6.18-mcguard";

// Writes lines in the request's protocol. Thread: the worker's. Owner: a call.
class StatLines {
 public:
  StatLines(Buffer& out, const Request& request) : out_(out), request_(request) {}

  void show(std::string_view name, std::string_view value) {
    if (is_binary()) {
      binary::append_stat(out_, request_, name, value);
    } else {
      ascii::append_stat(out_, name, value);
    }
  }
  void show(std::string_view name, uint64_t value) { show(name, std::to_string(value)); }
  void end() {
    if (is_binary()) {
      binary::append_stat(out_, request_, {}, {});
    } else {
      out_.append(ascii::kEnd);
    }
  }

 private:
  bool is_binary() const { return request_.protocol == base::memcache::Protocol::kBinary; }
  Buffer& out_;
  const Request& request_;
};

}  // namespace

void Worker::show_stats(Buffer& out, const Request& request, const Session& session) {
  StatLines lines(out, request);
  lines.show("pid", static_cast<uint64_t>(::getpid()));
  lines.show("uptime", static_cast<uint64_t>((now_ - started_).count() / 1'000'000'000));
  lines.show("time", static_cast<uint64_t>(wall_seconds()));
  lines.show("version", kVersion);
  lines.show("pointer_size", 8 * sizeof(void*));
  lines.show("curr_connections", session.account->connections());
  const tenant::Cache* cache = world().directory->caches.find(session.cache);
  if (cache != nullptr && cache->limit_bytes != 0) {
    lines.show("limit_maxbytes", cache->limit_bytes);
  }
  const tenant::Estimate estimate =
      session.account->ledger().estimate(session.generation, static_cast<uint32_t>(wall_seconds()));
  lines.show("bytes", estimate.bytes);
  lines.show("curr_items", estimate.items);
  lines.show("items_error_percent", static_cast<uint64_t>(estimate.error * 100));
  lines.show("evictions", estimate.evictions);
  lines.show("expired", estimate.expired);
  const tenant::Counts counts = session.account->counts();
  for (size_t i = 0; i < tenant::kCountCount; ++i) {
    lines.show(tenant::to_string(static_cast<tenant::Count>(i)), counts[i]);
  }
  lines.end();
}

void Worker::show_proxy_stats(Buffer& out, const Request& request) {
  StatLines lines(out, request);
  lines.show("version", kVersion);
  lines.show("uptime", static_cast<uint64_t>((now_ - started_).count() / 1'000'000'000));
  lines.show("epoch", world().view->committed);
  lines.show("backends", world().view->backends.size());
  lines.show("backends_connected", router_.connected_backends());
  lines.show("request_timeout_ms",
             static_cast<uint64_t>(world().settings.timeouts.request.count() / 1'000'000));
  lines.end();
}

}  // namespace proxy
