// Series: any bytes may be read as a CSV, whole or in pieces, and give the same number of rows.
#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/core/check.h"
#include "cli/replay/series_replay.h"

namespace {

class Pieces final : public cli::ByteSource {
 public:
  Pieces(std::string_view rest, size_t piece) : rest_(rest), piece_(piece) {}
  base::Result<size_t> read(char* into, size_t most) override {
    const size_t count = std::min({most, piece_, rest_.size()});
    if (count > 0) std::memcpy(into, rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
  size_t piece_;
};

uint64_t rows(std::string_view text, size_t piece, bool skip_bad) {
  static const int kNowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Pieces source(text, piece);
  cli::CsvReader reader(source, "fuzz.csv");
  cli::RowWriter writer(kNowhere, cli::RowFormat::kJson, true);
  cli::SeriesOptions options;
  options.skip_bad = skip_bad;
  cli::SeriesReplay replay(reader, writer, options, [](uint64_t) {});
  const auto count = replay.run();
  return count ? count->rows : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  (void)rows(text, 1 << 20, false);
  CHECK(rows(text, 1 << 20, true) == rows(text, 1 + size / 3, true));
  return 0;
}
