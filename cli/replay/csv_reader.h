// CSV reader: rows of a file or a pipe, one after the other, in constant memory.
//
// RFC 4180 with what files have in practice: a byte order mark, CRLF, quoted fields with commas,
// quotes and line ends in them, empty lines, no line end after the last row; semicolons or tabs
// when the first line has no comma. What it hands out are views into its buffer, valid until the
// next row.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace cli {

// Where bytes come from: a file descriptor, or a text in tests. Appends to `into` at most `most`
// bytes; 0: the end.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual base::Result<size_t> read(char* into, size_t most) = 0;
};

// Reads a descriptor that stays its owner's; `name` is for messages.
class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  base::Result<size_t> read(char* into, size_t most) override;

 private:
  int fd_;
  std::string name_;
};

// Thread: one. Memory: a line has at most kLongest bytes.
class CsvReader {
 public:
  static constexpr size_t kLongest = 1 << 20;

  // `name` is for messages ("FILE" in FILE:LINE:COLUMN).
  CsvReader(ByteSource& source, std::string name);

  struct Field {
    std::string_view text;  // unquoted, without spaces around it
    size_t column = 1;      // of its first byte in the line, from 1
  };
  // False at the end. kInvalid: this row is broken (a quote that is never closed, text behind one),
  // the next may be whole; kExhausted: a line too long, nothing can follow.
  base::Result<bool> next();
  const std::vector<Field>& fields() const { return fields_; }
  uint64_t line() const { return line_; }    // of the row's first line, from 1
  uint64_t bytes() const { return bytes_; }  // taken so far
  base::Error error_at(size_t column, const std::string& text) const;

 private:
  base::Result<bool> take_line(std::string_view& line);
  base::Result<> split(std::string_view line);
  base::Result<std::string_view> unquote(std::string_view line, size_t& at, size_t& scratch);

  ByteSource& source_;
  std::string name_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what is in the buffer
  bool ended_ = false;
  uint64_t line_ = 0, lines_ = 0, bytes_ = 0;
  char separator_ = '\0';  // not known before the first row
  std::vector<Field> fields_;
  std::deque<std::string> unquoted_;  // stay in place while others are added
};

}  // namespace cli
