// Subject: what an address filter covers: one IPv4 address, or one IPv6 /64.
//
// Nothing wider exists here, so nothing wider can be asked of the kernel. Nothing narrower does
// either: a host changes its IPv6 address within its /64 as it likes, so a filter on one address of
// it would be evaded, and a history by address would forget whom it knows.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/conns/address.h"
#include "base/core/result.h"

namespace agent::filter {

// Invariant: of an IPv6 address the lower half is zero.
class Subject {
 public:
  Subject() = default;  // ::/64, which nobody has
  // The one that an address belongs to.
  static Subject of(const conns::Address& address);
  // As telemetry's cells have it.
  static Subject of(const std::array<uint64_t, 2>& halves);
  // "10.0.0.7", "10.0.0.7/32", "2001:db8::7", "2001:db8:0:1::/64"; an IPv6 prefix longer than 64 is
  // taken for the /64 around it. kRefused: shorter than /32 or /64; kInvalid: no address.
  static base::Result<Subject> parse(std::string_view text);

  bool is_ipv4() const;
  // An IPv6 /64 in which many hosts of different networks meet, or an address that is no single
  // host's: loopback, link-local, multicast, unspecified, broadcast, NAT64, Teredo.
  bool is_shared_by_design() const;
  const conns::Address& address() const { return address_; }  // the first one
  std::string address_text() const;                           // "10.0.0.7", "2001:db8:0:1::"
  std::string text() const;                                   // "10.0.0.7/32", "2001:db8:0:1::/64"
  uint64_t hash(uint64_t seed) const;

  friend auto operator<=>(const Subject&, const Subject&) = default;

 private:
  conns::Address address_{};
};

struct SubjectHash {
  size_t operator()(const Subject& subject) const { return subject.hash(0); }
};

}  // namespace agent::filter
