#include "base/memcache/meta_reply.h"

#include <cstring>

#include "base/memcache/decimal.h"
#include "base/memcache/word.h"

namespace base::memcache {
namespace {

constexpr size_t kLongestLine = 8192;

bool read_flag(std::string_view word, MetaReply& reply) {
  const std::string_view token = word.substr(1);
  switch (word[0]) {
    case 'c':
      reply.has_cas = true;
      return read_decimal(token, reply.cas);
    case 'f':
      reply.has_flags = true;
      return read_decimal(token, reply.flags);
    case 's':
      reply.has_size = true;
      return read_decimal(token, reply.size);
    case 't':
      reply.has_ttl = true;
      return read_decimal(token, reply.ttl);
    case 'k':
      reply.key = token;
      return true;
    case 'O':
      reply.opaque = token;
      return true;
    case 'b':
      reply.key_is_binary = true;
      return true;
    case 'W':
      reply.won = true;
      return true;
    case 'X':
      reply.stale = true;
      return true;
    case 'Z':
      reply.already_won = true;
      return true;
    default:  // what was asked for beyond what a MetaReply has
      return true;
  }
}

bool read_flags(std::string_view rest, MetaReply& reply) {
  reply.flags_text = rest;
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (!read_flag(word, reply)) return false;
  }
  return true;
}

struct Named {
  std::string_view word;
  MetaCode code;
};

// Replies whose first word is longer than two letters; none is on a hot path.
constexpr Named kNamed[] = {
    {"ERROR", MetaCode::kError},
    {"CLIENT_ERROR", MetaCode::kClientError},
    {"SERVER_ERROR", MetaCode::kServerError},
    {"VERSION", MetaCode::kVersion},
    {"STAT", MetaCode::kStat},
    {"END", MetaCode::kEnd},
};

bool read_named(std::string_view line, MetaReply& reply) {
  std::string_view rest = line;
  const std::string_view word = take_word(rest);
  if (!rest.empty()) rest.remove_prefix(1);
  // "ERROR: shutdown not enabled" is an ERROR too.
  const std::string_view name = word.substr(0, word.find(':'));
  for (const Named& named : kNamed) {
    if (name == named.word) {
      reply.code = named.code;
      reply.text = rest;
      return true;
    }
  }
  reply.code = MetaCode::kNumber;
  return read_decimal(line, reply.number);
}

constexpr uint16_t pair(char first, char second) {
  return static_cast<uint16_t>(static_cast<uint8_t>(first) << 8 | static_cast<uint8_t>(second));
}

// Whether the reply line makes sense. A value, if any, is not looked at.
bool read_line(std::string_view line, MetaReply& reply) {
  const bool two_letters = line.size() == 2 || (line.size() > 2 && line[2] == ' ');
  if (!two_letters) return read_named(line, reply);
  std::string_view rest = line.substr(2);
  switch (pair(line[0], line[1])) {
    case pair('H', 'D'):
      reply.code = MetaCode::kHeader;
      return read_flags(rest, reply);
    case pair('V', 'A'):
      reply.code = MetaCode::kValue;
      return read_decimal(take_word(rest), reply.value_length) && read_flags(rest, reply);
    case pair('E', 'N'):
      reply.code = MetaCode::kMiss;
      return read_flags(rest, reply);
    case pair('N', 'S'):
      reply.code = MetaCode::kNotStored;
      return read_flags(rest, reply);
    case pair('E', 'X'):
      reply.code = MetaCode::kExists;
      return read_flags(rest, reply);
    case pair('N', 'F'):
      reply.code = MetaCode::kNotFound;
      return read_flags(rest, reply);
    case pair('M', 'N'):
      reply.code = MetaCode::kNoop;
      return true;
    case pair('O', 'K'):
      reply.code = MetaCode::kOk;
      return true;
    case pair('M', 'E'):
      reply.code = MetaCode::kDebug;
      reply.text = rest.empty() ? rest : rest.substr(1);
      return true;
    default:
      return read_named(line, reply);
  }
}

}  // namespace

Parsed MetaReplyParser::need(size_t bytes) {
  needed_ = bytes;
  return Parsed::need_more(bytes);
}

Parsed MetaReplyParser::parse(std::string_view input, MetaReply& reply) {
  if (input.size() < needed_ || input.empty()) return need(needed_ == 0 ? 1 : needed_);
  const void* const newline = std::memchr(input.data() + scanned_, '\n', input.size() - scanned_);
  const size_t length = newline == nullptr
                            ? input.size()
                            : static_cast<size_t>(static_cast<const char*>(newline) - input.data());
  if (length > kLongestLine) return Parsed::error(Fate::kClose);
  if (newline == nullptr) {
    scanned_ = length;
    return need(length + 1);
  }
  scanned_ = 0;
  needed_ = 0;
  if (length == 0 || input[length - 1] != '\r') return Parsed::error(Fate::kClose);
  reply = MetaReply();
  if (!read_line(input.substr(0, length - 1), reply)) return Parsed::error(Fate::kClose);
  const size_t head = length + 1;
  if (reply.code != MetaCode::kValue) return Parsed::complete(head);
  const size_t value = reply.value_length;
  if (value > buffered_) {
    reply.value_follows = true;
    return Parsed::complete(head);
  }
  const size_t total = head + value + 2;
  if (input.size() < total) return need(total);
  reply.value = input.substr(head, value);
  if (input[total - 2] != '\r' || input[total - 1] != '\n') return Parsed::error(Fate::kClose);
  return Parsed::complete(total);
}

}  // namespace base::memcache
