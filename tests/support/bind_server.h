// BindServer: a BIND 9 of a test's own: an ordinary process on a random port of 127.0.0.1, with a
// directory and a key of its own. It ends with the object, and with the test's process however that ends.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/dns/courier.h"
#include "agent/dns/rfc2136_switch.h"
#include "tests/support/temp_dir.h"

namespace test {

inline constexpr const char* kBindZone = "cache.test";

// Thread: the one that lives as long as the process; it starts the process.
class BindServer {
 public:
  static bool installed();

  // The primary of kBindZone, in which the key may change everything.
  explicit BindServer(agent::dns::TsigAlgorithm algorithm = agent::dns::TsigAlgorithm::kHmacSha256);
  ~BindServer();
  BindServer(const BindServer&) = delete;
  BindServer& operator=(const BindServer&) = delete;

  // Has the zone of this one by transfer and notify; call before start().
  static void join(BindServer& primary, BindServer& secondary);
  // Runs, and answers for the zone.
  void start();
  // After SIGSTOP it returns when every thread has stopped.
  void signal(int number) const;
  // Kills it; what it had not read is lost.
  void kill();

  const agent::dns::ServerPlace& place() const { return place_; }
  const agent::dns::Key& key() const { return key_; }
  std::string key_file() const { return directory_.file("key.conf"); }
  agent::dns::Rfc2136Options options() const;
  std::string log() const;

 private:
  void configure() const;
  bool answers() const;

  TempDir directory_;
  agent::dns::ServerPlace place_;
  agent::dns::Key key_;
  const BindServer* primary_ = nullptr;
  agent::dns::ServerPlace notified_;
  pid_t pid_ = 0;
};

}  // namespace test
