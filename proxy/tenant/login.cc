#include "proxy/tenant/login.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace proxy::tenant {
namespace {

constexpr size_t kVerifierSize = 32;
constexpr std::string_view kNobodysSalt = "0123456789abcdef";

bool proves(std::string_view salt, std::string_view verifier, std::string_view password) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> computed{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()),
       reinterpret_cast<const unsigned char*>(password.data()), password.size(), computed.data(),
       &size);
  std::array<unsigned char, kVerifierSize> expected{};
  const bool well_formed = verifier.size() == kVerifierSize && size == kVerifierSize;
  if (well_formed) std::copy(verifier.begin(), verifier.end(), expected.begin());
  return CRYPTO_memcmp(computed.data(), expected.data(), kVerifierSize) == 0 && well_formed;
}

}  // namespace

std::optional<Login> parse_sasl_plain(std::string_view response) {
  const size_t first = response.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = response.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view authzid = response.substr(0, first);
  Login login;
  login.user = response.substr(first + 1, second - first - 1);
  login.password = response.substr(second + 1);
  if (login.user.empty() || (!authzid.empty() && authzid != login.user)) return std::nullopt;
  return login;
}

LoginResult check_login(const Directory& directory, const Login& login) {
  LoginResult result;
  const Credential* credential = directory.credentials.find(std::string(login.user));
  if (credential == nullptr) {
    proves(kNobodysSalt, {}, login.password);  // costs what a known user costs
    return result;
  }
  if (!proves(credential->salt, credential->verifier, login.password)) {
    result.decision = LoginDecision::kWrongPassword;
    result.cache = directory.caches.find(credential->cache);
    return result;
  }
  const Cache* cache = directory.caches.find(credential->cache);
  if (cache == nullptr || !cache->enabled) {
    result.decision = LoginDecision::kDisabledCache;
    return result;
  }
  result.decision = LoginDecision::kAccepted;
  result.credential = credential;
  result.cache = cache;
  return result;
}

LoginResult check_first_set(const Directory& directory, std::string_view key,
                            std::string_view value) {
  Login login;
  login.user = key;
  login.password = value;
  const LoginResult by_key = check_login(directory, login);
  const size_t space = value.find(' ');
  if (by_key.decision == LoginDecision::kAccepted || space == std::string_view::npos) return by_key;
  login.user = value.substr(0, space);
  login.password = value.substr(space + 1);
  // Whether the key is a user's or not: a wrong password costs the same.
  const LoginResult by_value = check_login(directory, login);
  return by_key.decision == LoginDecision::kUnknownUser ? by_value : by_key;
}

}  // namespace proxy::tenant
