#include "reference_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace base::memcache {
namespace {

constexpr const char* kProgram = "/usr/bin/memcached";
constexpr int kPatienceMs = 5000;

// A connected socket, or -1.
int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

ReferenceServer::ReferenceServer() : socket_(directory_.file("memcached.sock")) {
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // `verbosity 2` is among the commands tried; what it makes memcached print is of no interest.
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    ::execl(kProgram, kProgram, "-u", "root", "-t", "1", "-m", "64", "-s", socket_.c_str(),
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  // Listening is announced by nothing but the socket itself, so it is tried with short waits.
  for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 5) {
    const int fd = connect_to(socket_);
    if (fd >= 0) {
      ::close(fd);
      return;
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      throw std::runtime_error(std::string(kProgram) + " did not start: is memcached installed?");
    }
    ::poll(nullptr, 0, 5);
  }
  throw std::runtime_error(std::string(kProgram) + " does not listen on " + socket_);
}

ReferenceServer::~ReferenceServer() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

ReferenceConnection::ReferenceConnection(const ReferenceServer& server)
    : fd_(connect_to(server.socket_path())) {
  if (fd_ < 0) throw std::runtime_error("cannot connect to " + server.socket_path());
}

ReferenceConnection::~ReferenceConnection() {
  ::close(fd_);
}

void ReferenceConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // closed: what it answered before is still to be read
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string ReferenceConnection::receive(size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) <= 0) return bytes;
    char chunk[65536];
    const ssize_t count = ::recv(fd_, chunk, sizeof(chunk), 0);
    if (count <= 0) return bytes;
    bytes.append(chunk, static_cast<size_t>(count));
  }
  return bytes;
}

bool ReferenceConnection::closes() {
  for (;;) {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) <= 0) return false;
    char chunk[65536];
    if (::recv(fd_, chunk, sizeof(chunk), 0) <= 0) return true;
  }
}

}  // namespace base::memcache
