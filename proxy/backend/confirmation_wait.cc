#include "proxy/backend/confirmation_wait.h"

namespace proxy {

void ConfirmationWait::begin(uint32_t largest_reply, base::Instant now) {
  on_ = used_ = true;
  seen_ = looked_ = 0;
  begun_ = now;
  parser_ = base::memcache::MetaReplyParser(largest_reply);
}

}  // namespace proxy
