// A text as a source of bytes, handed out in pieces of a given size.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "cli/replay/csv_reader.h"

namespace test {

class TextSource final : public cli::ByteSource {
 public:
  explicit TextSource(std::string text, size_t piece = 1 << 20)
      : text_(std::move(text)), piece_(piece) {}
  base::Result<size_t> read(char* into, size_t most) override {
    const size_t count = std::min({most, piece_, text_.size() - at_});
    std::memcpy(into, text_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  size_t piece_;
  size_t at_ = 0;
};

}  // namespace test
