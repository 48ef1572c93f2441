// ConfirmationWait: replies of a backend that wait until its fence record has been read again.
//
// A worker that stood still (a stopped process, a core that others held) finds replies that may not
// leave, since the last record is older than the fence's window, although nothing may have changed. It
// asks for the record at once, and lets the replies wait for it: the backend answers in order, so a
// record that was asked for within the window, when it comes, is newer than every reply before it. One
// that comes later than that says nothing any more, but the next may (the link asks for it all the time):
// the core may have been held once more.
//
// One wait per confirmation, and a short one: from a backend whose answers always take longer than
// the window, nothing would ever be confirmed.
//
// Times are parameters; the link owns the buffer that the replies lie in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/memcache/meta_reply.h"
#include "base/time/clock.h"

namespace proxy {

// Thread: the worker's. Owner: a link. Invariant: looked_ <= size of the buffer.
class ConfirmationWait {
 public:
  static constexpr base::Duration kLongest = std::chrono::milliseconds(500);

  bool is_on() const { return on_; }
  // False from the beginning of a wait until a record has been confirmed by on_confirmed().
  bool may_begin() const { return !used_; }
  void begin(uint32_t largest_reply, base::Instant now);
  bool is_over(base::Instant now) const { return now - begun_ >= kLongest; }

  // What a reply is.
  enum class Kind : uint8_t {
    kOther,
    kYoungRecord,  // the fence record, asked for within the window
    kLostStep,     // what follows it may be the reply to something else
  };
  enum class Sight : uint8_t {
    kNotYet,  // it has not arrived whole
    kFound,   // `reply`, the one after seen() others, is a young record
    kBroken,  // a reply before it shows that what follows cannot be trusted
  };
  // `buffer`: all that has arrived since before begin() and is not taken yet. `kind_of(n, reply)`: of
  // the nth reply in it, from 0.
  template <class KindOf>
  Sight look(std::string_view buffer, base::memcache::MetaReply& reply, KindOf kind_of);
  size_t seen() const { return seen_; }
  void end() { on_ = false; }
  void on_confirmed() { used_ = false; }
  // The connection is gone.
  void reset() { *this = ConfirmationWait(); }

 private:
  bool on_ = false;
  bool used_ = false;
  size_t seen_ = 0;    // replies
  size_t looked_ = 0;  // their bytes
  base::Instant begun_;
  base::memcache::MetaReplyParser parser_;
};

template <class KindOf>
ConfirmationWait::Sight ConfirmationWait::look(std::string_view buffer,
                                               base::memcache::MetaReply& reply, KindOf kind_of) {
  while (looked_ < buffer.size()) {
    const auto parsed = parser_.parse(buffer.substr(looked_), reply);
    if (parsed.state == base::memcache::ParseState::kNeedMore) return Sight::kNotYet;
    if (parsed.state == base::memcache::ParseState::kError || reply.value_follows) {
      return Sight::kBroken;
    }
    const Kind kind = kind_of(seen_, reply);
    if (kind == Kind::kLostStep) return Sight::kBroken;
    if (kind == Kind::kYoungRecord) return Sight::kFound;
    ++seen_;
    looked_ += parsed.consumed;
  }
  return Sight::kNotYet;
}

}  // namespace proxy
