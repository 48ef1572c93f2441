// Two tenants and whoever else may connect, against a model: no bytes on one connection may read,
// change, count, time or flush another cache's items.
//
// The input is a script of pieces. 0xff and a byte begin one: its bits say who speaks (0-1), what
// happens afterwards (2-3: nothing, a turn, an exchange with the backends, or all that is under way),
// whether on a new connection (4) and in which protocol that logs in (5). 0xff 0xff is the byte 0xff.
// What follows is what the client sends, split there.
//
// The model is the same script with all others silent: a tenant must read, byte for byte, what it
// would read if it were alone, and leave the same items, counters, flushes and commands to the
// backends. One that says nothing must find exactly what it left. The backends check every key's
// prefix.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/check.h"
#include "stage.h"

namespace tenants {
namespace {

constexpr size_t kLongestInput = 4096;
// The worker is made anew now and then: it remembers strangers until time goes on.
constexpr uint32_t kInputsPerStage = 1000;

struct Piece {
  Who who = Who::kAnna;
  uint8_t after = 0;
  bool reconnect = false, binary = false;
  std::string bytes;
};

std::vector<Piece> read_script(std::string_view input) {
  std::vector<Piece> script(1);
  for (size_t i = 0; i < input.size(); ++i) {
    const auto next = i + 1 < input.size() ? static_cast<uint8_t>(input[i + 1]) : uint8_t{0xff};
    if (static_cast<uint8_t>(input[i]) != 0xff) {
      script.back().bytes += input[i];
      continue;
    }
    ++i;
    if (next == 0xff) {
      script.back().bytes += '\xff';
      continue;
    }
    Piece piece;
    piece.who = static_cast<Who>(next & 3);
    piece.after = next >> 2 & 3;
    piece.reconnect = (next & 16) != 0;
    piece.binary = (next & 32) != 0;
    script.push_back(piece);
  }
  return script;
}

// What a run did to one cache, and what its owner read.
struct Result {
  std::string heard;
  Items items;
  proxy::tenant::Counts counts{};
  uint32_t flushes = 0;
  std::array<uint64_t, 2> commands{};

  friend bool operator==(const Result&, const Result&) = default;
};

// Whoever guesses at a tenant's password counts as its auth_errors, which its `stats` show: it is to
// know. So their number, and in the binary protocol the length of the body that it is in, say nothing.
std::string without_guesses(std::string heard) {
  static constexpr std::string_view kName = "auth_errors";
  static constexpr size_t kHeader = 24, kBodyLength = 8;
  for (size_t at = heard.find(kName); at != std::string::npos; at = heard.find(kName, at + 1)) {
    if (at >= kHeader && heard[at - kHeader] == '\x81') {
      heard.replace(at - kHeader + kBodyLength, 4, 4, '\0');
    }
    size_t digit = at + kName.size();
    if (digit < heard.size() && heard[digit] == ' ') ++digit;
    while (digit < heard.size() && heard[digit] >= '0' && heard[digit] <= '9')
      heard.erase(digit, 1);
  }
  return heard;
}

using Speakers = std::array<bool, kEverybody>;

// Plays the script; of those who may not speak only the time passes.
void play(Stage& stage, const std::vector<Piece>& script, const Speakers& speakers) {
  stage.reset();
  CacheSet caches{};
  for (const Who who : kAll) {
    if (speakers[size_t(who)] && cache_of(who) != 0) caches[cache_of(who)] = true;
  }
  stage.may_hear(caches);
  for (const Piece& piece : script) {
    if (speakers[size_t(piece.who)]) {
      if (piece.reconnect || !stage.is_connected(piece.who)) stage.connect(piece.who, piece.binary);
      stage.send(piece.who, piece.bytes);
    }
    if (piece.after == 1) stage.turn();
    if (piece.after == 2) stage.exchange();
    if (piece.after == 3) stage.settle();
  }
  stage.settle();
}

// What the tenant's own doings count, so without guesses at its password.
proxy::tenant::Counts counts_of(Stage& stage, base::CacheId cache) {
  proxy::tenant::Counts counts = stage.counts(cache);
  counts[size_t(proxy::tenant::Count::kAuthErrors)] = 0;
  return counts;
}

Result result_of(Stage& stage, Who who) {
  const base::CacheId cache = cache_of(who);
  return {without_guesses(stage.heard(who)), stage.items(cache), counts_of(stage, cache),
          stage.flushes(cache), stage.commands(cache)};
}

// A tenant that said nothing: its items are as they were, nothing was counted, and it reads them.
void check_untouched(Stage& stage, Who who) {
  const base::CacheId cache = cache_of(who);
  const proxy::tenant::Counts counts = counts_of(stage, cache);
  CHECK(std::all_of(counts.begin(), counts.end(), [](uint64_t n) { return n == 0; }));
  CHECK(stage.flushes(cache) == 0 && stage.items(cache).size() == kKnown.size());
  std::string asks = "get", expected = "STORED\r\n";
  for (const std::string_view key : kKnown) {
    const std::string value = known_value(cache, key);
    asks += " " + std::string(key);
    expected += "VALUE " + std::string(key) + " " + std::to_string(cache) + " " +
                std::to_string(value.size()) + "\r\n" + value + "\r\n";
  }
  stage.connect(who, false);
  stage.send(who, asks + "\r\n");
  stage.settle();
  CHECK(stage.heard(who) == expected + "END\r\n");
}

// The reader's cache: whatever it sent, only that its items were read may show.
void check_unchanged(const Stage& stage, Who who) {
  const base::CacheId cache = cache_of(who);
  CHECK(stage.flushes(cache) == 0);
  const Items items = stage.items(cache);
  CHECK(items.size() == kKnown.size());
  for (const std::string_view key : kKnown) {
    const auto found = items.find(stored_key(cache, 1, key));
    CHECK(found != items.end());
    const Item& item = found->second;
    CHECK(item.value == known_value(cache, key) && item.flags == cache && item.exptime == 0);
    CHECK(!item.stale && item.cas <= kKnown.size());
  }
}

void run(Stage& stage, std::string_view input) {
  const std::vector<Piece> script = read_script(input);
  Speakers speaks{};
  for (const Piece& piece : script) speaks[size_t(piece.who)] = true;
  std::array<Result, 2> alone;
  for (const Who who : {Who::kAnna, Who::kBert}) {
    if (!speaks[size_t(who)]) continue;
    Speakers only{};
    only[size_t(who)] = true;
    play(stage, script, only);
    alone[size_t(who)] = result_of(stage, who);
  }
  play(stage, script, speaks);
  check_unchanged(stage, Who::kReader);
  std::array<Result, 2> together;
  for (const Who who : {Who::kAnna, Who::kBert}) together[size_t(who)] = result_of(stage, who);
  // One more turn for each: only now, so that what it reads comes after everything else.
  stage.may_hear({true, true, true, true});
  for (const Who who : {Who::kAnna, Who::kBert}) {
    if (speaks[size_t(who)]) {
      CHECK(together[size_t(who)] == alone[size_t(who)]);
    } else {
      check_untouched(stage, who);
    }
  }
}

}  // namespace
}  // namespace tenants

// A worker that lives on holds more after some inputs than before; looking for leaks each time, which
// stops the world, would take most of the time.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<tenants::Stage> stage;
  static uint32_t inputs = 0;
  if (size > tenants::kLongestInput) return -1;
  if (inputs++ % tenants::kInputsPerStage == 0) stage = std::make_unique<tenants::Stage>();
  tenants::run(*stage, {reinterpret_cast<const char*>(data), size});
  return 0;
}
