#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tests/tidy/tokens.h"

namespace tidy {
namespace {

// Of agent/filter the half that decides; the other half speaks to the kernel.
constexpr std::array<std::string_view, 16> kRooms = {
    "proxy/route/",          "proxy/admission/",     "proxy/tenant/",      "proxy/ring/",
    "proxy/health/",         "agent/runbook/",       "agent/rule/",        "agent/incident/",
    "agent/series/",         "agent/score/",         "agent/filter/bloom", "agent/filter/decision",
    "agent/filter/filter.h", "agent/filter/history", "agent/filter/lift",  "agent/filter/subject"};

// What a room that decides has no use for: sockets, files, randomness, logs.
constexpr std::array<std::string_view, 13> kNotInRooms = {"base/net/",        "base/telemetry/log",
                                                          "base/core/file.h", "base/core/rng.h",
                                                          "fstream",          "filesystem",
                                                          "random",           "sys/",
                                                          "netinet/",         "arpa/",
                                                          "unistd.h",         "fcntl.h",
                                                          "boost/asio/ip/"};

// Interfaces and values without I/O that have several users and so live with none of them.
constexpr std::array<std::string_view, 2> kInterfaces = {"agent/store/store.h",
                                                         "agent/conns/address.h"};

// Who speaks past the log: the log itself, mains before there is one and for a person at a terminal,
// and a process that is about to die of a bug.
constexpr std::array<std::string_view, 6> kSpeakers = {"base/telemetry/log", "base/core/result.cc",
                                                       "base/life/life.cc",  "proxy/app/main.cc",
                                                       "agent/app/main.cc",  "agent/app/app.cc"};
constexpr std::array<std::string_view, 16> kSpeech = {
    "cerr",  "cout",   "clog",   "printf", "fprintf",       "vprintf",       "vfprintf", "puts",
    "fputs", "perror", "syslog", "spdlog", "STDERR_FILENO", "STDOUT_FILENO", "stderr",   "stdout"};

bool starts(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

template <size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return starts(text, prefix); });
}

struct Include {
  int line;
  std::string_view path;
};
std::vector<Include> includes_of(std::string_view source) {
  constexpr std::string_view kInclude = "#include ";
  std::vector<Include> includes;
  for (int line = 1; !source.empty(); ++line) {
    const size_t newline = std::min(source.find('\n'), source.size());
    const std::string_view text = source.substr(0, newline);
    source.remove_prefix(std::min(newline + 1, source.size()));
    if (!starts(text, kInclude) || text.size() < kInclude.size() + 3) continue;
    const std::string_view rest = text.substr(kInclude.size() + 1);
    includes.push_back({line, rest.substr(0, rest.find_first_of(">\""))});
  }
  return includes;
}

// Why `path` may not include `included`, or "".
std::string_view refuse(std::string_view path, std::string_view included) {
  const auto from = [&](std::string_view folder) { return starts(path, folder); };
  const auto to = [&](std::string_view folder) { return starts(included, folder); };
  if (from("base/") && (to("proxy/") || to("agent/") || to("cli/"))) return "base knows no daemon";
  if (from("proxy/") && (to("agent/") || to("cli/")))
    return "the proxy knows neither agent nor tool";
  if (from("agent/") && (to("proxy/") || to("cli/")))
    return "the agent knows neither proxy nor tool";
  if (!from("tests/") && to("tests/")) return "the product knows no tests";
  if (from("agent/") && !from("agent/app/") && to("agent/app/")) return "only app knows app";
  if (from("proxy/") && !from("proxy/app/") && to("proxy/app/")) return "only app knows app";
  if (!starts_with_any(path, kRooms)) return "";
  const bool inside = starts_with_any(included, kRooms) || starts_with_any(included, kInterfaces);
  if ((to("proxy/") || to("agent/")) && !inside) {
    return "a room that decides knows no edge";
  }
  if (starts_with_any(included, kNotInRooms)) return "a room that decides does no I/O";
  return "";
}

std::string at(std::string_view path, int line) {
  return std::string(path) + ":" + std::to_string(line) + ": ";
}

}  // namespace

Findings check_includes(std::string_view path, std::string_view source) {
  Findings findings;
  for (const auto& [line, included] : includes_of(source)) {
    const std::string_view why = refuse(path, included);
    if (why.empty()) continue;
    findings.push_back(at(path, line) + "includes " + std::string(included) + ": " +
                       std::string(why));
  }
  return findings;
}

Findings check_calls(std::string_view path, std::string_view source) {
  Findings findings;
  const bool may_tell_time = starts(path, "base/time/");
  const bool may_roll_dice = may_tell_time || starts(path, "base/core/rng.");
  const bool room = starts_with_any(path, kRooms);
  const bool daemon = starts(path, "base/") || starts(path, "proxy/") || starts(path, "agent/");
  const bool may_speak = !daemon || starts_with_any(path, kSpeakers);
  const std::vector<Token> tokens = tokenize(source);
  const auto text = [&](size_t i) {
    return i < tokens.size() ? std::string_view(tokens[i].text) : std::string_view();
  };
  const auto find = [&](size_t i, const std::string& why) {
    findings.push_back(at(path, tokens[i].line) + std::string(text(i)) + ": " + why);
  };
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != Token::Kind::kWord) continue;
    const std::string_view word = text(i);
    const bool clock =
        word == "steady_clock" || word == "system_clock" || word == "high_resolution_clock";
    if (clock && text(i + 1) == "::" && text(i + 2) == "now" && !may_tell_time) {
      find(i, "time comes from a base::Clock, or as a parameter");
    }
    if ((word == "clock_gettime" || word == "gettimeofday") && !may_tell_time) {
      find(i, "time comes from a base::Clock, or as a parameter");
    }
    if ((word == "random_device" || word == "getrandom") && !may_roll_dice) {
      find(i, "randomness comes from base/core/rng.h");
    }
    if (!may_speak && std::find(kSpeech.begin(), kSpeech.end(), word) != kSpeech.end()) {
      find(i, "a daemon speaks through base/telemetry/log.h, which cannot flood");
    }
    if (word == "SystemClock" && room) find(i, "a room that decides takes time as a parameter");
    if (word == "sleep_for" || word == "sleep_until" || word == "usleep" || word == "nanosleep") {
      find(i, "wait on base::Timers, or poll with a deadline");
    }
    if (starts(word, "DISABLED_")) find(i, "a test runs or is removed");
  }
  return findings;
}

Findings check_marks(std::string_view path, std::string_view source) {
  constexpr std::string_view kMark =
      "TO"
      "DO";
  Findings findings;
  for (size_t found = source.find(kMark); found != std::string_view::npos;
       found = source.find(kMark, found + 1)) {
    size_t end = found + kMark.size();
    const auto letter = [&](size_t i) {
      return i < source.size() &&
             (std::isalnum(static_cast<unsigned char>(source[i])) || source[i] == '_');
    };
    if ((found > 0 && letter(found - 1)) || letter(end)) continue;
    size_t close = end + 1;
    while (letter(close)) ++close;
    const bool named = end < source.size() && source[end] == '(' && close > end + 1 &&
                       source.substr(close, 2) == "):";
    if (named) continue;
    const auto line = std::count(source.begin(), source.begin() + static_cast<long>(found), '\n');
    findings.push_back(at(path, static_cast<int>(line) + 1) + std::string(kMark) +
                       " without a name: write (name): what, when");
  }
  return findings;
}

}  // namespace tidy
