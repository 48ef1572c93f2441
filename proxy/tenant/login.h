// Login: who a connection says it is, and whether the secret proves it.
//
// Two forms arrive here: SASL PLAIN (authzid NUL user NUL password) and the text protocol's first
// `set` (key = user, value = password; or memcached -Y's form, value = "user password"). Proxies hold
// only verifiers. An unknown user costs the same time as a wrong password, and the comparison takes
// the same time wherever the difference is.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/tenant/directory.h"

namespace proxy::tenant {

struct Login {
  std::string_view user;
  std::string_view password;
};

// The response of SASL PLAIN (RFC 4616); an authzid other than empty or the user is refused.
std::optional<Login> parse_sasl_plain(std::string_view response);

enum class LoginDecision : uint8_t { kAccepted, kUnknownUser, kWrongPassword, kDisabledCache };

struct LoginResult {
  LoginDecision decision = LoginDecision::kUnknownUser;
  const Credential* credential = nullptr;  // set when accepted; lives as long as the directory
  const Cache* cache = nullptr;            // of the user, also when the password was wrong
};
LoginResult check_login(const Directory& directory, const Login& login);

// The first `set` of a text connection: the key is the user and the value the password, or else the
// value holds both, separated by the first space.
LoginResult check_first_set(const Directory& directory, std::string_view key,
                            std::string_view value);

}  // namespace proxy::tenant
