#include "proxy/tenant/login.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace proxy::tenant {
namespace {

std::string hmac(std::string_view salt, std::string_view password) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()),
       reinterpret_cast<const unsigned char*>(password.data()), password.size(), out, &size);
  return std::string(reinterpret_cast<char*>(out), size);
}

class LoginTest : public testing::Test {
 protected:
  LoginTest() {
    Cache cache;
    cache.id = 1;
    directory_.put_cache(cache);
    cache.id = 2;
    cache.enabled = false;
    directory_.put_cache(cache);
    add("user", 1, "secret word");
    add("off", 2, "secret");
    add("orphan", 3, "secret");
  }
  void add(const std::string& user, base::CacheId cache, const std::string& password) {
    Credential credential;
    credential.user = user;
    credential.cache = cache;
    credential.salt = "salt of " + user;
    credential.verifier = hmac(credential.salt, password);
    directory_.credentials.put(user, credential);
  }
  LoginDecision decide(std::string_view user, std::string_view password) {
    return check_login(directory_, Login{user, password}).decision;
  }

  Directory directory_;
};

TEST_F(LoginTest, TakesTheRightPasswordOnly) {
  const LoginResult result = check_login(directory_, Login{"user", "secret word"});
  EXPECT_EQ(result.decision, LoginDecision::kAccepted);
  EXPECT_EQ(result.credential->user, "user");
  EXPECT_EQ(result.cache->id, 1u);
  EXPECT_EQ(decide("user", "secret"), LoginDecision::kWrongPassword);
  EXPECT_EQ(decide("user", ""), LoginDecision::kWrongPassword);
  EXPECT_EQ(decide("nobody", "secret word"), LoginDecision::kUnknownUser);
}

TEST_F(LoginTest, RefusesADisabledOrMissingCache) {
  EXPECT_EQ(decide("off", "secret"), LoginDecision::kDisabledCache);
  EXPECT_EQ(decide("orphan", "secret"), LoginDecision::kDisabledCache);
  EXPECT_EQ(decide("off", "wrong"), LoginDecision::kWrongPassword);
}

TEST_F(LoginTest, RefusesAVerifierOfTheWrongSize) {
  Credential credential;
  credential.user = "odd";
  credential.cache = 1;
  directory_.credentials.put("odd", credential);
  EXPECT_EQ(decide("odd", ""), LoginDecision::kWrongPassword);
}

TEST_F(LoginTest, TheFirstSetMayHoldTheUserInKeyOrValue) {
  EXPECT_EQ(check_first_set(directory_, "user", "secret word").decision, LoginDecision::kAccepted);
  EXPECT_EQ(check_first_set(directory_, "any", "user secret word").decision,
            LoginDecision::kAccepted);
  EXPECT_EQ(check_first_set(directory_, "any", "user wrong").decision,
            LoginDecision::kWrongPassword);
  EXPECT_EQ(check_first_set(directory_, "any", "user").decision, LoginDecision::kUnknownUser);
  EXPECT_EQ(check_first_set(directory_, "user", "off secret").decision,
            LoginDecision::kWrongPassword)
      << "a known user in the key is the user";
}

TEST(SaslPlain, IsThreePartsOfWhichTheFirstMayBeEmptyOrTheUser) {
  using namespace std::string_view_literals;
  const auto login = parse_sasl_plain("\0user\0pass\0word"sv);
  ASSERT_TRUE(login);
  EXPECT_EQ(login->user, "user");
  EXPECT_EQ(login->password, "pass\0word"sv);
  EXPECT_TRUE(parse_sasl_plain("user\0user\0x"sv));
  EXPECT_TRUE(parse_sasl_plain("\0user\0"sv));
  for (const std::string_view bad : {""sv, "user"sv, "\0user"sv, "\0\0x"sv, "other\0user\0x"sv}) {
    EXPECT_FALSE(parse_sasl_plain(bad)) << bad;
  }
}

}  // namespace
}  // namespace proxy::tenant
