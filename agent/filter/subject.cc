#include "agent/filter/subject.h"

#include <algorithm>

#include "base/core/hash.h"
#include "base/core/text.h"

namespace agent::filter {
namespace {

constexpr uint64_t kLongestIpv4 = 32;
constexpr uint64_t kLongestIpv6 = 128;
constexpr uint64_t kShortestIpv6 = 64;

bool is_mapped(const conns::Address& address) {
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(std::begin(kMapped), std::end(kMapped), address.begin());
}

bool begins(const conns::Address& address, std::initializer_list<uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), address.begin());
}

bool is_shared_ipv4(const uint8_t* bytes) {
  const bool is_link_local = bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224 || is_link_local;
}

base::Error no_address(std::string_view text) {
  return base::Error(base::ErrorCode::kInvalid, "\"" + base::printable(text) +
                                                    "\" is no address; expected one such as "
                                                    "10.0.0.7 or 2001:db8:0:1::/64");
}

}  // namespace

Subject Subject::of(const conns::Address& address) {
  Subject subject;
  subject.address_ = address;
  if (!is_mapped(address)) std::fill(subject.address_.begin() + 8, subject.address_.end(), 0);
  return subject;
}

Subject Subject::of(const std::array<uint64_t, 2>& halves) {
  conns::Address address{};
  for (size_t i = 0; i < address.size(); ++i) {
    address[i] = static_cast<uint8_t>(halves[i / 8] >> (56 - 8 * (i % 8)));
  }
  return of(address);
}

base::Result<Subject> Subject::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = conns::parse_address(text.substr(0, slash));
  if (!address) return no_address(text);
  const Subject subject = of(*address);
  if (slash == std::string_view::npos) return subject;
  const auto length = base::parse_u64(text.substr(slash + 1));
  const uint64_t longest = subject.is_ipv4() ? kLongestIpv4 : kLongestIpv6;
  const uint64_t shortest = subject.is_ipv4() ? kLongestIpv4 : kShortestIpv6;
  if (!length || *length > longest) return no_address(text);
  if (*length < shortest) {
    return base::Error(base::ErrorCode::kRefused,
                       std::string(text) +
                           " covers too many: a filter covers one IPv4 address "
                           "(/32) or one IPv6 /64");
  }
  return subject;
}

bool Subject::is_ipv4() const {
  return is_mapped(address_);
}

bool Subject::is_shared_by_design() const {
  if (is_ipv4()) return is_shared_ipv4(address_.data() + 12);
  const bool is_link_local = address_[0] == 0xfe && (address_[1] & 0xc0) == 0x80;
  const bool is_teredo = begins(address_, {0x20, 0x01, 0, 0});
  const bool is_nat64 = begins(address_, {0, 0x64, 0xff, 0x9b});
  const bool is_low = begins(address_, {0, 0, 0, 0, 0, 0, 0, 0});  // ::, ::1
  return is_link_local || is_teredo || is_nat64 || is_low || address_[0] == 0xff;
}

std::string Subject::address_text() const {
  return conns::to_string(address_);
}

std::string Subject::text() const {
  return address_text() + (is_ipv4() ? "/32" : "/64");
}

uint64_t Subject::hash(uint64_t seed) const {
  return base::hash64({reinterpret_cast<const char*>(address_.data()), address_.size()}, seed);
}

}  // namespace agent::filter
