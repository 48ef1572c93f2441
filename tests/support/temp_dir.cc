#include "tests/support/temp_dir.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "base/core/check.h"

namespace test {

TempDir::TempDir() {
  path_ = (std::filesystem::temp_directory_path() / "mcguard-test-XXXXXX").string();
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace test
