// Channel: frames over a connected Unix socket, never blocking by itself.
//
// Either side pushes frames and calls exchange() until it is content; who waits how is the caller's
// business (the old process in a coroutine, the new one with poll()).
//
// That the other side has ended the conversation leaves what it said before. Every other failure is for
// good: what has arrived is thrown away, and exchange() and next() say nothing but that failure. Else
// one lost descriptor would give a client's record to another client's socket.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"
#include "proxy/handover/frame.h"

namespace proxy::handover {

// Thread: one. Owner: a side of a hand-over.
class Channel {
 public:
  explicit Channel(base::net::UniqueFd fd) : fd_(std::move(fd)) {}

  // `descriptors` stay the caller's and must stay open until has_output() is false.
  void push(FrameType type, std::string_view body, const std::vector<int>& descriptors = {});
  bool has_output() const { return !output_.empty(); }
  // Sends what the socket takes and reads what is there. kUnavailable: the other side has ended the
  // conversation; frames that arrived before can still be taken. Anything else: for good.
  base::Result<> exchange();
  // The next frame that has arrived whole.
  base::Result<std::optional<Frame>> next();

  // Nothing said after this reaches the other side, nor the other way round: what arrived before, and
  // is read by the next exchange(), is all there will ever be.
  void shut();
  // Until the socket has something to read (or can be written to, if there is output), or `until`.
  void wait(base::Clock& clock, base::Instant until);
  int fd() const { return fd_.get(); }

 private:
  struct Output {
    std::string bytes;
    size_t sent = 0;
    std::vector<int> descriptors;  // go with the first byte
  };
  base::Result<> send();
  // Remembers a failure that is for good.
  base::Result<> keep(base::Result<> done);
  base::Result<> receive();
  ssize_t send_some(Output& output);

  base::net::UniqueFd fd_;
  std::deque<Output> output_;
  std::vector<char> input_;  // where it receives
  FrameReader reader_;
  std::optional<base::Error> failure_;  // for good
};

}  // namespace proxy::handover
