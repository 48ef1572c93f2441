#include "proxy/route/meta.h"

#include <algorithm>
#include <bitset>

#include "base/core/check.h"
#include "base/core/text.h"
#include "base/memcache/ascii_parser.h"
#include "base/memcache/ascii_writer.h"
#include "base/memcache/client_number.h"
#include "base/memcache/decimal.h"
#include "base/memcache/word.h"

namespace proxy::route {

using base::memcache::Buffer;
using base::memcache::CasTokens;
using base::memcache::Command;
using base::memcache::MetaCode;
using base::memcache::MetaReply;
using base::memcache::Request;
using base::memcache::StoredKey;
using base::memcache::take_word;

namespace {

constexpr std::string_view kDuplicateFlag = "CLIENT_ERROR duplicate flag\r\n";
constexpr std::string_view kInvalidFlag = "CLIENT_ERROR invalid flag\r\n";
constexpr std::string_view kInvalidOrDuplicate =
    "CLIENT_ERROR invalid or duplicate flag\r\n";  // md, ma
constexpr std::string_view kBadBase64Key = "CLIENT_ERROR error decoding key\r\n";
constexpr std::string_view kTooManyFlags = "CLIENT_ERROR options flags too long\r\n";
constexpr std::string_view kTooManyGetFlags = "CLIENT_ERROR options flags are too long\r\n";
constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format\r\n";
// What memcached 1.6.18 knows of any command; others are the backend's to refuse.
constexpr std::string_view kKnownFlags = "CDFIJLMNOPRTbcfhklqstuv";
// memcached takes 20 words and their end; beyond, it refuses an ms and does not skip its value.
constexpr size_t kMostFlags = 17, kMostStoreFlags = 16;
// memcached closes on a line of more than 2,048 bytes; the stored key and tokens add to the client's.
constexpr size_t kLongestArguments = 1024;

std::string_view verb_of(Command command) {
  switch (command) {
    case Command::kMetaGet:
      return "mg ";
    case Command::kMetaSet:
      return "ms ";
    case Command::kMetaDelete:
      return "md ";
    case Command::kMetaArithmetic:
      return "ma ";
    case Command::kMetaDebug:
      return "me ";
    default:
      break;
  }
  CHECK(!"not a meta command");
  return {};
}

void append_number(Buffer& out, uint64_t number) {
  char digits[base::memcache::kMaxDecimalLength];
  const char* const end = base::memcache::write_decimal(digits, number);
  out.append(std::string_view(digits, static_cast<size_t>(end - digits)));
}

// C and E: the backend's value, of the client's token. Nonsense is memcached's to refuse.
void append_cas_flag(Buffer& out, std::string_view flag, const CasTokens& tokens) {
  uint64_t token = 0;  // read as memcached reads it, or it would be taken as it is
  const bool readable = base::memcache::read_client_u64(flag.substr(1), token);
  out.append(" ");
  if (!readable || token == 0) return out.append(flag);
  out.append(flag.substr(0, 1));
  append_number(out, tokens.read(token));
}

// Whether a get with this flag changes the item: touch, vivify on a miss, win the right to recache.
bool changes_item(Command command, char flag) {
  return command == Command::kMetaGet && (flag == 'T' || flag == 'N' || flag == 'R' || flag == 'E');
}

// Whether quiet mode hides the reply, as memcached does: what a pipeline expects.
bool is_hidden(Command command, MetaCode code) {
  switch (command) {
    case Command::kMetaGet:
      return code == MetaCode::kMiss;
    case Command::kMetaSet:
    case Command::kMetaDelete:
      return code == MetaCode::kHeader;
    case Command::kMetaArithmetic:
      return code == MetaCode::kHeader || code == MetaCode::kValue;
    default:
      return false;
  }
}

void append_key_flag(Buffer& out, const Pending& pending, std::string_view key) {
  out.append(" k");
  if (!pending.binary_key) return out.append(key);
  out.append(base::base64_encode(key));
  out.append(" b");
}

// The reply's flags in the backend's order, which is the client's.
void append_flags(Buffer& out, const Pending& pending, std::string_view key, const MetaReply& reply,
                  const CasTokens& tokens) {
  std::string_view rest = reply.flags_text;
  for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) {
    switch (flag[0]) {
      case 'k':
        append_key_flag(out, pending, key);
        break;
      case 'b':  // said with the key
        break;
      case 'c':
        out.append(" c");
        append_number(out, tokens.show(reply.cas));
        break;
      default:
        out.append(" ");
        out.append(flag);
    }
  }
}

// "ME <key> exp=… la=… cas=… fetch=… cls=… size=…": the size is as if the client's key were the item's.
void append_debug(Buffer& out, const Pending& pending, std::string_view key, const MetaReply& reply,
                  const CasTokens& tokens) {
  std::string_view rest = reply.text;
  const std::string_view stored_key = take_word(rest);
  out.append("ME ");
  out.append(pending.binary_key ? base::base64_encode(key) : std::string(key));
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    constexpr std::string_view kCas = "cas=";
    out.append(" ");
    constexpr std::string_view kSize = "size=";
    const auto number_behind = [word](std::string_view name) {
      return word.starts_with(name) ? base::parse_u64(word.substr(name.size())) : std::nullopt;
    };
    if (const auto cas = number_behind(kCas)) {
      out.append(kCas);
      append_number(out, tokens.show(*cas));
    } else if (const auto size = number_behind(kSize)) {
      out.append(kSize);
      append_number(out, *size - stored_key.size() + key.size());
    } else {
      out.append(word);
    }
  }
  out.append("\r\n");
}

