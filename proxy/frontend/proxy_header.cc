#include "proxy/frontend/proxy_header.h"

#include <algorithm>

#include "base/core/text.h"
#include "proxy/backend/address.h"
#include "proxy/config/network.h"

namespace proxy {

using admission::ClientAddress;
using State = ProxyHeader::State;

namespace {

constexpr std::string_view kText = "PROXY ";
constexpr size_t kLongestLine = 107;  // with its CR LF, by the specification
constexpr std::string_view kBinary("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kBinaryFixed = 16;

ProxyHeader malformed() {
  return {State::kMalformed, 0, std::nullopt};
}

bool agrees(std::string_view input, std::string_view beginning) {
  const size_t size = std::min(input.size(), beginning.size());
  return input.substr(0, size) == beginning.substr(0, size);
}

// Up to the next space, which is taken away too.
std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool is_port(std::string_view word) {
  const auto port = base::parse_u64(word);
  return port && *port <= 65535;
}

ProxyHeader parse_text(std::string_view input) {
  const size_t end = input.substr(0, kLongestLine).find('\n');
  if (end == std::string_view::npos) {
    if (input.size() >= kLongestLine) return malformed();
    return {};
  }
  if (input[end - 1] != '\r') return malformed();
  std::string_view line = input.substr(kText.size(), end - 1 - kText.size());
  ProxyHeader header{State::kDone, end + 1, std::nullopt};
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") return header;
  if (family != "TCP4" && family != "TCP6") return malformed();
  const std::string_view source = next_word(line), destination = next_word(line);
  const std::string_view from = next_word(line), to = next_word(line);
  const bool is_v6 = family == "TCP6";
  const auto client = parse_address(std::string(source));
  const auto own = parse_address(std::string(destination));
  const auto fits = [&](std::string_view text) { return (text.find(':') != text.npos) == is_v6; };
  if (!client || !own || !fits(source) || !fits(destination)) return malformed();
  if (!is_port(from) || !is_port(to) || !line.empty()) return malformed();
  header.client = client;
  return header;
}

ProxyHeader parse_binary(std::string_view input) {
  if (input.size() < kBinaryFixed) return {};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(input[i]); };
  const unsigned version = byte(12) >> 4, command = byte(12) & 0xf;
  const unsigned family = byte(13) >> 4, transport = byte(13) & 0xf;
  const size_t length = size_t{byte(14)} << 8 | byte(15);
  if (version != 2 || command > 1 || family > 3 || transport > 2) return malformed();
  constexpr size_t kAddresses[] = {0, 12, 36, 216};  // by family: none, IPv4, IPv6, Unix
  if (kBinaryFixed + length > kLongestProxyHeader) return malformed();
  const bool is_local = command == 0;
  if (!is_local && length < kAddresses[family]) return malformed();
  if (input.size() < kBinaryFixed + length) return {};
  ProxyHeader header{State::kDone, kBinaryFixed + length, std::nullopt};
  if (is_local || family == 0 || transport == 0) return header;
  ClientAddress client{};
  if (family == 1) {
    client[1] = 0xffff;
    for (size_t i = 0; i < 4; ++i) client[1] = client[1] << 8 | byte(kBinaryFixed + i);
  } else if (family == 2) {
    for (size_t i = 0; i < 16; ++i) client[i / 8] = client[i / 8] << 8 | byte(kBinaryFixed + i);
  } else {
    client = kUnixClient;
  }
  header.client = client;
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view input) {
  if (input.empty()) return {};
  if (!agrees(input, kText) && !agrees(input, kBinary)) return malformed();
  if (input.front() == kText.front())
    return input.size() < kText.size() ? ProxyHeader{} : parse_text(input);
  return parse_binary(input);
}

}  // namespace proxy
