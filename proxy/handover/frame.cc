#include "proxy/handover/frame.h"

namespace proxy::handover {
namespace {

// type, 0, descriptors (2), size of the body (4), little-endian
constexpr size_t kHeaderSize = 8;

uint32_t byte_at(std::string_view text, size_t i) {
  return static_cast<unsigned char>(text[i]);
}

base::Error invalid(const char* why) {
  return base::Error(base::ErrorCode::kInvalid, std::string("hand-over: ") + why);
}

}  // namespace

std::string encode_frame(FrameType type, std::string_view body, size_t descriptors) {
  std::string frame;
  frame.reserve(kHeaderSize + body.size());
  frame.push_back(static_cast<char>(type));
  frame.push_back(0);
  for (int shift = 0; shift < 16; shift += 8)
    frame.push_back(static_cast<char>((descriptors >> shift) & 0xff));
  for (int shift = 0; shift < 32; shift += 8)
    frame.push_back(static_cast<char>((body.size() >> shift) & 0xff));
  frame.append(body);
  return frame;
}

void FrameReader::clear() {
  bytes_.clear();
  used_ = 0;
  descriptors_.clear();
}

base::Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view text = std::string_view(bytes_).substr(used_);
  if (text.size() < kHeaderSize) return std::optional<Frame>();
  const uint32_t type = byte_at(text, 0);
  const size_t count = byte_at(text, 2) | byte_at(text, 3) << 8;
  const size_t size =
      byte_at(text, 4) | byte_at(text, 5) << 8 | byte_at(text, 6) << 16 | byte_at(text, 7) << 24;
  if (type < static_cast<uint32_t>(FrameType::kHello) ||
      type > static_cast<uint32_t>(FrameType::kConfirm) || byte_at(text, 1) != 0) {
    return invalid("a frame of a type that nobody knows");
  }
  if (count > kMostDescriptors) return invalid("too many descriptors in a frame");
  if (size > kMostBody) return invalid("a frame that is too long");
  if (text.size() - kHeaderSize < size) return std::optional<Frame>();
  if (descriptors_.size() < count) return invalid("descriptors are missing");
  Frame frame;
  frame.type = static_cast<FrameType>(type);
  frame.body = text.substr(kHeaderSize, size);
  for (size_t i = 0; i < count; ++i) {
    frame.descriptors.push_back(std::move(descriptors_.front()));
    descriptors_.pop_front();
  }
  used_ += kHeaderSize + size;
  if (used_ == bytes_.size() || used_ > (1u << 20)) {
    bytes_.erase(0, used_);
    used_ = 0;
  }
  return std::optional<Frame>(std::move(frame));
}

}  // namespace proxy::handover
