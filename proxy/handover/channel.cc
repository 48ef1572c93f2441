#include "proxy/handover/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace proxy::handover {
namespace {

constexpr size_t kReadSize = 256 * 1024;
constexpr size_t kControlSize = CMSG_SPACE(sizeof(int) * kMostDescriptors);

base::Error ended(const char* how) {
  return base::Error(base::ErrorCode::kUnavailable,
                     std::string("hand-over: the other process has ended it (") + how + ")");
}

// What the socket refused: the other side is gone, or this one cannot go on.
base::Error refused(int error) {
  if (error == EPIPE || error == ECONNRESET || error == ENOTCONN) {
    return ended(std::strerror(error));
  }
  return base::Error(base::ErrorCode::kIo, std::string("hand-over: ") + std::strerror(error));
}

}  // namespace

void Channel::push(FrameType type, std::string_view body, const std::vector<int>& descriptors) {
  CHECK(descriptors.size() <= kMostDescriptors && body.size() <= kMostBody);
  output_.push_back({encode_frame(type, body, descriptors.size()), 0, descriptors});
}

base::Result<> Channel::exchange() {
  if (failure_) return *failure_;
  const auto sent = keep(send());
  if (failure_) return *failure_;
  // Also when the other side has gone: what it said last is still there.
  const auto received = keep(receive());
  if (failure_) return *failure_;
  return sent.ok() ? received : sent;
}

base::Result<std::optional<Frame>> Channel::next() {
  if (failure_) return *failure_;
  auto frame = reader_.next();
  if (!frame) return keep(frame.error()).error();
  return frame;
}

base::Result<> Channel::keep(base::Result<> done) {
  if (!done.ok() && done.code() != base::ErrorCode::kUnavailable) {
    failure_ = done.error();
    reader_.clear();
  }
  return done;
}

ssize_t Channel::send_some(Output& output) {
  iovec piece{output.bytes.data() + output.sent, output.bytes.size() - output.sent};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, kControlSize> control{};
  if (output.sent == 0 && !output.descriptors.empty()) {
    const size_t size = sizeof(int) * output.descriptors.size();
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), output.descriptors.data(), size);
  }
  return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

base::Result<> Channel::send() {
  while (!output_.empty()) {
    Output& output = output_.front();
    const ssize_t sent = send_some(output);
    if (sent < 0 && errno == EINTR) continue;
    // Too many descriptors under way is as good as a full socket.
    if (sent < 0 && (errno == EAGAIN || errno == ETOOMANYREFS)) return base::Done{};
    if (sent < 0) return refused(errno);
    output.sent += static_cast<size_t>(sent);
    if (output.sent == output.bytes.size()) output_.pop_front();
  }
  return base::Done{};
}

base::Result<> Channel::receive() {
  if (input_.empty()) input_.resize(kReadSize);
  for (;;) {
    iovec piece{input_.data(), input_.size()};
    alignas(cmsghdr) std::array<char, kControlSize> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return base::Done{};
    for (cmsghdr* header = got < 0 ? nullptr : CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      std::vector<int> descriptors(count);
      std::memcpy(descriptors.data(), CMSG_DATA(header), count * sizeof(int));
      for (const int descriptor : descriptors) reader_.feed(base::net::UniqueFd(descriptor));
    }
    if (got < 0) return refused(errno);
    // Some descriptors have come and others never will: nobody knows any more which belongs to which
    // frame.
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
      return base::Error(base::ErrorCode::kExhausted,
                         "hand-over: no room for more descriptors; raise the limit of open files");
    }
    if (got == 0) return ended("closed");
    reader_.feed(std::string_view(input_.data(), static_cast<size_t>(got)));
  }
}

void Channel::shut() {
  ::shutdown(fd_.get(), SHUT_RDWR);
}

void Channel::wait(base::Clock& clock, base::Instant until) {
  const int64_t left = std::max<int64_t>(0, (until - clock.now()).count());
  pollfd socket{fd_.get(), static_cast<short>(POLLIN | (has_output() ? POLLOUT : 0)), 0};
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  ::ppoll(&socket, 1, &timeout, nullptr);
}

}  // namespace proxy::handover
