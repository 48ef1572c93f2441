// Frames: what the old and the new process of a proxy say to each other (docs/architecture.md "Handing
// over").
//
// A stream of frames, each a small header, a body and a number of descriptors. Descriptors travel
// beside the bytes: the kernel delivers those of one sendmsg() no later than its first byte and never
// merges two such messages, so the receiver keeps them in a queue and a frame takes as many as its
// header says.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"

namespace proxy::handover {

enum class FrameType : uint8_t {
  kHello = 1,  // old: JSON {version, fenced_backends, metrics}
  kListeners,  // old: JSON [{kind, cache, path}], with one descriptor each
  kLock,       // old: the descriptor that holds the process's lock, if it was given one
  kWarm,       // new: it reaches the backends
  kSealed,     // old: JSON {changed, patience_ms}: it obeys no acting call from here on
  kReady,      // new: its state is the old one's
  kClients,    // old: number, records, with one descriptor each
  kTaken,      // new: the number: from here on these clients are its
  kEnd,        // old: JSON {promises}: it has no client left; after kConfirm {quit}: end too
  kConfirm,    // new: from here on the proxy is the new process
};

inline constexpr size_t kMostDescriptors = 250;  // the kernel takes 253 in one message
inline constexpr size_t kMostBody = 256u << 20;

struct Frame {
  FrameType type = FrameType::kHello;
  std::string body;
  std::vector<base::net::UniqueFd> descriptors;
};

// Header and body.
std::string encode_frame(FrameType type, std::string_view body, size_t descriptors);

// Thread: one. Owner: the channel.
class FrameReader {
 public:
  void feed(std::string_view bytes) { bytes_.append(bytes); }
  void feed(base::net::UniqueFd descriptor) { descriptors_.push_back(std::move(descriptor)); }
  // Throws away what has come, descriptors too.
  void clear();
  // The next whole frame, nothing when it has not arrived; kInvalid for what no process of ours says.
  base::Result<std::optional<Frame>> next();

 private:
  std::string bytes_;
  size_t used_ = 0;  // of bytes_
  std::deque<base::net::UniqueFd> descriptors_;
};

}  // namespace proxy::handover