// memcached's md and ma have one message for everything that is wrong with a flag.
bool reports_flags_together(Command command) {
  return command == Command::kMetaDelete || command == Command::kMetaArithmetic;
}

std::string_view word_of(MetaCode code) {
  switch (code) {
    case MetaCode::kHeader:
      return "HD";
    case MetaCode::kMiss:
      return "EN";
    case MetaCode::kNotStored:
      return "NS";
    case MetaCode::kExists:
      return "EX";
    case MetaCode::kNotFound:
      return "NF";
    default:
      return {};
  }
}

}  // namespace

std::string_view undecodable_key(Command command, const MetaFlags& flags) {
  if (command == Command::kMetaDebug) return kBadFormat;
  if (reports_flags_together(command)) return kInvalidOrDuplicate;
  return flags.all_known ? kBadBase64Key : kInvalidFlag;
}

MetaFlags read_meta_flags(Command command, std::string_view arguments) {
  MetaFlags flags;
  if (command == Command::kMetaDebug) {  // looks at no other flag, nor at what it is
    flags.base64_key = take_word(arguments) == "b";
    return flags;
  }
  const auto wrong = [command](std::string_view what) {
    return reports_flags_together(command) ? kInvalidOrDuplicate : what;
  };
  std::bitset<256> seen;
  std::string_view rest = arguments;
  const size_t most = command == Command::kMetaSet ? kMostStoreFlags : kMostFlags;
  size_t count = 0;
  for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) ++count;
  if (count > most) {
    flags.error = command == Command::kMetaGet ? kTooManyGetFlags : kTooManyFlags;
    return flags;
  }
  if (arguments.size() > kLongestArguments) {
    flags.error = kBadFormat;
    return flags;
  }
  rest = arguments;
  for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) {
    const auto letter = static_cast<unsigned char>(flag[0]);
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (!is_letter) {
      flags.error = wrong(kInvalidFlag);
      return flags;
    }
    if (seen[letter]) {  // memcached tells what is wrong first
      flags.error = wrong(flags.all_known ? kDuplicateFlag : kInvalidFlag);
      return flags;
    }
    seen[letter] = true;
    flags.all_known = flags.all_known && kKnownFlags.find(flag[0]) != std::string_view::npos;
    flags.quiet = flags.quiet || letter == 'q';
    flags.base64_key = flags.base64_key || letter == 'b';
  }
  return flags;
}

