#include "agent/conns/rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

namespace agent::conns {
namespace {

// From here on the walk over sockets holds each one's lock, which exact seeding rests on.
constexpr int kMajor = 5, kMinor = 15;

bool is_effective(const __user_cap_data_struct (&sets)[2], int capability) {
  return (sets[capability / 32].effective >> (capability % 32) & 1) != 0;
}

}  // namespace

Rights own_rights() {
  Rights rights;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  if (::syscall(SYS_capget, &header, sets) == 0) {
    rights.kernel_counts = is_effective(sets, CAP_SYS_ADMIN) ||
                           (is_effective(sets, CAP_BPF) && is_effective(sets, CAP_PERFMON));
  }
  rights.type_information = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  utsname name{};
  ::uname(&name);
  std::sscanf(name.release, "%d.%d", &rights.kernel_major, &rights.kernel_minor);
  return rights;
}

Choice choose(const Rights& rights) {
  const bool old = rights.kernel_major < kMajor ||
                   (rights.kernel_major == kMajor && rights.kernel_minor < kMinor);
  if (old) {
    return {SourceKind::kDiagnostics, "the kernel is older than 5.15, so its events are not used"};
  }
  if (!rights.type_information) {
    return {SourceKind::kDiagnostics,
            "the kernel shows no type information (/sys/kernel/btf/vmlinux)"};
  }
  if (!rights.kernel_counts) {
    return {SourceKind::kDiagnostics,
            "this process lacks CAP_BPF and CAP_PERFMON, which the kernel's events need"};
  }
  return {SourceKind::kBpf, "the kernel's events are exact and cost the same for any number"};
}

}  // namespace agent::conns
