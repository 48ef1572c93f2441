#include "agent/web/access.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

namespace agent::web {

namespace {

constexpr std::array<std::string_view, 3> kLocalNames = {"localhost", "127.0.0.1", "[::1]"};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

bool host_allowed(std::string_view host_header, std::span<const std::string> names) {
  std::string_view host = host_header;
  const size_t colon = host.rfind(':');
  const size_t bracket = host.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon)) {
    const std::string_view port = host.substr(colon + 1);
    const bool digits = !port.empty() && std::all_of(port.begin(), port.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return false;
    host = host.substr(0, colon);
  }
  const auto same = [&](std::string_view name) { return equals_ignoring_case(host, name); };
  return std::any_of(kLocalNames.begin(), kLocalNames.end(), same) ||
         std::any_of(names.begin(), names.end(), same);
}

TokenAnswer check_token(std::string_view authorization, const base::Secret& token) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size() ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return TokenAnswer::kMissing;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  const std::string_view wanted = token.reveal();
  if (wanted.empty() || given.size() != wanted.size()) return TokenAnswer::kWrong;
  return CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0 ? TokenAnswer::kAccepted
                                                                        : TokenAnswer::kWrong;
}

}  // namespace agent::web
