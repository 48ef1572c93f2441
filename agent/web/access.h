// Who may ask, and who may act. Pure functions over what a request carries.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/core/secret.h"

namespace agent::web {

// Against DNS rebinding: a page of somebody else's may make a browser ask 127.0.0.1 under its own
// name; such a request carries that name. Allowed: localhost, 127.0.0.1, [::1] and `names` (without
// case), each with or without a port.
bool host_allowed(std::string_view host_header, std::span<const std::string> names);

enum class TokenAnswer { kAccepted, kMissing, kWrong };
// `Authorization: Bearer <token>`. Takes equally long for every wrong token of the right length. An
// empty token accepts nothing.
TokenAnswer check_token(std::string_view authorization, const base::Secret& token);

}  // namespace agent::web
