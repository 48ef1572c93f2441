// Tokens for tests, of a cache and a slot that do not matter.
#pragma once

#include "base/memcache/cas_tokens.h"

namespace proxy::route {

inline const base::memcache::CasTokens kTokens({1, 2}, 3, 4, 5, 6);

}  // namespace proxy::route