void append_meta_upstream(Buffer& out, const Request& request, const StoredKey& key,
                          const CasTokens& tokens, bool may_write) {
  const base::memcache::KeyPieces pieces = key;
  out.append(verb_of(request.command));
  out.append(pieces.head);
  out.append(pieces.tail);
  const bool stores = request.command == Command::kMetaSet;
  if (stores) {
    out.append(" ");
    append_number(out, request.value.size());
  }
  // me takes none, and of any number and length.
  const bool has_flags = request.command != Command::kMetaDebug;
  std::string_view rest = has_flags ? request.arguments : std::string_view();
  for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) {
    const char letter = flag[0];
    if (letter == 'q' || letter == 'b' || letter == 'P' || letter == 'L') continue;
    if (!may_write && changes_item(request.command, letter)) continue;
    if (letter == 'C' || letter == 'E') {
      append_cas_flag(out, flag, tokens);
    } else {
      out.append(" ");
      out.append(flag);
    }
  }
  out.append("\r\n");
  if (!stores) return;
  out.append(request.value);
  out.append(base::memcache::kValueEnd);
}

void note_meta_effect(Pending& pending, const Request& request, bool may_write) {
  if (request.command == Command::kMetaDebug) return;
  bool gives_expiry = false, invalidates = false;
  std::string_view rest = request.arguments;
  for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest)) {
    if (!may_write && changes_item(request.command, flag[0])) continue;
    int64_t exptime = 0;
    if (flag[0] == 'T' && base::memcache::read_client_i32(flag.substr(1), exptime)) {
      pending.exptime = static_cast<int32_t>(std::max<int64_t>(exptime, -1));
      gives_expiry = true;
    } else if (flag[0] == 'I') {
      invalidates = true;
    } else if (flag[0] == 'M' && request.command == Command::kMetaSet && flag.size() > 1 &&
               std::string_view("AaPp").find(flag[1]) != std::string_view::npos) {
      pending.effect = Effect::kAppends;
    }
  }
  switch (request.command) {
    case Command::kMetaGet:
    case Command::kMetaArithmetic:
      if (gives_expiry) pending.effect = Effect::kTouches;
      return;
    case Command::kMetaDelete:
      if (invalidates) pending.effect = gives_expiry ? Effect::kTouches : Effect::kKeeps;
      return;
    default:
      return;
  }
}

void append_meta_status(Buffer& out, const Pending& pending, MetaCode code, std::string_view key,
                        std::string_view flags) {
  out.append(word_of(code));
  const bool shows_flags = pending.command != Command::kMetaDebug;
  for (std::string_view flag = take_word(flags); shows_flags && !flag.empty();
       flag = take_word(flags)) {
    if (flag[0] == 'k') {
      append_key_flag(out, pending, key);
    } else if (flag[0] == 'O') {
      out.append(" ");
      out.append(flag);
    }
  }
  out.append("\r\n");
}

Outcome append_meta_answer(Buffer& out, const Pending& pending, std::string_view key,
                           const MetaReply& reply, const CasTokens& tokens) {
  const Outcome outcome = outcome_of(reply.code);
  if (reply.code == MetaCode::kDebug) {
    append_debug(out, pending, key, reply, tokens);
    return Outcome::kDone;
  }
  if (outcome == Outcome::kError) {
    append_refusal(out, reply);
    return outcome;
  }
  if (pending.quiet && is_hidden(pending.command, reply.code)) return outcome;
  if (reply.code == MetaCode::kValue) {
    out.append("VA ");
    append_number(out, reply.value.size());
    append_flags(out, pending, key, reply, tokens);
    out.append("\r\n");
    out.append(reply.value);
  } else {
    out.append(word_of(reply.code));
    append_flags(out, pending, key, reply, tokens);
  }
  out.append("\r\n");
  return outcome;
}

}  // namespace proxy::route
