// The scalar forms of configuration: whole-string readers of durations, sizes, shares and numbers,
// and the words for them in error texts.
//
// Idea: one spelling per value, the one people expect. Numbers are plain decimals (010 is no number
// here rather than 8 or 10), a duration or size names its unit, nothing is rounded or wrapped.
// The command line reads its flags with these too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time/clock.h"

namespace base::config {

std::optional<int64_t> parse_integer(std::string_view text);  // "-7", "0", "1000"
std::optional<double> parse_number(std::string_view text);    // "0.15", "-2", "1.5e3"; finite
std::optional<Duration> parse_duration(
    std::string_view text);  // "250ms", "3s", "5m", "2h", "1d", "40us"
std::optional<uint64_t> parse_bytes(
    std::string_view text);  // "512", "64KiB", "100MiB", "1GiB", "2TiB"
std::optional<double> parse_share(std::string_view text);  // "15%", "0.15"; not bounded here

// In the largest unit that is exact: "1m", "1500ms", "64KiB".
std::string duration_text(Duration duration);
std::string bytes_text(uint64_t bytes);
std::string number_text(double number);

// The name nearest to `wanted`, when it is near enough to be a slip of the fingers; else "".
std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace base::config
