#include "cli/replay/row_writer.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

namespace cli {
namespace {

constexpr size_t kWritePiece = size_t{64} << 10;

}  // namespace

std::string json_number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

RowWriter::RowWriter(int fd, RowFormat format, bool with_reason)
    : fd_(fd), format_(format), with_reason_(with_reason) {
  buffer_.reserve(2 * kWritePiece);
  if (format_ == RowFormat::kJson) {
    buffer_ = "[";
  } else {
    buffer_ =
        with_reason ? "timestamp,value,anomaly_score,reason\n" : "timestamp,value,anomaly_score\n";
  }
}

void RowWriter::add_csv(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    buffer_ += field;
    return;
  }
  buffer_ += '"';
  for (const char c : field) {
    if (c == '"') buffer_ += '"';
    buffer_ += c;
  }
  buffer_ += '"';
}

void RowWriter::add_json(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  buffer_ += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      buffer_ += '\\';
      buffer_ += c;
    } else if (byte < 0x20) {
      buffer_ += "\\u00";
      buffer_ += kHex[byte >> 4];
      buffer_ += kHex[byte & 15];
    } else {
      buffer_ += c;
    }
  }
  buffer_ += '"';
}

// Six decimals by hand: the general way costs as much as the scoring.
void RowWriter::add_score(double score) {
  auto millionths = static_cast<uint32_t>(std::lround(score * 1e6));
  buffer_ += static_cast<char>('0' + millionths / 1'000'000);
  buffer_ += '.';
  millionths %= 1'000'000;
  for (uint32_t unit = 100'000; unit > 0; unit /= 10) {
    buffer_ += static_cast<char>('0' + millionths / unit % 10);
  }
}

base::Result<> RowWriter::write(const ScoredRow& row) {
  if (format_ == RowFormat::kCsv) {
    add_csv(row.timestamp);
    buffer_ += ',';
    add_csv(row.value);
    buffer_ += ',';
    add_score(row.score);
    if (with_reason_) (buffer_ += ',') += row.reason;
    buffer_ += '\n';
  } else {
    buffer_ += first_ ? "\n" : ",\n";
    buffer_ += R"({"timestamp":)";
    add_json(row.timestamp);
    buffer_ += R"(,"value":)";
    double number = 0;
    const char* from = row.value.data();
    const char* const end = from + row.value.size();
    if (from != end && *from == '+') ++from;
    const bool is_number = row.has_number && std::from_chars(from, end, number).ec == std::errc();
    buffer_ += is_number ? json_number(number) : "null";
    buffer_ += R"(,"anomaly_score":)";
    add_score(row.score);
    if (with_reason_) {
      buffer_ += R"(,"reason":)";
      add_json(row.reason);
    }
    buffer_ += '}';
  }
  first_ = false;
  return buffer_.size() >= kWritePiece ? flush() : base::Result<>();
}

base::Result<> RowWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd_, rest.data(), rest.size());
    if (count >= 0) {
      rest.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EPIPE) {
      return base::Error(base::ErrorCode::kUnavailable, "the reader of the output has gone");
    } else if (errno != EINTR) {
      return base::Error(base::ErrorCode::kIo,
                         "cannot write the output: " + std::string(std::strerror(errno)));
    }
  }
  buffer_.clear();
  return base::Done{};
}

base::Result<> RowWriter::finish() {
  if (format_ == RowFormat::kJson) buffer_ += first_ ? "]\n" : "\n]\n";
  return flush();
}

}  // namespace cli
