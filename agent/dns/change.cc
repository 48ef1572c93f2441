#include "agent/dns/change.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/core/text.h"

namespace agent::dns {
namespace {

using base::Error;
using base::ErrorCode;

constexpr size_t kLongestName = 253;
constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestRun = 128;
constexpr std::string_view kGenerationLabel = "_gen.";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > kLongestLabel) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

// It is a part of the generation record, between blanks.
bool is_run(std::string_view run) {
  if (run.empty() || run.size() > kLongestRun) return false;
  return std::all_of(run.begin(), run.end(), [](char c) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return is_letter_or_digit(lower) || std::string_view("-_.:/").find(c) != std::string_view::npos;
  });
}

base::Result<Target> normal_target(Target target, const std::string& name) {
  if (target.empty()) {
    return Error(ErrorCode::kInvalid, name + " would have no records; name where it should point");
  }
  if (!target.alias.empty()) {
    if (!target.addresses.empty()) {
      return Error(ErrorCode::kInvalid, name + " cannot have a CNAME and addresses");
    }
    auto alias = normal_name(target.alias);
    if (!alias) return alias.error();
    if (*alias == name) return Error(ErrorCode::kInvalid, name + " would be a CNAME of itself");
    target.alias = std::move(*alias);
    return target;
  }
  for (std::string& address : target.addresses) {
    auto normal = normal_address(address);
    if (!normal) {
      return Error(ErrorCode::kInvalid, name + ": " + base::printable(address, 64) +
                                            " is neither an IPv4 nor an IPv6 address");
    }
    address = std::move(*normal);
  }
  std::sort(target.addresses.begin(), target.addresses.end());
  target.addresses.erase(std::unique(target.addresses.begin(), target.addresses.end()),
                         target.addresses.end());
  if (target.addresses.size() > kMostAddresses) {
    return Error(ErrorCode::kInvalid,
                 name + ": more than " + std::to_string(kMostAddresses) + " addresses");
  }
  return target;
}

}  // namespace

std::string to_string(const Target& target) {
  if (!target.alias.empty()) return "CNAME " + target.alias;
  std::string text;
  for (const std::string& address : target.addresses) {
    text += (text.empty() ? "" : " ") + std::string(is_ipv4(address) ? "A " : "AAAA ") + address;
  }
  return text.empty() ? "no records" : text;
}

std::string to_string(const NameState& state) {
  std::string text = state.generation == 0
                         ? "no generation"
                         : "generation " + std::to_string(state.generation) + " of " + state.run;
  text += ": " + to_string(state.target);
  if (!state.target.empty()) text += ", ttl " + std::to_string(state.ttl.count()) + " s";
  return text;
}

base::Result<std::string> normal_name(std::string_view text) {
  std::string name(text);
  if (!name.empty() && name.back() == '.') name.pop_back();
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  bool fits = name.size() <= kLongestName;
  for (size_t from = 0; fits && from <= name.size();) {
    const size_t dot = std::min(name.find('.', from), name.size());
    fits = is_label(std::string_view(name).substr(from, dot - from));
    from = dot + 1;
  }
  if (fits) return name;
  return Error(ErrorCode::kInvalid, "'" + base::printable(text, 64) + "' is no host name");
}

base::Result<std::string> name_in_zone(std::string_view text, const std::string& zone) {
  auto name = normal_name(text);
  if (!name) return name;
  const std::string below = "." + zone;
  if (name->size() <= below.size() ||
      name->compare(name->size() - below.size(), below.size(), below) != 0) {
    return Error(ErrorCode::kInvalid, *name + " is not below the zone " + zone);
  }
  if (name->size() + kGenerationLabel.size() > kLongestName) {
    return Error(ErrorCode::kInvalid, *name + " is too long to have a generation record");
  }
  if (name->compare(0, kGenerationLabel.size(), kGenerationLabel) == 0) {
    return Error(ErrorCode::kInvalid, *name + " is the name of a generation record");
  }
  return name;
}

std::optional<std::string> normal_address(const std::string& text) {
  char normal[INET6_ADDRSTRLEN];
  unsigned char bytes[sizeof(in6_addr)];
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), bytes) == 1 &&
        ::inet_ntop(family, bytes, normal, sizeof normal) != nullptr) {
      return std::string(normal);
    }
  }
  return std::nullopt;
}

bool is_ipv4(const std::string& address) {
  return address.find(':') == std::string::npos;
}

base::Result<Change> check_change(Change change, const std::string& zone) {
  auto name = name_in_zone(change.name, zone);
  if (!name) return name.error();
  change.name = std::move(*name);
  auto target = normal_target(std::move(change.target), change.name);
  if (!target) return target.error();
  change.target = std::move(*target);
  if (change.ttl < kLeastTtl || change.ttl > kMostTtl) {
    return Error(ErrorCode::kInvalid, change.name + ": a ttl of " +
                                          std::to_string(change.ttl.count()) +
                                          " s; it has to be from 30 s to 60 s");
  }
  if (!is_run(change.run)) {
    return Error(ErrorCode::kInvalid,
                 change.name + ": '" + base::printable(change.run, 64) + "' is no run id");
  }
  if (change.fence <= change.expected_generation) {
    return Error(ErrorCode::kInvalid, change.name + ": the new generation " +
                                          std::to_string(change.fence) +
                                          " is not greater than the expected " +
                                          std::to_string(change.expected_generation));
  }
  return change;
}

NameState wanted_state(const Change& change) {
  NameState state;
  state.target = change.target;
  state.ttl = change.ttl;
  state.generation = change.fence;
  state.run = change.run;
  return state;
}

bool already_done(const NameState& standing, const Change& change) {
  return standing.generation == change.fence && standing.run == change.run &&
         standing.target == change.target;
}

base::Error conflict(const NameState& standing, const Change& change) {
  return Error(ErrorCode::kConflict,
               change.name + " is at " + to_string(standing) + "; expected was " +
                   (change.expected_generation == 0
                        ? std::string("no generation")
                        : "generation " + std::to_string(change.expected_generation)));
}

base::Result<> compare(const NameState& standing, const Change& change) {
  if (standing.generation == change.expected_generation) return base::Done{};
  return conflict(standing, change);
}

std::string generation_name(const std::string& name) {
  return std::string(kGenerationLabel) + name;
}

std::string generation_text(uint64_t generation, const std::string& run) {
  return "gen=" + std::to_string(generation) + " run=" + run;
}

std::optional<Generation> parse_generation(std::string_view text) {
  constexpr std::string_view kNumber = "gen=", kRun = " run=";
  const size_t middle = text.find(kRun);
  if (text.substr(0, kNumber.size()) != kNumber || middle == std::string_view::npos) {
    return std::nullopt;
  }
  const auto number = base::parse_u64(text.substr(kNumber.size(), middle - kNumber.size()));
  Generation generation;
  generation.run = std::string(text.substr(middle + kRun.size()));
  if (!number || *number == 0 || !is_run(generation.run)) return std::nullopt;
  generation.number = *number;
  return generation;
}

}  // namespace agent::dns
