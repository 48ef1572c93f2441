// A network namespace of a test process's own, with nothing but loopback in it.
//
// Whatever the process and its children then do to the network ends with them. Needs root, or the
// right to make a user namespace and be root in it.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/net/fd.h"

namespace test {

// Empty: this process is in one now. Else why not. Call it before there are threads.
inline std::string enter_own_network() {
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  const bool is_root = ::geteuid() == 0;
  if (::unshare(is_root ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER) != 0) {
    return std::string("no right to make a network namespace: ") + std::strerror(errno);
  }
  const auto write = [](const char* path, const std::string& text) {
    const base::net::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
    return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  if (!is_root &&
      !(write("/proc/self/setgroups", "deny") && write("/proc/self/uid_map", "0 " + uid + " 1") &&
        write("/proc/self/gid_map", "0 " + gid + " 1"))) {
    return "no right to be root in a user namespace";
  }
  const base::net::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) != 0) return "loopback cannot be set up";
  return "";
}

// Gives loopback an IPv6 address.
inline bool add_loopback_address(const in6_addr& address) {
  struct Request {  // of <linux/ipv6.h>, which does not go with <netinet/in.h>
    in6_addr address;
    uint32_t prefix_length;
    int interface;
  } request{address, 128, 1};
  const base::net::UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ::ioctl(socket.get(), SIOCSIFADDR, &request) == 0;
}

}  // namespace test
