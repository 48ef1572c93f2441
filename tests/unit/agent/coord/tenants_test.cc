#include "agent/coord/tenants.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <set>

#include "agent/coord/tenant_json.h"
#include "tests/unit/agent/coord/bench.h"

namespace agent::coord {
namespace {

TEST(Tenants, BeginWithACustomerCacheAndACanaryPerCluster) {
  Bench bench;
  bench.restart();
  const Tenants& tenants = bench.coordinator->tenants();
  ASSERT_NE(tenants.first_cache(), nullptr);
  EXPECT_EQ(tenants.first_cache()->id, 1u);
  EXPECT_EQ(tenants.first_cache()->cluster, "amber");
  EXPECT_EQ(tenants.first_cache("birch"), nullptr);
  ASSERT_NE(tenants.canary_cache("birch"), nullptr);
  const Credential* credential = tenants.primary_credential(1);
  ASSERT_NE(credential, nullptr);
  EXPECT_EQ(credential->user.size(), 6u);
  EXPECT_TRUE(credential->flush);
  auto password = tenants.reveal(credential->user);
  ASSERT_TRUE(password.ok());
  EXPECT_EQ(password->reveal().size(), 32u);
  EXPECT_EQ(credential->verifier.size(), 64u);
}

TEST(Tenants, AreTheSameAfterARestart) {
  Bench bench;
  bench.restart();
  const std::string user = bench.coordinator->tenants().primary_credential(1)->user;
  const std::string password(bench.coordinator->tenants().reveal(user)->reveal());
  bench.restart();
  EXPECT_EQ(bench.coordinator->tenants().reveal(user)->reveal(), password);
  EXPECT_EQ(bench.coordinator->tenants().caches().size(), 3u);
}

TEST(Tenants, NeverGiveTheNumberOfADeletedCacheAgain) {
  Bench bench;
  bench.restart();
  auto created = bench.run(bench.coordinator->tenants().create_cache(NewCache("shop", "birch")));
  ASSERT_TRUE(created.ok());
  const base::CacheId id = created->cache.id;
  ASSERT_TRUE(bench.run(bench.coordinator->tenants().delete_cache(id)).ok());
  EXPECT_TRUE(bench.coordinator->tenants().credentials(id).empty());
  bench.restart();
  created = bench.run(bench.coordinator->tenants().create_cache(NewCache("shop", "birch")));
  EXPECT_GT(created->cache.id, id);
}

TEST(Tenants, TellProxiesOnlyWhatChangedSinceAGeneration) {
  Bench bench;
  bench.restart();
  Tenants& tenants = bench.coordinator->tenants();
  const uint64_t before = tenants.version("amber").generation;
  auto issued = bench.run(tenants.create_credential(1, Capabilities()));
  ASSERT_TRUE(bench.run(tenants.delete_credential(issued->credential.user)).ok());
  const auto delta = tenants.delta("amber", before);
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->at("base").to_number<uint64_t>(), before);
  EXPECT_EQ(delta->at("generation").to_number<uint64_t>(), before + 2);
  EXPECT_TRUE(delta->at("credentials").as_array().empty());
  EXPECT_EQ(delta->at("remove_credentials").as_array().size(), 1u);
  EXPECT_FALSE(tenants.delta("amber", 0).has_value());
}

std::map<base::CacheId, std::string> told_secrets(const Tenants& tenants,
                                                  std::string_view cluster) {
  std::map<base::CacheId, std::string> secrets;
  const boost::json::object all = tenants.full(cluster);
  for (const boost::json::value& cache : all.at("caches").as_array()) {
    secrets[cache.at("id").to_number<base::CacheId>()] = cache.at("cas_secret").as_string().c_str();
  }
  return secrets;
}

TEST(Tenants, TellProxiesASecretOfEachCacheThatStaysTheSame) {
  Bench bench;
  bench.restart();
  const auto before = told_secrets(bench.coordinator->tenants(), "amber");
  ASSERT_GE(before.size(), 2u);
  std::set<std::string> different;
  for (const auto& [id, secret] : before) {
    EXPECT_EQ(secret.size(), 32u);
    EXPECT_TRUE(different.insert(secret).second);
  }
  bench.restart();
  EXPECT_EQ(told_secrets(bench.coordinator->tenants(), "amber"), before);
}

// An upgrade: proxies have a configuration of the present generation, without what is new in it.
TEST(Tenants, TellProxiesEverythingOnceMoreAfterAnOlderAgent) {
  Bench bench;
  bench.restart();
  const uint64_t before = bench.coordinator->tenants().version("amber").generation;
  bench.restart();
  EXPECT_EQ(bench.coordinator->tenants().version("amber").generation, before);
  bench.stop();
  TenantVersion old;
  old.generation = before;
  boost::json::object document = boost::json::parse(to_document(old)).as_object();
  document.erase("form");
  bench.store.set(tenants_key("amber"), boost::json::serialize(document));
  bench.restart();
  EXPECT_EQ(bench.coordinator->tenants().version("amber").generation, before + 1);
  EXPECT_FALSE(bench.coordinator->tenants().delta("amber", before).has_value())
      << "who has the one before is told all of it";
}

TEST(Tenants, KeepTheCanarysCacheAndCredential) {
  Bench bench;
  bench.restart();
  Tenants& tenants = bench.coordinator->tenants();
  const Cache* canary = tenants.canary_cache("amber");
  EXPECT_EQ(bench.run(tenants.delete_cache(canary->id)).code(), base::ErrorCode::kRefused);
}

TEST(Tenants, ChangeNothingInMemoryWhenTheStoreRefuses) {
  Bench bench;
  bench.restart();
  Tenants& tenants = bench.coordinator->tenants();
  bench.store.script({test::FakeStore::Fault::kBeforeCommit});
  EXPECT_FALSE(bench.run(tenants.delete_cache(1)).ok());
  EXPECT_NE(tenants.cache(1), nullptr);
}

TEST(SecretBox, OpensOnlyWhatItSealedForTheSameName) {
  test::TempDir dir;
  auto box = SecretBox::open(dir.file("secret.key"));
  ASSERT_TRUE(box.ok());
  const std::string sealed = box->seal(base::Secret("hunter2"), "AB12CD");
  EXPECT_EQ(box->unseal(sealed, "AB12CD")->reveal(), "hunter2");
  EXPECT_FALSE(box->unseal(sealed, "AB12CE").ok());
  auto again = SecretBox::open(dir.file("secret.key"));
  EXPECT_EQ(again->unseal(sealed, "AB12CD")->reveal(), "hunter2");
  auto other = SecretBox::open(dir.file("other.key"));
  EXPECT_FALSE(other->unseal(sealed, "AB12CD").ok());
}

TEST(SecretBox, RefusesAKeyThatOthersMayRead) {
  test::TempDir dir;
  ASSERT_TRUE(SecretBox::open(dir.file("secret.key")).ok());
  ASSERT_EQ(::chmod(dir.file("secret.key").c_str(), 0644), 0);
  EXPECT_EQ(SecretBox::open(dir.file("secret.key")).code(), base::ErrorCode::kInvalid);
}

}  // namespace
}  // namespace agent::coord
