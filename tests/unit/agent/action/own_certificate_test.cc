#include "agent/action/own_certificate.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/file.h"
#include "tests/support/fake_region.h"
#include "tests/support/temp_dir.h"

namespace agent::action {
namespace {

TEST(OwnCertificate, IsMadeOnceAndKept) {
  const test::TempDir dir;
  const coord::RegionSpec spec = test::small_region(dir.path());
  ASSERT_TRUE(ensure_certificate(spec).ok());
  const std::string first = *base::read_file(certificate_path(spec));
  struct stat key {};
  ASSERT_EQ(::stat(certificate_key_path(spec).c_str(), &key), 0);
  EXPECT_EQ(key.st_mode & 0777, 0600u);
  ASSERT_TRUE(ensure_certificate(spec).ok());
  EXPECT_EQ(*base::read_file(certificate_path(spec)), first);
}

TEST(OwnCertificate, SaysWhenACertificateEnds) {
  const test::TempDir dir;
  const coord::RegionSpec spec = test::small_region(dir.path());
  EXPECT_FALSE(certificate_end(certificate_path(spec)));
  ASSERT_TRUE(ensure_certificate(spec).ok());
  const auto end = certificate_end(certificate_path(spec));
  ASSERT_TRUE(end);
  struct stat made {};
  ASSERT_EQ(::stat(certificate_path(spec).c_str(), &made), 0);
  EXPECT_NEAR(double(*end - made.st_mtime) / (24 * 3600), 3650, 1);
}

TEST(OwnCertificate, KeepsTheKeyThatIsThere) {
  const test::TempDir dir;
  const coord::RegionSpec spec = test::small_region(dir.path());
  ASSERT_TRUE(ensure_certificate(spec).ok());
  const std::string key = *base::read_file(certificate_key_path(spec));
  ASSERT_EQ(::unlink(certificate_path(spec).c_str()), 0);
  ASSERT_TRUE(ensure_certificate(spec).ok());
  EXPECT_EQ(*base::read_file(certificate_key_path(spec)), key);
}

TEST(OwnCertificate, SaysWhichKeyIsNone) {
  const test::TempDir dir;
  const coord::RegionSpec spec = test::small_region(dir.path());
  ASSERT_TRUE(
      base::write_file_atomic(certificate_key_path(spec), "nonsense", base::Durability::kRenameOnly)
          .ok());
  const auto ensured = ensure_certificate(spec);
  ASSERT_FALSE(ensured.ok());
  EXPECT_NE(ensured.error().context.find("tls.key"), std::string::npos);
}

}  // namespace
}  // namespace agent::action
