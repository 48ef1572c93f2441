// What `stats` shows: the cache as this proxy sees it. Numbers that only a backend knows (items,
// bytes) are left out rather than guessed.
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

void Worker::show_stats(Buffer& out, const Request& request, const Session& session) {
  const bool is_binary = request.protocol == base::memcache::Protocol::kBinary;
  const auto show = [&](std::string_view name, std::string_view value) {
    if (is_binary) {
      binary::append_stat(out, request, name, value);
    } else {
      ascii::append_stat(out, name, value);
    }
  };
  const auto show_number = [&](std::string_view name, uint64_t value) {
    show(name, std::to_string(value));
  };
  show_number("pid", static_cast<uint64_t>(::getpid()));
  show_number("uptime", static_cast<uint64_t>((now_ - started_).count() / 1'000'000'000));
  show_number("time", static_cast<uint64_t>(wall_seconds()));
  show("version", "1.6.18-mcguard");
  show_number("pointer_size", 8 * sizeof(void*));
  show_number("curr_connections", session.account->connections());
  const tenant::Cache* cache = world().directory->caches.find(session.cache);
  if (cache != nullptr && cache->limit_bytes != 0) {
    show_number("limit_maxbytes", cache->limit_bytes);
  }
  const tenant::Counts counts = session.account->counts();
  for (size_t i = 0; i < tenant::kCountCount; ++i) {
    show_number(tenant::to_string(static_cast<tenant::Count>(i)), counts[i]);
  }
  if (is_binary) {
    binary::append_stat(out, request, {}, {});
  } else {
    out.append(ascii::kEnd);
  }
}

}  // namespace proxy
