// How a Client goes at a request's boundary: to another process, or for good.
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include <string>

#include "proxy/frontend/client.h"
#include "proxy/frontend/worker.h"

namespace proxy {

using base::memcache::Protocol;
using base::memcache::Request;

void Client::leave(Leaving how) {
  if (closed()) return;
  leaving_ = how;
  mark_dirty();  // at the end of the turn, perhaps at once
}

// True when it has gone.
bool Client::try_to_leave() {
  if (leaving_ == Leaving::kMoves) {
    if (!may_move()) return false;
    worker_.departures().take(*this);
    return true;
  }
  if (!is_between_requests()) return false;
  close("the proxy drains");
  return true;
}

// Whether all that is to know of it can be told: no reply is on its way from a backend. That of a
// flush_all comes from the agent, who can be asked again.
bool Client::may_move() const {
  if (tls_ != nullptr) return false;
  if (replies_.held_bytes() > 0 || group_ != nullptr) return false;
  return replies_.outstanding() == (waits_for_flush_ ? 1u : 0u);
}

// Whether nobody would miss an answer if it were closed now. What it has sent but we have not read
// counts: a close would even take back replies that it has not read yet (the kernel sends a reset).
bool Client::is_between_requests() const {
  if (!has_answered_all() || !in_.empty() || swallow_ > 0) return false;
  if (tls_ != nullptr && tls_->has_buffered()) return false;
  int unread = 0;
  return ::ioctl(fd_.get(), SIOCINQ, &unread) != 0 || unread == 0;
}

base::net::UniqueFd Client::pack(handover::ClientRecord& record) {
  CHECK(may_move() && !closed());
  record.is_finishing = finishing_;
  record.is_authenticated = session_.authenticated;
  record.is_counted = session_.account != nullptr;
  record.failed_tries = failed_tries_;
  record.protocol = protocol_;
  record.open_cache = identity_.open_cache;
  record.cache = session_.cache;
  record.user = session_.user;
  record.proof = session_.proof;
  record.address = identity_.address;
  record.opened = opened_;
  record.active = active_;
  record.swallow = swallow_;
  record.in = in_.view();
  record.out = out_.view();
  if (waits_for_flush_) {
    record.flush = handover::WaitingFlush{flush_request_.opcode, flush_request_.opaque,
                                          flush_request_.quiet, flush_request_.exptime};
  }
  // The socket lives on elsewhere, so its readiness would still reach this loop.
  unwatch();
  return std::move(fd_);
}

void Client::unpack(handover::ClientRecord record, bool returns) {
  opened_ = record.opened;
  active_ = record.active;
  protocol_ = record.protocol;
  failed_tries_ = record.failed_tries;
  finishing_ = record.is_finishing;
  swallow_ = record.swallow;
  session_.authenticated = record.is_authenticated;
  session_.cache = record.cache;
  session_.user = std::move(record.user);
  session_.proof = record.proof;
  if (session_.authenticated) widen_limits();
  if (record.is_counted) {
    // It was let in within the limits of its time.
    tenant::Account& account = worker_.accounts().open(session_.cache);
    account.take_connection(0);
    session_.account = &account;
    session_.row = &account.row(worker_.index());
    if (!returns) session_.row->add(tenant::Count::kTotalConnections);
  }
  session_.world = 0;  // no World has this number: what it may do is looked up at its next request
  if (!record.in.empty()) (in_ = worker_.buffers().take()).append(record.in);
  if (!record.out.empty()) (out_ = worker_.buffers().take()).append(record.out);
  if (record.flush) {
    flush_request_ = Request();
    flush_request_.protocol = protocol_;
    flush_request_.opcode = record.flush->opcode;
    flush_request_.opaque = record.flush->opaque;
    flush_request_.quiet = record.flush->quiet;
    flush_request_.exptime = record.flush->exptime;
    ask_for_flush();
  }
  mark_dirty();
}

}  // namespace proxy
