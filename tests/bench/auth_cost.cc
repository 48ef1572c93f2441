// auth_cost: what it costs a worker to check who a connection is, in CPU time of its thread.
//
// Among 100,000 credentials in random order, so that each finds its user in cold memory as a reconnect
// storm would: the first set of a text connection, SASL PLAIN, a wrong password and an unknown user, the
// last two because an attacker's guesses must not be dearer. Prints one line per figure,
// `name ours peer ratio bound ok|short`, in µs, the best of some rounds, and exits 1 when one is short.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/core/check.h"
#include "base/time/thread_time.h"
#include "proxy/tenant/login.h"

namespace {

using base::ThreadTime;
using proxy::tenant::Directory;
using proxy::tenant::LoginDecision;

constexpr size_t kCredentials = 100'000;
constexpr size_t kLoginsPerRound = 20'000;
constexpr int kRounds = 7;
constexpr double kBoundMicroseconds = 5.0;

std::string user_of(size_t i) {
  return "USER" + std::to_string(i);
}
std::string password_of(size_t i) {
  return "0123456789ABCDEF" + std::to_string(1'000'000'000'000'000 + i);
}

std::string verifier_of(const std::string& salt, const std::string& password) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()),
       reinterpret_cast<const unsigned char*>(password.data()), password.size(), out, &size);
  return std::string(reinterpret_cast<char*>(out), size);
}

Directory filled() {
  Directory directory;
  for (size_t i = 0; i < kCredentials; ++i) {
    proxy::tenant::Cache cache;
    cache.id = static_cast<base::CacheId>(i + 1);
    directory.put_cache(cache);
    proxy::tenant::Credential credential;
    credential.user = user_of(i);
    credential.cache = cache.id;
    credential.salt = "salt" + std::to_string(1'000'000'000'000 + i);
    credential.verifier = verifier_of(credential.salt, password_of(i));
    directory.credentials.put(credential.user, credential);
  }
  return directory;
}

struct Attempt {
  std::string user, password, sasl;
};

// Prints the figure of `login`, called for each attempt; whether it is within the bound.
bool measure(const char* name, const std::vector<Attempt>& attempts, LoginDecision expected,
             const std::function<LoginDecision(const Attempt&)>& login) {
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) {
    const base::Duration begun = ThreadTime::ran();
    for (const Attempt& attempt : attempts) CHECK(login(attempt) == expected);
    best = std::min(best, base::to_seconds(ThreadTime::ran() - begun) * 1e6 /
                              static_cast<double>(attempts.size()));
  }
  const bool ok = best <= kBoundMicroseconds;
  std::printf("%s %.2f - - %.1f %s\n", name, best, kBoundMicroseconds, ok ? "ok" : "short");
  return ok;
}

}  // namespace

int main() {
  const Directory directory = filled();
  std::mt19937_64 random(7);
  std::vector<Attempt> good, wrong, unknown;
  for (size_t i = 0; i < kLoginsPerRound; ++i) {
    const size_t at = random() % kCredentials;
    const std::string user = user_of(at), password = password_of(at);
    const std::string zero(1, '\0');
    good.push_back({user, password, zero + user + zero + password});
    wrong.push_back({user, "guess" + password, {}});
    unknown.push_back({"NOBODY" + user, password, {}});
  }
  const auto first_set = [&](const Attempt& attempt) {
    return proxy::tenant::check_first_set(directory, attempt.user, attempt.password).decision;
  };
  const auto sasl = [&](const Attempt& attempt) {
    const auto login = proxy::tenant::parse_sasl_plain(attempt.sasl);
    CHECK(login.has_value());
    return proxy::tenant::check_login(directory, *login).decision;
  };
  bool ok = measure("auth_first_set_us", good, LoginDecision::kAccepted, first_set);
  ok &= measure("auth_sasl_plain_us", good, LoginDecision::kAccepted, sasl);
  ok &= measure("auth_wrong_password_us", wrong, LoginDecision::kWrongPassword, first_set);
  ok &= measure("auth_unknown_user_us", unknown, LoginDecision::kUnknownUser, first_set);
  return ok ? 0 : 1;
}
