// Requests and replies as one line of text, so that tests compare and show them whole.
#pragma once

#include <string>

#include "base/memcache/meta_reply.h"
#include "base/memcache/request.h"

namespace base::memcache {

std::string describe(const Request& request);
std::string describe(const MetaReply& reply);
// State, fate and lengths; for kComplete and kError only.
std::string describe(const Parsed& parsed);

}  // namespace base::memcache
