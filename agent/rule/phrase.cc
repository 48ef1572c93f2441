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
std::string percent_text(double share) {
  return with_digits(share * 100, share < 0.01 ? 2 : 1, " %");
}
std::string count_text(double count) {
  return with_digits(count, 0, "");
}

}  // namespace agent::rule
