#include "proxy/admission/loads.h"

#include <algorithm>

#include "base/core/check.h"

namespace proxy::admission {
namespace {

uint64_t share_of(uint64_t most, uint32_t workers, uint64_t least) {
  return most == 0 ? UINT64_MAX : std::max(least, (most + workers - 1) / workers);
}

void move(Load& load, const Load& before, const Load& now) {
  CHECK(load.requests >= before.requests && load.bytes >= before.bytes);
  load.requests += now.requests - before.requests;
  load.bytes += now.bytes - before.bytes;
}

}  // namespace

void Loads::set_limits(const Load& proxy, const Load& credential, uint32_t workers) {
  CHECK(workers > 0);
  is_on_ = (proxy.requests | proxy.bytes | credential.requests | credential.bytes) != 0;
  most_all_ = {share_of(proxy.requests, workers, 1), share_of(proxy.bytes, workers, kLeastBytes)};
  most_credential_ = {share_of(credential.requests, workers, 1),
                      share_of(credential.bytes, workers, kLeastBytes)};
}

void Loads::settle(Part& part, std::string_view user, const Load& now) {
  if (part.credential_ == nullptr) {
    const auto found = credentials_.find(user);
    part.credential_ = found != credentials_.end()
                           ? &found->second
                           : &credentials_.try_emplace(std::string(user)).first->second;
    if (part.credential_->parts++ == 0) part.credential_->user = user;
  }
  move(all_, part.counted_, now);
  move(part.credential_->load, part.counted_, now);
  part.counted_ = now;
}

Loads::Room Loads::room(const Part& part) const {
  Room room{UINT64_MAX, false};
  limit(room, all_, most_all_);
  if (part.credential_ != nullptr) limit(room, part.credential_->load, most_credential_);
  if (room.is_short_of_bytes) room.requests = 0;
  return room;
}

void Loads::limit(Room& room, const Load& load, const Load& most) {
  room.requests =
      std::min(room.requests, most.requests > load.requests ? most.requests - load.requests : 0);
  room.is_short_of_bytes = room.is_short_of_bytes || load.bytes >= most.bytes;
}

void Loads::leave(Part& part) {
  if (part.credential_ == nullptr) return;
  move(all_, part.counted_, {});
  move(part.credential_->load, part.counted_, {});
  if (--part.credential_->parts == 0) {
    credentials_.erase(credentials_.find(part.credential_->user));
  }
  part = Part();
}

}  // namespace proxy::admission
