#include "command.h"

#include <algorithm>
#include <charconv>

namespace tenants {
namespace {

constexpr std::string_view kBadToken = "CLIENT_ERROR bad token in command line format\r\n";
constexpr int64_t kMonth = 60 * 60 * 24 * 30;

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// The item under a key unless it has expired. The fuzzer's wall clock is later than any month.
Item* find(Items& items, std::string_view key) {
  const auto found = items.find(std::string(key));
  if (found == items.end()) return nullptr;
  const int64_t exptime = found->second.exptime;
  if (exptime >= 0 && (exptime <= kMonth || exptime > 1'767'225'600)) return &found->second;
  items.erase(found);
  return nullptr;
}

}  // namespace

Command::Command(const std::vector<std::string_view>& words) : verb(words[0]), key(words[1]) {
  flags.assign(words.begin() + (verb == "ms" ? 3 : 2), words.end());
  for (const std::string_view flag : flags) {
    if (error.empty()) read_flag(flag);
  }
}

void Command::read_flag(std::string_view flag) {
  const std::string_view rest = flag.substr(1);
  const auto expect = [&](bool readable) {
    if (!readable) error = kBadToken;
  };
  uint64_t number = 0;
  int64_t seconds = 0;
  switch (flag[0]) {
    case 'v':
      want_value = true;
      break;
    case 'q':
      quiet = true;
      break;
    case 'N':
      vivify = true;
      expect(read(rest, vivify_exptime));
      break;
    case 'T':
      touch = true;
      expect(read(rest, exptime));
      break;
    case 'R':
      expect(read(rest, seconds));
      recache = seconds;
      break;
    case 'C':
      expect(read(rest, number));
      cas = number;
      break;
    case 'F':
      expect(read(rest, client_flags));
      break;
    case 'D':
      expect(read(rest, delta));
      break;
    case 'J':
      expect(read(rest, initial));
      break;
    case 'M':
      if (rest.size() != 1) error = "CLIENT_ERROR incorrect length for M token\r\n";
      mode = rest.empty() ? '\0' : rest[0];
      break;
    case 'I':
      invalidate = true;
      break;
    case 'O':
    case 'k':
    case 's':
    case 't':
    case 'c':
    case 'f':
    case 'h':
    case 'l':
    case 'u':
      break;
    default:
      error = "CLIENT_ERROR invalid flag\r\n";
  }
}

std::string Command::reply(std::string_view code, const Item* item, std::string_view extra) const {
  const bool may_show = verb == "mg" || verb == "ma";
  const bool shows_value = item != nullptr && want_value && may_show;
  std::string text(shows_value ? "VA " + std::to_string(item->value.size()) : std::string(code));
  for (const std::string_view flag : flags) {
    const char letter = flag[0];
    if (letter == 'O') text += " " + std::string(flag);
    if (letter == 'k') text += " k" + std::string(key);
    if (item == nullptr) continue;
    if (letter == 's') text += " s" + std::to_string(item->value.size());
    if (letter == 't') text += " t" + std::to_string(item->exptime == 0 ? -1 : item->exptime);
    if (letter == 'c') text += " c" + std::to_string(item->cas);
    if (letter == 'f') text += " f" + std::to_string(item->flags);
    if (letter == 'h') text += item->fetched ? " h1" : " h0";
    if (letter == 'l') text += " l0";
  }
  text += std::string(extra) + "\r\n";
  return shows_value ? text + item->value + "\r\n" : text;
}

// The proxy must not ask for quiet mode: it would take another reply for the one that does not come.
bool Command::is_hidden(std::string_view text) const {
  if (!quiet) return false;
  return verb == "mg" ? text.starts_with("EN") || text.starts_with("HD") : text.starts_with("HD");
}

std::string Command::obey(Items& items, std::string_view value, uint64_t& next_cas) const {
  if (!error.empty()) return std::string(error);
  const std::string text = verb == "mg"   ? get(items, next_cas)
                           : verb == "ms" ? set(items, value, next_cas)
                           : verb == "md" ? remove(items, next_cas)
                           : verb == "ma" ? count(items, next_cas)
                                          : debug(items);
  return is_hidden(text) ? std::string() : text;
}

std::string Command::get(Items& items, uint64_t& next_cas) const {
  Item* item = find(items, key);
  if (item == nullptr && !vivify) return "EN\r\n";
  std::string extra;
  if (item == nullptr) {
    item = &items[std::string(key)];
    item->exptime = vivify_exptime;
    item->cas = ++next_cas;
    item->won = true;
    extra = " W";
  } else {
    if (touch) item->exptime = exptime;
    const bool due = recache && item->exptime > 0 && item->exptime < *recache;
    if (item->stale) extra += " X";
    if (item->won) {
      extra += " Z";
    } else if (item->stale || due) {
      item->won = true;
      extra += " W";
    }
  }
  const std::string text = reply("HD", item, extra);
  item->fetched = true;
  return text;
}

std::string Command::set(Items& items, std::string_view value, uint64_t& next_cas) const {
  constexpr std::string_view kModes = "SsEeAaPpRr";
  if (mode != 0 && kModes.find(mode) == std::string_view::npos) {
    return "CLIENT_ERROR invalid mode for ms\r\n";
  }
  Item* item = find(items, key);
  const char does = mode == 0 ? 'S' : static_cast<char>(mode & ~0x20);
  if (cas && item == nullptr) return reply("NF", nullptr);
  if (cas && item->cas != *cas && !(invalidate && *cas < item->cas)) return reply("EX", nullptr);
  const bool needs_item = does == 'A' || does == 'P' || does == 'R';
  if (does == 'E' ? item != nullptr : needs_item && item == nullptr) return reply("NS", nullptr);
  const bool is_old = cas && item->cas != *cas;
  if (item == nullptr) item = &items[std::string(key)];
  if (does == 'A') {
    item->value += value;
  } else if (does == 'P') {
    item->value.insert(0, value);
  } else {
    *item = Item{std::string(value), client_flags, exptime, 0, false, is_old, false};
  }
  item->cas = ++next_cas;
  return reply("HD", item);
}

std::string Command::remove(Items& items, uint64_t& next_cas) const {
  Item* item = find(items, key);
  if (item == nullptr) return reply("NF", nullptr);
  if (cas && *cas != 0 && item->cas != *cas) return reply("EX", nullptr);
  if (!invalidate) {
    items.erase(std::string(key));
    return reply("HD", nullptr);
  }
  if (touch) item->exptime = exptime;
  item->stale = true;
  item->won = false;
  item->cas = ++next_cas;
  return reply("HD", nullptr);
}

std::string Command::count(Items& items, uint64_t& next_cas) const {
  constexpr std::string_view kUp = "Ii+", kDown = "Dd-";
  const bool down = mode != 0 && kDown.find(mode) != std::string_view::npos;
  if (mode != 0 && !down && kUp.find(mode) == std::string_view::npos) {
    return "CLIENT_ERROR invalid mode for ma\r\n";
  }
  Item* item = find(items, key);
  if (item == nullptr && !vivify) return reply("NF", nullptr);
  if (item == nullptr) {
    item = &items[std::string(key)];
    *item = Item{std::to_string(initial), 0, vivify_exptime, 0, false, false, false};
  } else {
    if (cas && *cas != 0 && item->cas != *cas) return reply("EX", nullptr);
    uint64_t number = 0;
    if (item->value.size() > 20 || !read(item->value, number)) {
      return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    }
    number = down ? number - std::min(number, delta) : number + delta;
    item->value = std::to_string(number);
    if (touch) item->exptime = exptime;
  }
  item->cas = ++next_cas;
  return reply("HD", item);
}

std::string Command::debug(Items& items) const {
  const Item* item = find(items, key);
  if (item == nullptr) return "EN\r\n";
  return "ME " + std::string(key) +
         " exp=" + std::to_string(item->exptime == 0 ? -1 : item->exptime) +
         " la=0 cas=" + std::to_string(item->cas) + (item->fetched ? " fetch=yes" : " fetch=no") +
         " cls=1 size=" + std::to_string(item->value.size()) + "\r\n";
}

}  // namespace tenants
