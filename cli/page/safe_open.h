// Opening a file beneath a folder, and nothing else: no "..", no symbolic link anywhere on the way,
// nothing but regular files. Each component is opened from the one before it, so there is no moment
// at which a path is checked but not yet opened.
#pragma once

#include <string>
#include <string_view>

namespace cli {

enum class OpenedKind { kFile, kFolder, kNothing };
struct OpenedFile {
  OpenedKind kind = OpenedKind::kNothing;
  std::string content;  // of a file
};
// `path` is decoded and begins with "/". A file beyond 16 MiB counts as nothing.
OpenedFile read_beneath(const std::string& folder, std::string_view path);

}  // namespace cli
