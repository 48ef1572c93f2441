#include "base/memcache/client_key.h"

#include <cstddef>
#include <cstdint>

namespace base::memcache {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kPadding = '=';

}  // namespace

std::optional<std::string> decode_client_key(std::string_view text) {
  std::string key;
  uint32_t bits = 0;
  size_t count = 0, padding = 0;
  bool ended = false;
  for (const char character : text) {
    const size_t value = kAlphabet.find(character);
    const bool pads = character == kPadding;
    if (value == std::string_view::npos && !pads) continue;
    ++count;
    if (ended) continue;
    if (pads) ++padding;
    bits = bits << 6 | (pads ? 0 : static_cast<uint32_t>(value));
    if (count % 4 != 0) continue;
    if (padding > 2) return std::nullopt;
    for (const int shift : {16, 8, 0}) key.push_back(static_cast<char>(bits >> shift));
    key.resize(key.size() - padding);
    ended = padding > 0;
  }
  if (count == 0 || count % 4 != 0 || key.empty()) return std::nullopt;
  return key;
}

}  // namespace base::memcache
