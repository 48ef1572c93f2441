#include "proxy/handover/record.h"

#include <type_traits>

namespace proxy::handover {

using base::memcache::Protocol;

namespace {

enum Flag : uint8_t {
  kGreeting = 1,
  kTls = 2,
  kFinishing = 4,
  kAuthenticated = 8,
  kCounted = 16,
  kFlush = 32,
  kQuietFlush = 64,
};
constexpr uint8_t kAllFlags = 127;

template <class Integer>
void put(std::string& out, Integer number) {
  auto bits = static_cast<std::make_unsigned_t<Integer>>(number);
  for (size_t i = 0; i < sizeof bits; ++i) {
    out.push_back(static_cast<char>(bits & 0xff));
    if constexpr (sizeof bits > 1) bits = static_cast<decltype(bits)>(bits >> 8);
  }
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

// Reads from the front; once something is missing everything reads as zero and ok is false.
struct Reader {
  std::string_view left;
  bool ok = true;

  std::string_view take(size_t size) {
    ok = ok && left.size() >= size;
    if (!ok) return {};
    const std::string_view taken = left.substr(0, size);
    left.remove_prefix(size);
    return taken;
  }
  template <class Integer>
  Integer number() {
    const std::string_view bytes = take(sizeof(Integer));
    uint64_t bits = 0;
    for (size_t i = bytes.size(); i > 0; --i) {
      bits = bits << 8 | static_cast<unsigned char>(bytes[i - 1]);
    }
    return static_cast<Integer>(bits);
  }
  std::string text() { return std::string(take(number<uint32_t>())); }
};

uint8_t flags_of(const ClientRecord& record) {
  int flags = 0;
  if (record.is_greeting) flags |= kGreeting;
  if (record.is_tls) flags |= kTls;
  if (record.is_finishing) flags |= kFinishing;
  if (record.is_authenticated) flags |= kAuthenticated;
  if (record.is_counted) flags |= kCounted;
  if (record.flush) flags |= kFlush;
  if (record.flush && record.flush->quiet) flags |= kQuietFlush;
  return static_cast<uint8_t>(flags);
}

}  // namespace

void append_record(std::string& out, const ClientRecord& record) {
  put(out, flags_of(record));
  put(out, static_cast<uint8_t>(record.protocol));
  put(out, record.failed_tries);
  put(out, record.open_cache);
  put(out, record.cache);
  put(out, record.proof);
  put(out, record.address[0]);
  put(out, record.address[1]);
  put(out, record.opened.ns);
  put(out, record.active.ns);
  put(out, record.swallow);
  put_text(out, record.user);
  put_text(out, record.in);
  put_text(out, record.out);
  if (!record.flush) return;
  put(out, record.flush->opcode);
  put(out, record.flush->opaque);
  put(out, record.flush->exptime);
}

base::Result<ClientRecord> take_record(std::string_view& text) {
  const auto invalid = [&](const char* why) {
    return base::Error(base::ErrorCode::kInvalid, std::string("a client's record ") + why);
  };
  Reader reader{text};
  ClientRecord record;
  const auto flags = reader.number<uint8_t>();
  const auto protocol = reader.number<uint8_t>();
  record.failed_tries = reader.number<uint8_t>();
  record.open_cache = reader.number<base::CacheId>();
  record.cache = reader.number<base::CacheId>();
  record.proof = reader.number<uint64_t>();
  record.address[0] = reader.number<uint64_t>();
  record.address[1] = reader.number<uint64_t>();
  record.opened.ns = reader.number<int64_t>();
  record.active.ns = reader.number<int64_t>();
  record.swallow = reader.number<uint64_t>();
  record.user = reader.text();
  record.in = reader.text();
  record.out = reader.text();
  record.is_greeting = (flags & kGreeting) != 0;
  record.is_tls = (flags & kTls) != 0;
  record.is_finishing = (flags & kFinishing) != 0;
  record.is_authenticated = (flags & kAuthenticated) != 0;
  record.is_counted = (flags & kCounted) != 0;
  if ((flags & kFlush) != 0) {
    WaitingFlush flush;
    flush.opcode = reader.number<uint8_t>();
    flush.opaque = reader.number<uint32_t>();
    flush.exptime = reader.number<int64_t>();
    flush.quiet = (flags & kQuietFlush) != 0;
    record.flush = flush;
  }
  if (!reader.ok) return invalid("ends too early");
  if ((flags & ~kAllFlags) != 0) return invalid("has flags that nobody knows");
  if ((flags & kQuietFlush) != 0 && !record.flush) return invalid("is quiet about no flush");
  if (protocol > static_cast<uint8_t>(Protocol::kBinary)) return invalid("has no such protocol");
  if (record.is_authenticated && record.cache == 0) return invalid("is of no cache");
  record.protocol = static_cast<Protocol>(protocol);
  text = reader.left;
  return record;
}

}  // namespace proxy::handover
