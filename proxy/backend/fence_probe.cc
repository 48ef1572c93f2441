#include "proxy/backend/fence_probe.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/backend/connecting.h"
#include "proxy/backend/fence_read.h"
#include "proxy/ring/fence.h"

namespace proxy {

using base::Instant;
using base::memcache::ParseState;

namespace {

constexpr uint32_t kLongestRecord = 256;  // far more than any is long
constexpr size_t kReadSize = 4096;

}  // namespace

FenceProbe::~FenceProbe() {
  close();
}

void FenceProbe::close() {
  if (!fd_.valid()) return;
  loop_.forget(fd_.get());
  fd_.reset();
  is_connected_ = is_asking_ = false;
  in_.clear();
  in_.release();
}

void FenceProbe::give_up(Instant now) {
  close();
  not_before_ = now + kPause;
}

void FenceProbe::want(const std::string& address, uint16_t port, Instant now) {
  wanted_until_ = now + kKept;
  if (fd_.valid() || now < not_before_) return;
  // No keepalive: it is never silent for longer than kPatience.
  fd_ = begin_connecting(address, port, base::Duration(0));
  if (fd_.valid() && !loop_.watch(fd_.get(), *this, EPOLLOUT).ok()) fd_.reset();
  if (!fd_.valid()) return give_up(now);
  asked_at_ = now;
}

void FenceProbe::tick(Instant now) {
  if (!fd_.valid()) return;
  if (now > wanted_until_) return close();
  const bool is_waiting = is_asking_ || !is_connected_;
  if (is_waiting && now - asked_at_ > kPatience) return give_up(now);
  if (now - asked_at_ >= ring::kFenceInterval) ask(now);
}

void FenceProbe::ask(Instant now) {
  if (!is_connected_ || is_asking_) return;
  base::memcache::Buffer out;
  append_fence_read(out);
  const std::string_view bytes = out.view();
  const ssize_t wrote = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (wrote != static_cast<ssize_t>(bytes.size())) return give_up(now);
  asked_at_ = now;
  is_asking_ = true;
}

void FenceProbe::on_ready(uint32_t) {
  if (!fd_.valid()) return;
  const Instant began = clock_.now();
  if (!is_connected_) {
    if (connect_error(fd_.get()) != 0) return give_up(began);
    is_connected_ = true;
    parser_ = base::memcache::MetaReplyParser(kLongestRecord);
    loop_.change(fd_.get(), *this, EPOLLIN);
    return ask(began);
  }
  char* const into = in_.reserve(kReadSize);
  const ssize_t got = ::recv(fd_.get(), into, in_.room(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const Instant now = clock_.now();
  if (got <= 0 || !is_asking_) return give_up(now);
  in_.commit(static_cast<size_t>(got));
  base::memcache::MetaReply reply;
  const auto parsed = parser_.parse(in_.view(), reply);
  if (parsed.state == ParseState::kNeedMore) return;
  if (parsed.state == ParseState::kError || reply.value_follows) return give_up(now);
  is_asking_ = false;
  const auto record = fence_record_of(reply);
  in_.consume(parsed.consumed);
  // What nobody has asked for would be taken for the answer to the next read.
  if (!in_.empty()) return give_up(now);
  const Instant asked = asked_at_;
  if (now - asked >= ring::kFenceInterval) ask(now);
  reader_.on_probed(record, asked, now);
}

}  // namespace proxy
