// The PROXY protocol, versions 1 and 2: what a balancer says about a client before the client's bytes.
//
// A pure parser: no I/O, no state. It reads a prefix of the stream and says whether that is a whole
// header, the beginning of one, or none. Only addresses matter here; ports and TLVs are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admission/connection_counts.h"

namespace proxy {

// The longest header that is read: version 2 may say 64 KiB, but no balancer needs it.
inline constexpr size_t kLongestProxyHeader = 8192;

struct ProxyHeader {
  enum class State : uint8_t { kNeedMore, kDone, kMalformed };
  State state = State::kNeedMore;
  size_t size = 0;  // kDone: bytes of the header
  // The client; nothing when the balancer speaks for itself (LOCAL) or does not know (UNKNOWN).
  std::optional<admission::ClientAddress> client;
};

// kNeedMore means that every byte of `input` belongs to the header.
ProxyHeader parse_proxy_header(std::string_view input);

}  // namespace proxy
