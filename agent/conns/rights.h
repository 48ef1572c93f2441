// Which source may be used: what the process may do, and what follows from it.
#pragma once

#include <cstdint>
#include <string>

#include "agent/conns/counts.h"

namespace agent::conns {

// As the kernel answered, for this process.
struct Rights {
  bool kernel_counts = false;     // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN
  bool type_information = false;  // /sys/kernel/btf/vmlinux is there
  int kernel_major = 0, kernel_minor = 0;
  friend bool operator==(const Rights&, const Rights&) = default;
};
Rights own_rights();

struct Choice {
  SourceKind source = SourceKind::kDiagnostics;
  std::string why;
};
// What to try. Pure.
Choice choose(const Rights& rights);

}  // namespace agent::conns
