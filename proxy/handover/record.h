// ClientRecord: one client connection as it is told to the process that takes it over.
//
// At a request boundary there is little to tell: who the client has proved to be (the credential and
// the proof; what it may do follows from the taker's own directory, so a credential that has been
// changed does not slip through), what it has sent that nobody has obeyed yet, and what it has been
// answered that it has not taken yet. A client that waits for its flush_all goes along with the flush: the
// new process asks the agent again, which is harmless.
//
// The text form is for one machine and one moment: little-endian, no alignment, versioned by the
// hand-over's hello. It comes from another process all the same, and is parsed as such.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/memcache/request.h"
#include "base/time/clock.h"
#include "proxy/admission/connection_counts.h"

namespace proxy::handover {

// A flush_all whose answer the client still waits for.
struct WaitingFlush {
  uint8_t opcode = 0;
  uint32_t opaque = 0;
  bool quiet = false;
  int64_t exptime = 0;  // as the client sent it

  friend bool operator==(const WaitingFlush&, const WaitingFlush&) = default;
};

struct ClientRecord {
  bool is_greeting = false;  // a balancer that has not said yet who its client is; only `in` counts
  bool is_tls = false;       // a greeting at the TLS port
  bool is_finishing = false;  // nothing more is read from it
  bool is_authenticated = false;
  bool is_counted = false;  // among its cache's connections
  uint8_t failed_tries = 0;
  base::memcache::Protocol protocol = base::memcache::Protocol::kUnknown;
  base::CacheId open_cache = 0;  // 0: not by the open listener
  base::CacheId cache = 0;
  std::string user;
  uint64_t proof = 0;
  admission::ClientAddress address{};
  base::Instant opened, active;
  uint64_t swallow = 0;  // bytes of a refused value still to come
  std::string in;        // received, not obeyed
  std::string out;       // answered, not sent
  std::optional<WaitingFlush> flush;

  friend bool operator==(const ClientRecord&, const ClientRecord&) = default;
};

void append_record(std::string& out, const ClientRecord& record);
// Takes one record from the front of `text`. kInvalid: what is wrong, and at which byte.
base::Result<ClientRecord> take_record(std::string_view& text);

}  // namespace proxy::handover
