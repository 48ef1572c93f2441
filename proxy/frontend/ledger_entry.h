// What a reply from a backend means to the ledger of its cache.
#pragma once

#include <optional>
#include <string_view>

#include "base/time/clock.h"
#include "proxy/route/answer.h"
#include "proxy/route/in_flight.h"
#include "proxy/tenant/accounts.h"

namespace proxy {

// When an item with `exptime` goes, in seconds of civil time; 0: never.
uint32_t expiry_of(int64_t exptime, uint32_t now_s);

// `value_size`: of what was read; none when the reply shows no value, as to `mg k t`. Null `account`: nothing is kept.
void note_in_ledger(tenant::Account* account, const route::Pending& pending, std::string_view key,
                    route::Outcome outcome, std::optional<size_t> value_size, base::WallTime wall);

}  // namespace proxy
