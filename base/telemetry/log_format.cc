#include "base/telemetry/log_format.h"

#include <cerrno>
#include <charconv>
#include <cmath>

namespace base::log {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kEllipsis = "…";

// The length of the valid, harmless UTF-8 sequence at the start of `text`, 0 if there is none.
// Refused besides invalid ones: C1 controls and the marks that reorder or break lines on a
// terminal.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint32_t point = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[length] || point > 0x10ffff) return 0;
  if (point >= 0xd800 && point <= 0xdfff) return 0;
  if (point < 0xa0 || (point >= 0x2028 && point <= 0x202e)) return 0;
  if (point >= 0x2066 && point <= 0x2069) return 0;
  return length;
}

// One character of `text`, escaped, and how many bytes of `text` it took.
struct Piece {
  std::string text;
  size_t taken;
};
Piece escape_one(std::string_view text) {
  const char c = text[0];
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') return {std::string("\\") + c, 1};
  if (c == '\n') return {"\\n", 1};
  if (c == '\r') return {"\\r", 1};
  if (c == '\t') return {"\\t", 1};
  if (byte < 0x20 || byte == 0x7f) {
    return {std::string("\\u00") + kDigits[byte >> 4] + kDigits[byte & 15], 1};
  }
  if (byte < 0x7f) return {std::string(1, c), 1};
  const size_t length = utf8_length(text);
  if (length > 0) return {std::string(text.substr(0, length)), length};
  // Neither format can carry the byte itself: the value then holds the four characters \xNN.
  return {std::string("\\\\x") + kDigits[byte >> 4] + kDigits[byte & 15], 1};
}

// At most kMaxValue bytes as they stand in the line, quotes apart.
std::string escape(std::string_view value) {
  std::string text;
  size_t fits = 0;  // the longest prefix that leaves room for the ellipsis
  while (!value.empty()) {
    const Piece piece = escape_one(value);
    if (text.size() + piece.text.size() > kMaxValue) {
      text.resize(fits);
      return text.append(kEllipsis);
    }
    text += piece.text;
    if (text.size() + kEllipsis.size() <= kMaxValue) fits = text.size();
    value.remove_prefix(piece.taken);
  }
  return text;
}

bool needs_quotes(std::string_view escaped) {
  return escaped.empty() || escaped.find_first_of(" =\"\\") != std::string_view::npos;
}

std::string in_quotes(std::string_view escaped) {
  return '"' + std::string(escaped) + '"';
}

template <class Number>
std::string number_text(Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return std::string(buffer, end);
}

// Of a text or an object.
std::string escaped_text(const Field& field) {
  return escape(field.kind == Field::Kind::kObject ? field.describe(field.pointer) : field.text());
}

std::string value_text(const Field& field, bool json) {
  if (field.kind == Field::Kind::kInteger) return number_text(field.integer());
  if (field.kind == Field::Kind::kReal) {
    const std::string text = number_text(field.real());
    return json && !std::isfinite(field.real()) ? in_quotes(text) : text;  // JSON has no NaN
  }
  const std::string text = escaped_text(field);
  return json || needs_quotes(text) ? in_quotes(text) : text;
}

// Names are literals of ours; whatever else comes along must not break the line.
std::string name_text(std::string_view name) {
  std::string text(name.substr(0, 64));
  for (char& c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-';
    if (!plain) c = '_';
  }
  return text.empty() ? "_" : text;
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

namespace {

std::string line_text(const Line& line, bool json) {
  const auto field_text = [json](std::string_view name, const std::string& value) {
    return json ? ",\"" + name_text(name) + "\":" + value : " " + name_text(name) + "=" + value;
  };
  const auto head = [json](std::string_view value) {
    return json ? '"' + std::string(value) + '"' : std::string(value);
  };
  const std::string ending = json ? "}\n" : "\n";
  const std::string truncated = field_text("truncated", "true");

  std::string text = json ? "{\"time\":" : "time=";
  text += head(line.at.to_rfc3339());
  text += field_text("level", head(to_string(line.level)));
  text += field_text("event", head(name_text(line.event)));
  for (const Field& field : line.fields) {
    const std::string next = field_text(field.key, value_text(field, json));
    if (text.size() + next.size() + truncated.size() + ending.size() > kMaxLine) {
      text += truncated;
      break;
    }
    text += next;
  }
  return text += ending;
}

// What syslog calls it.
char priority(Level level) {
  switch (level) {
    case Level::kDebug:
      return '7';
    case Level::kInfo:
      return '6';
    case Level::kWarn:
      return '4';
    case Level::kError:
      return '3';
  }
  return '3';
}

std::string journal_name(std::string_view name) {
  std::string text = "MCGUARD_" + name_text(name).substr(0, 48);
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '.' || c == '-') c = '_';
  }
  return text;
}

// One NAME=value a line; no value holds a newline. systemd.io/JOURNAL_NATIVE_PROTOCOL.
std::string journal_text(const Line& line) {
  // The journal has the time and the level itself.
  std::string message = line_text(line, false);
  message.erase(0, message.find("event="));
  std::string text = "MESSAGE=" + message + "PRIORITY=" + priority(line.level) +
                     "\nSYSLOG_IDENTIFIER=" + name_text(program_invocation_short_name) +
                     "\nMCGUARD_EVENT=" + name_text(line.event) + "\n";
  for (const Field& field : line.fields) {
    const bool is_number = field.kind == Field::Kind::kInteger || field.kind == Field::Kind::kReal;
    const std::string value = is_number ? value_text(field, false) : escaped_text(field);
    const std::string next = journal_name(field.key) + "=" + value + "\n";
    if (text.size() + next.size() > 2 * kMaxLine) break;  // the message says `truncated`
    text += next;
  }
  return text;
}

}  // namespace

std::string format_line(const Line& line, Format format) {
  if (format == Format::kJournal) return journal_text(line);
  return line_text(line, format == Format::kJson);
}

}  // namespace base::log
