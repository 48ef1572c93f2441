#include "agent/rule/phrase.h"

#include <array>
#include <cstdio>

namespace agent::rule {

namespace {

std::string with_digits(double value, int digits, const char* unit) {
  std::array<char, 64> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.*f%s", digits, value, unit);
  return {buffer.data(), static_cast<size_t>(length)};
}

}  // namespace

std::string seconds_text(double seconds) {
  return with_digits(seconds, 1, " s");
}
std::string brief_text(double seconds) {
  if (seconds < 1e-3) return with_digits(seconds * 1e6, 0, " µs");
  if (seconds < 1) return with_digits(seconds * 1e3, 1, " ms");
  return seconds_text(seconds);
}
std::string percent_text(double share) {
  return with_digits(share * 100, share < 0.01 ? 2 : 1, " %");
}
std::string count_text(double count) {
  return with_digits(count, 0, "");
}

std::string length_text(double seconds) {
  if (seconds < 120) return with_digits(seconds, 0, " s");
  if (seconds < 2 * 3600) return with_digits(seconds / 60, 0, " min");
  if (seconds < 48 * 3600) return with_digits(seconds / 3600, 1, " h");
  return with_digits(seconds / (24 * 3600), 1, " days");
}
std::string bytes_text(double bytes) {
  constexpr double kMebibyte = 1 << 20;
  if (bytes < 1024 * kMebibyte) return with_digits(bytes / kMebibyte, 1, " MiB");
  return with_digits(bytes / (1024 * kMebibyte), 1, " GiB");
}

}  // namespace agent::rule
