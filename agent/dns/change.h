// The rules of a change that every driver keeps, and the texts of names, addresses and generation
// records. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/dns/dns_switch.h"
#include "base/core/result.h"

namespace agent::dns {

// Lower case, without a final dot; kInvalid: no host name of a-z, 0-9, '-' and '_'.
base::Result<std::string> normal_name(std::string_view text);
// A name that may be read and changed: strictly below `zone`, with room for its generation record.
base::Result<std::string> name_in_zone(std::string_view text, const std::string& zone);
// "10.0.0.1", "2001:db8::1" as everybody writes them; nullopt: no address.
std::optional<std::string> normal_address(const std::string& text);
bool is_ipv4(const std::string& address);

// The change with everything in its normal form; kInvalid: why it must not even be tried.
base::Result<Change> check_change(Change change, const std::string& zone);

// What the name will be when `change` is done.
NameState wanted_state(const Change& change);
// Whether `standing` is what `change` makes: it was done before.
bool already_done(const NameState& standing, const Change& change);
// kConflict: `change` expected something else than `standing`.
base::Result<> compare(const NameState& standing, const Change& change);
base::Error conflict(const NameState& standing, const Change& change);

std::string generation_name(const std::string& name);  // "_gen.<name>"
std::string generation_text(uint64_t generation, const std::string& run);
struct Generation {
  uint64_t number = 0;
  std::string run;
};
std::optional<Generation> parse_generation(std::string_view text);

}  // namespace agent::dns
