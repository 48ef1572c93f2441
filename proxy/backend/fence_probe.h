// FenceProbe: reads a backend's fence record on a connection of its own.
//
// A link's own reads come behind every reply that was asked for before them. Where those are large for
// the network that they come by, this takes longer than the fence's window: nothing could be
// confirmed, and a cache whose link is merely full would miss on every key. So while its own reads come
// late, a link has the record read here too, behind nothing else. That confirms as well: what counts is
// when a record was asked for (ring/fence.h).
//
// Opened when it is wanted, closed when it has not been for kKept. Never more than one read is under
// way. One that is answered late says little, but the next one follows at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/memcache/buffer.h"
#include "base/memcache/fence_record.h"
#include "base/memcache/meta_reply.h"
#include "base/net/fd.h"
#include "base/time/clock.h"
#include "proxy/backend/loop.h"

namespace proxy {

// Thread: the worker's. Owner: a link. Stays allocated as long as the link.
class FenceProbe final : public Loop::Source {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // `record`: nothing when the backend has none. `now` is later than its arrival.
    virtual void on_probed(const std::optional<base::memcache::FenceRecord>& record,
                           base::Instant asked, base::Instant now) = 0;
  };

  FenceProbe(Loop& loop, base::Clock& clock, Reader& reader)
      : loop_(loop), clock_(clock), reader_(reader) {}
  ~FenceProbe() override;
  FenceProbe(const FenceProbe&) = delete;
  FenceProbe& operator=(const FenceProbe&) = delete;

  // Records are needed now, and for kKept from here on.
  void want(const std::string& address, uint16_t port, base::Instant now);
  // Reads at once, if it can.
  void ask(base::Instant now);
  void tick(base::Instant now);
  void close();
  void on_ready(uint32_t events) override;

 private:
  static constexpr base::Duration kKept = std::chrono::seconds(10);
  static constexpr base::Duration kPatience = std::chrono::seconds(2);  // for one answer
  static constexpr base::Duration kPause = std::chrono::seconds(1);     // after it was given up

  void give_up(base::Instant now);

  Loop& loop_;
  base::Clock& clock_;
  Reader& reader_;
  base::net::UniqueFd fd_;
  bool is_connected_ = false;
  base::Instant wanted_until_;
  base::Instant not_before_;  // closed: when it may be opened
  base::Instant asked_at_;    // connecting: when it began; else of the last read
  bool is_asking_ = false;
  base::memcache::MetaReplyParser parser_;
  base::memcache::Buffer in_;
};

}  // namespace proxy
