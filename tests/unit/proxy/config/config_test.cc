#include "proxy/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace proxy {
namespace {

using testing::HasSubstr;

const std::string kGood = R"(id: amber-proxy-1
cluster: amber
listen: {address: 127.0.1.1, port: 11211}
metrics: {address: 127.0.1.1, port: 7490}
workers: 2
state_dir: /s
control_socket: /c.sock
agent_socket: /a.sock
telemetry_file: /t.seg
)";

std::string problem(const std::string& text) {
  const auto config = parse_config(text, "proxy.yaml");
  return config.ok() ? "none" : config.error().context;
}

TEST(ProxyConfig, ReadsWhatIsThereAndDefaultsTheRest) {
  const auto config = parse_config(kGood, "proxy.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  EXPECT_EQ(config->id, "amber-proxy-1");
  EXPECT_EQ(config->listen.port, 11211);
  EXPECT_EQ(config->workers, 2u);
  EXPECT_EQ(config->timeouts.authenticate, 5s);
  EXPECT_EQ(config->timeouts.idle, Duration(0));
  EXPECT_EQ(config->timeouts.keepalive, 60s);
  EXPECT_EQ(config->limits.connections, 10'000u);
  EXPECT_EQ(config->loop.coalesce, 100us);
  EXPECT_EQ(config->loop.busy_poll, 50us);
  EXPECT_EQ(config->loop.busy_poll_when, PollWhen::kCheaper);
  EXPECT_EQ(config->samples.keys_one_in, 128u);
  EXPECT_EQ(config->samples.keys, KeyText::kText);
  EXPECT_EQ(config->samples.slow, 20ms);
  EXPECT_EQ(config->on_backend_failure, FailurePolicy::kMiss);
  EXPECT_FALSE(config->open.has_value());
}

TEST(ProxyConfig, ReadsEveryKey) {
  const auto config = parse_config(kGood + R"(open: {port: 11213, cache: 7}
timeouts: {authenticate: 2s, request: 300ms, connect: 100ms, idle: 5m, keepalive: 20s}
limits:
  connections: 5
  connections_per_client: 2
  in_flight_bytes: 4MiB
  in_flight: {proxy: {requests: 900, bytes: 1GiB}, credential: {requests: 90, bytes: 100MiB}}
  backend_queue: {bytes: 8MiB, requests: 1000}
  connection_rate: {proxy: 1000, client: 10, credential: 20}
loop: {coalesce: 50us, busy_poll: 20us, busy_poll_when: always}
samples: {keys_one_in: 10, keys: hash, slow: 5ms, slow_per_second: 3}
on_backend_failure: error
log: {level: debug, file: /l.log, json: true, to: file, max_bytes: 1MiB, files: 2}
)",
                                   "proxy.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  EXPECT_EQ(config->open->cache, 7u);
  EXPECT_EQ(config->timeouts.request, 300ms);
  EXPECT_EQ(config->timeouts.idle, std::chrono::minutes(5));
  EXPECT_EQ(config->timeouts.keepalive, 20s);
  EXPECT_EQ(config->limits.in_flight_bytes, 4u << 20);
  EXPECT_EQ(config->limits.in_flight.proxy.requests, 900u);
  EXPECT_EQ(config->limits.in_flight.proxy.bytes, 1u << 30);
  EXPECT_EQ(config->limits.in_flight.credential.requests, 90u);
  EXPECT_EQ(config->limits.in_flight.credential.bytes, 100u << 20);
  EXPECT_EQ(config->limits.backend_queue.bytes, 8u << 20);
  EXPECT_EQ(config->limits.backend_queue.requests, 1000u);
  EXPECT_EQ(config->limits.connection_rate.proxy, 1000u);
  EXPECT_EQ(config->limits.connection_rate.client, 10u);
  EXPECT_EQ(config->limits.connection_rate.credential, 20u);
  EXPECT_EQ(config->loop.coalesce, 50us);
  EXPECT_EQ(config->loop.busy_poll, 20us);
  EXPECT_EQ(config->loop.busy_poll_when, PollWhen::kAlways);
  EXPECT_EQ(config->samples.keys_one_in, 10u);
  EXPECT_EQ(config->samples.keys, KeyText::kHash);
  EXPECT_EQ(config->samples.slow, 5ms);
  EXPECT_EQ(config->samples.slow_per_second, 3u);
  EXPECT_EQ(config->on_backend_failure, FailurePolicy::kError);
  EXPECT_TRUE(config->log.json);
  EXPECT_EQ(config->log.to, base::log::Target::kFile);
  EXPECT_EQ(config->log.max_bytes, 1u << 20);
  EXPECT_EQ(config->log.files, 2u);
}

TEST(ProxyConfig, SaysWhereEachMistakeIs) {
  EXPECT_THAT(problem(kGood + "lsiten: 1\n"), HasSubstr("proxy.yaml:10:1: lsiten"));
  EXPECT_THAT(problem(kGood + "limits: {in_flight_bytes: 1KiB}\n"), HasSubstr("at least 2MiB"));
  EXPECT_THAT(problem(kGood + "limits: {in_flight: {proxy: {bytes: 1MiB}}}\n"),
              HasSubstr("at least 2MiB"));
  EXPECT_THAT(problem(kGood + "limits: {backend_queue: {bytes: 1KiB}}\n"),
              HasSubstr("at least 2MiB"));
  EXPECT_THAT(problem(kGood + "timeouts: {request: 1}\n"), HasSubstr("timeouts.request"));
  EXPECT_THAT(problem(kGood + "timeouts: {keepalive: 1s}\n"), HasSubstr("at least 2s"));
  EXPECT_THAT(problem(kGood + "timeouts: {keepalive: 9h}\n"), HasSubstr("timeouts.keepalive"));
  EXPECT_THAT(problem(kGood + "loop: {coalesce: 1s}\n"), HasSubstr("loop.coalesce"));
  EXPECT_THAT(problem(kGood + "samples: {keys: plain}\n"), HasSubstr("samples.keys"));
  EXPECT_THAT(problem(kGood + "samples: {slow_per_second: 0}\n"),
              HasSubstr("samples.slow_per_second"));
  EXPECT_THAT(problem("id: x\n"), HasSubstr("cluster"));
  std::string text = kGood;
  text.replace(text.find("127.0.1.1"), 9, "localhost");
  EXPECT_THAT(problem(text), HasSubstr("proxy.yaml:3:"));
  EXPECT_THAT(problem(""), testing::Not(testing::StrEq("none")));
}

TEST(ProxyConfig, AnOpenListenerIsForLoopbackOnly) {
  std::string text = kGood + "open: {port: 11213, cache: 1}\n";
  text.replace(text.find("127.0.1.1"), 9, "10.0.0.1");
  EXPECT_THAT(problem(text), HasSubstr("loopback"));
}

TEST(ProxyConfig, KnowsWhatMayNotChangeWhileRunning) {
  auto running = parse_config(kGood, "a");
  auto wanted = parse_config(kGood + "limits: {connections: 3}\n", "b");
  ASSERT_TRUE(running.ok() && wanted.ok());
  EXPECT_EQ(fixed_difference(*running, *wanted), "");
  wanted->workers = 3;
  EXPECT_EQ(fixed_difference(*running, *wanted), "workers");
  wanted->workers = 2;
  wanted->listen.port = 1;
  EXPECT_EQ(fixed_difference(*running, *wanted), "listen");
}

TEST(ProxyConfig, ListensOnAUnixSocketBeside) {
  const std::string listen = "listen: {address: 127.0.1.1, port: 11211";
  const auto with = [&](const std::string& more) {
    std::string text = kGood;
    return text.replace(text.find(listen), listen.size(), listen + more);
  };
  const auto config = parse_config(with(", unix: /run/m.sock, unix_mode: 0666"), "proxy.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  EXPECT_EQ(config->unix_listen->path, "/run/m.sock");
  EXPECT_EQ(config->unix_listen->mode, 0666u);
  EXPECT_EQ(parse_config(with(", unix: /run/m.sock"), "")->unix_listen->mode, 0660u);
  EXPECT_THAT(problem(with(", unix: m.sock")), HasSubstr("absolute path"));
  EXPECT_THAT(problem(with(", unix: /m.sock, unix_mode: 0999")), HasSubstr("octal"));
  EXPECT_THAT(problem(with(", unix_mode: 0600")), HasSubstr("unix, the path"));
}

TEST(ProxyConfig, ReadsTls) {
  const std::string pair = "certificate: /a.pem, key: /a.key";
  const auto config = parse_config(
      kGood + "tls: {port: 11212, " + pair +
          ", more_certificates: [{certificate: /b.pem, key: /b.key}], client_ca: /ca.pem, "
          "client_certificates: optional, min_version: '1.3'}\n",
      "proxy.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  ASSERT_EQ(config->tls->certificates.size(), 2u);
  EXPECT_EQ(config->tls->certificates[1].key.path, "/b.key");
  EXPECT_EQ(config->tls->client_ca->path, "/ca.pem");
  EXPECT_THAT(config->tls->certificates[1].key.origin,
              AllOf(HasSubstr(".yaml:"), HasSubstr(": tls.more_certificates[0].key")));
  EXPECT_FALSE(config->tls->client_required);
  EXPECT_EQ(config->tls->min_version, TlsVersion::k13);
  EXPECT_THAT(problem(kGood + "tls: {port: 1, certificate: /a.pem}\n"), HasSubstr("key"));
  EXPECT_THAT(problem(kGood + "tls: {port: 1, " + pair + ", min_version: '1.1'}\n"),
              HasSubstr("1.2"));
  EXPECT_THAT(problem(kGood + "tls: {port: 1, " + pair + ", client_certificates: required}\n"),
              HasSubstr("client_ca"));
}

TEST(ProxyConfig, ReadsBalancers) {
  const auto config =
      parse_config(kGood + "proxy_protocol: {from: [10.0.0.0/8, '::1']}\n", "proxy.yaml");
  ASSERT_TRUE(config.ok()) << config.error().context;
  EXPECT_EQ(config->proxy_protocol_from.size(), 2u);
  EXPECT_THAT(problem(kGood + "proxy_protocol: {from: [10.0.0.1/8]}\n"), HasSubstr("10.0.0.0/8"));
  EXPECT_THAT(problem(kGood + "proxy_protocol: {}\n"), HasSubstr("from"));
}

}  // namespace
}  // namespace proxy
