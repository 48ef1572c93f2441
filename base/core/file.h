// Files that survive a crash: whole-file reads with a bound, and atomic, durable replacement.
// Edges only; the one place that knows the write-fsync-rename-fsync order.
#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"

namespace base {

// kNotFound, kPermission or kIo with the path; kInvalid if larger than max_bytes.
Result<std::string> read_file(const std::string& path, size_t max_bytes = 64u << 20);

enum class Durability { kRenameOnly, kFsync };
// Readers see the old or the new content, never a part. With kFsync the new content survives power
// loss once this returns. A failure (full disk, no right) leaves the old file in place.
Result<> write_file_atomic(const std::string& path, std::string_view content, Durability durability,
                           unsigned mode = 0644);

// mkdir -p. kPermission names the owner of what stands in the way.
Result<> make_directories(const std::string& path, unsigned mode = 0755);

}  // namespace base
