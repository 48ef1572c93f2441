// ProxyConfig: what proxy.yaml says, read strictly and checked whole.
//
// Idea: the file holds only what a node's owner decides (addresses, limits, timeouts, where files
// are); what the controller decides (caches, credentials, backends, tables) arrives over the control
// socket and never stands here. A value of this struct is valid: nobody checks it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/telemetry/log.h"
#include "base/time/clock.h"
#include "proxy/config/network.h"

namespace proxy {

using base::Duration;
using base::Instant;
using base::operator""ms;
using base::operator""s;
using base::operator""us;

struct Timeouts {
  Duration authenticate = 5s;   // a connection that has not authenticated by then is closed
  Duration request = 1s;        // a backend that lets a request wait longer is given up
  Duration queue = 500ms;       // when all wait longer for a backend, the newest are shed; 0: never
  Duration connect = 500ms;     // to reach a backend and get its first answer
  Duration idle = Duration(0);  // closes clients that are silent for longer; 0: never
  // A client or backend whose host has answered nothing for so long, when spoken to or asked whether it
  // is there, or that has read nothing of what waits for it, is gone; 0: as the kernel does it, hours
  Duration keepalive = 60s;
};

// What may wait for one backend on one worker's connection. Zero: no limit.
struct BackendQueue {
  uint64_t bytes = 64ull * 1048576;  // not sent yet
  uint64_t requests = 262'144;       // not answered yet
};

// New connections a second. Zero: no limit.
struct ConnectionRate {
  uint64_t proxy = 0;       // beyond it they wait, the newest first
  uint64_t client = 0;      // of one client address; beyond it they are refused
  uint64_t credential = 0;  // that authenticate as one credential; likewise
};

// What is in flight at a time: requests without their reply, bytes that wait in the proxy. Zero: no limit.
struct InFlightLimit {
  uint64_t requests = 0;
  uint64_t bytes = 0;
};

struct InFlightLimits {
  InFlightLimit proxy;
  InFlightLimit credential;  // of all connections of one
};

// Zero: no limit.
struct Limits {
  uint64_t connections = 10'000;
  uint64_t connections_per_client = 0;         // per client address
  uint64_t in_flight_bytes = 64ull * 1048576;  // replies waiting for one client to read them
  InFlightLimits in_flight;
  BackendQueue backend_queue;
  ConnectionRate connection_rate;
};

enum class PollWhen : uint8_t { kCheaper, kAlways };  // kAlways: for latency, whatever it costs

// How a worker waits for its sockets.
struct LoopPolicy {
  // While busy it lets them gather for up to this long between two looks; 0: never.
  Duration coalesce = 100us;
  // After an event it looks again and again for up to this long before it sleeps, while that makes
  // requests cheaper: it saves a lone client the wake-ups of the proxy. 0: never.
  Duration busy_poll = 50us;
  PollWhen busy_poll_when = PollWhen::kCheaper;
};

enum class KeyText : uint8_t { kText, kHash };  // how keys appear in samples

// What the telemetry segment keeps of single requests (docs/proxy.md "Samples").
struct Samples {
  uint32_t keys_one_in = 128;     // about one key in so many feeds the list of busy keys; 0: none
  KeyText keys = KeyText::kText;  // kHash: no key is readable in the segment
  Duration slow = 20ms;           // a request that takes as long is slow; 0: none
  uint32_t slow_per_second = 10;  // slow requests that a worker keeps
};

enum class FailurePolicy : uint8_t { kMiss, kError };  // what a read answers without its backend

struct Endpoint {
  std::string address;  // numeric
  uint16_t port = 0;
};

// Beside listen: the same service for processes of this machine.
struct UnixListener {
  std::string path;
  uint32_t mode = 0660;  // who may connect; as for chmod
};

// A file in PEM form. The files are read by whoever uses them, more than once, so that they carry
// along what a complaint about them begins with.
struct PemFile {
  std::string path;
  std::string origin;  // "proxy.yaml:7:16: tls.key"
};

struct TlsCertificate {
  PemFile certificate;  // followed by its chain
  PemFile key;
};

enum class TlsVersion : uint8_t { k12, k13 };

// On listen.address. All but the port may change while running.
struct TlsListener {
  uint16_t port = 0;
  std::vector<TlsCertificate> certificates;  // at least one; the others are chosen by SNI
  std::optional<PemFile> client_ca;          // without it clients show no certificate
  bool client_required = true;               // with client_ca: false lets clients without one in
  TlsVersion min_version = TlsVersion::k12;
};

struct OpenListener {
  uint16_t port = 0;
  base::CacheId cache = 0;
};

struct ProxyConfig {
  std::string id;
  std::string cluster;
  Endpoint listen;
  std::optional<UnixListener> unix_listen;
  std::optional<OpenListener> open;  // serves one cache without authentication, on loopback only
  std::optional<TlsListener> tls;
  // Balancers: connections from here begin with a PROXY protocol header. Empty: none does.
  std::vector<Network> proxy_protocol_from;
  Endpoint metrics;
  uint32_t workers = 1;
  std::string state_dir;
  std::string control_socket;
  std::string agent_socket;  // empty: clients cannot flush
  std::string telemetry_file;
  Timeouts timeouts;
  Limits limits;
  LoopPolicy loop;
  Samples samples;
  FailurePolicy on_backend_failure = FailurePolicy::kMiss;
  base::log::Options log;
};

// kInvalid with one line per problem, each with file:line:column.
base::Result<ProxyConfig> load_config(const std::string& path);
base::Result<ProxyConfig> parse_config(std::string_view text, const std::string& name);

// What may not change while running: the first key that differs, or empty.
std::string_view fixed_difference(const ProxyConfig& running, const ProxyConfig& wanted);

}  // namespace proxy
