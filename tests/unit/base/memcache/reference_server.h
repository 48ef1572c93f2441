// A real memcached of the test's own on a Unix socket: the reference for what this folder imitates.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "tests/support/temp_dir.h"

namespace base::memcache {

// Starts /usr/bin/memcached and stops it in the destructor; it dies with the test in any case.
class ReferenceServer {
 public:
  ReferenceServer();
  ~ReferenceServer();
  ReferenceServer(const ReferenceServer&) = delete;
  ReferenceServer& operator=(const ReferenceServer&) = delete;

  const std::string& socket_path() const { return socket_; }

 private:
  test::TempDir directory_;
  std::string socket_;
  pid_t pid_ = 0;
};

// One connection to it.
class ReferenceConnection {
 public:
  explicit ReferenceConnection(const ReferenceServer& server);
  ~ReferenceConnection();
  ReferenceConnection(const ReferenceConnection&) = delete;
  ReferenceConnection& operator=(const ReferenceConnection&) = delete;

  void send(std::string_view bytes);
  // Reads until `size` bytes are there, the server closes, or a few seconds have passed.
  std::string receive(size_t size);
  // Reads until the server closes; false after a few seconds without that.
  bool closes();

 private:
  int fd_;
};

}  // namespace base::memcache
