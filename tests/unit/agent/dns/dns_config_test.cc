#include "agent/dns/dns_config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sstream>

#include "base/core/file.h"
#include "base/core/text.h"
#include "tests/support/temp_dir.h"

namespace agent::dns {
namespace {

TEST(DnsConfig, ReadsAllKeysOfRfc2136) {
  const auto config = parse_dns_config(R"(
driver: rfc2136
zone: Cache.Example.NET.
servers: [{address: 10.0.0.53, port: 5353}, {address: "2001:DB8::0:53"}]
key: {name: mover, algorithm: hmac-sha512, secret_file: /etc/mcguard/dns.key}
ttl: 45s
)",
                                       "agent.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  EXPECT_EQ(config->driver, Driver::kRfc2136);
  EXPECT_EQ(config->zone, "cache.example.net");
  ASSERT_EQ(config->servers.size(), 2u);
  EXPECT_EQ(to_string(config->servers[0]), "10.0.0.53:5353");
  EXPECT_EQ(to_string(config->servers[1]), "[2001:db8::53]:53");
  EXPECT_EQ(config->key.name, "mover");
  EXPECT_EQ(config->key.algorithm, TsigAlgorithm::kHmacSha512);
  EXPECT_EQ(config->key.secret_file, "/etc/mcguard/dns.key");
  EXPECT_EQ(config->ttl, std::chrono::seconds(45));
}

TEST(DnsConfig, ReadsTheOtherDrivers) {
  const auto exec = parse_dns_config("{driver: exec, zone: a.net, program: /usr/bin/x}", "f");
  ASSERT_TRUE(exec.ok()) << exec.error().context;
  EXPECT_EQ(exec->driver, Driver::kExec);
  EXPECT_EQ(exec->program, "/usr/bin/x");
  EXPECT_EQ(exec->ttl, kLeastTtl);
  const auto file = parse_dns_config("{driver: file, zone: a.net, directory: /tmp/x}", "f");
  ASSERT_TRUE(file.ok()) << file.error().context;
  EXPECT_EQ(file->directory, "/tmp/x");
}

TEST(DnsConfig, ReportsEveryProblemWithItsPlace) {
  const auto config = parse_dns_config(R"(driver: rfc2136
zone: "*.example"
servers:
  - {address: ns1.example.net}
  - {address: 10.0.0.53, port: 70000}
  - {address: 10.0.0.54}
  - {address: 10.0.0.54}
key: {name: mover, algorithm: hmac-md5, secret_file: dns.key}
ttl: 5m
program: /usr/bin/x
)",
                                       "agent.yaml");
  ASSERT_FALSE(config.ok());
  const std::string& text = config.error().context;
  for (const char* place :
       {"agent.yaml:2:7", "agent.yaml:4:15", "agent.yaml:5:32", "agent.yaml:7:5",
        "agent.yaml:8:", "agent.yaml:9:6", "agent.yaml:10:1"}) {
    EXPECT_NE(text.find(place), std::string::npos) << place << " in\n" << text;
  }
}

TEST(DnsConfig, NamesWhatIsMissing) {
  const auto config = parse_dns_config("{driver: rfc2136}", "agent.yaml");
  ASSERT_FALSE(config.ok());
  for (const char* key : {"zone", "servers", "key"}) {
    EXPECT_NE(config.error().context.find(key), std::string::npos) << config.error().context;
  }
}

class KeyFile : public ::testing::Test {
 protected:
  base::Result<Key> load(const std::string& text, unsigned mode = 0600) {
    KeyConfig config;
    config.name = "mover";
    config.secret_file = directory_.file("dns.key");
    EXPECT_TRUE(
        base::write_file_atomic(config.secret_file, text, base::Durability::kRenameOnly).ok());
    EXPECT_EQ(::chmod(config.secret_file.c_str(), mode), 0);
    return load_key(config);
  }
  test::TempDir directory_;
  const std::string secret_ = "0123456789abcdef";
};

TEST_F(KeyFile, HoldsTheSecretInBase64) {
  const auto key = load(base::base64_encode(secret_) + "\n", 0640);
  ASSERT_TRUE(key.ok()) << key.error().context;
  EXPECT_EQ(key->secret.reveal(), secret_);
  EXPECT_EQ(key->name, "mover");
}

TEST_F(KeyFile, MustNotBeOpenToEverybody) {
  for (const unsigned mode : {0644u, 0602u, 0777u}) {
    const auto key = load(base::base64_encode(secret_), mode);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.code(), base::ErrorCode::kPermission);
    EXPECT_NE(key.error().context.find("chmod o="), std::string::npos);
  }
}

TEST_F(KeyFile, WithoutAKeyIsRefusedAndNotQuoted) {
  const std::string text = "key \"mover\" { secret \"MDEyMzQ1Njc4OWFiY2RlZg==\"; };";
  for (const std::string& each : {std::string(), std::string("MDEy"), text}) {
    const auto key = load(each);
    ASSERT_FALSE(key.ok()) << each;
    EXPECT_EQ(key.code(), base::ErrorCode::kInvalid);
    EXPECT_EQ(key.error().context.find("MDEy"), std::string::npos);
  }
  KeyConfig missing;
  missing.secret_file = directory_.file("none");
  EXPECT_EQ(load_key(missing).code(), base::ErrorCode::kNotFound);
  missing.secret_file = directory_.path();
  EXPECT_EQ(load_key(missing).code(), base::ErrorCode::kInvalid);
}

TEST_F(KeyFile, IsNotPrinted) {
  const auto key = load(base::base64_encode(secret_));
  std::ostringstream out;
  out << key->secret;
  EXPECT_EQ(out.str(), "***");
}

}  // namespace
}  // namespace agent::dns
