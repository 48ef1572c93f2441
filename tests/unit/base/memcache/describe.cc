#include "describe.h"

#include <sstream>

namespace base::memcache {
namespace {

std::string_view name_of(Command command) {
  static constexpr std::string_view kNames[] = {
      "get",   "gat",    "set",   "add",   "replace", "append",    "prepend", "cas",  "incr",
      "decr",  "delete", "touch", "flush", "version", "verbosity", "stats",   "quit", "noop",
      "mechs", "auth",   "step",  "mg",    "ms",      "md",        "ma",      "me"};
  return kNames[static_cast<size_t>(command)];
}

class Line {
 public:
  explicit Line(std::string_view first) { out_ << first; }
  Line& flag(std::string_view name, bool set) {
    if (set) out_ << ' ' << name;
    return *this;
  }
  template <class T>
  Line& number(std::string_view name, T value) {
    if (value != 0) out_ << ' ' << name << '=' << +value;
    return *this;
  }
  Line& text(std::string_view name, std::string_view value) {
    if (!value.empty()) out_ << ' ' << name << "=[" << value << ']';
    return *this;
  }
  std::string str() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

}  // namespace

std::string describe(const Request& request) {
  std::string keys;
  for (const std::string_view key : request.keys()) {
    if (!keys.empty()) keys += ',';
    keys += key;
  }
  return Line(name_of(request.command))
      .text("keys", keys)
      .number("opcode", request.opcode)
      .flag("quiet", request.quiet)
      .flag("with_cas", request.with_cas)
      .flag("with_key", request.with_key)
      .flag("create", request.create)
      .flag("value_follows", request.value_follows)
      .number("opaque", request.opaque)
      .number("flags", request.flags)
      .number("exptime", request.exptime)
      .number("cas", request.cas)
      .number("delta", request.delta)
      .number("initial", request.initial)
      .number("length", request.value_length)
      .text("value", request.value)
      .text("arguments", request.arguments)
      .str();
}

std::string describe(const MetaReply& reply) {
  static constexpr std::string_view kNames[] = {
      "HD",     "VA", "EN",      "NS",   "EX",  "NF",    "MN",           "ME",
      "number", "OK", "VERSION", "STAT", "END", "ERROR", "CLIENT_ERROR", "SERVER_ERROR"};
  Line line(kNames[static_cast<size_t>(reply.code)]);
  line.flag("won", reply.won)
      .flag("stale", reply.stale)
      .flag("already_won", reply.already_won)
      .flag("binary_key", reply.key_is_binary)
      .flag("value_follows", reply.value_follows)
      .flag("has_cas", reply.has_cas)
      .flag("has_flags", reply.has_flags)
      .flag("has_ttl", reply.has_ttl)
      .flag("has_size", reply.has_size)
      .number("cas", reply.cas)
      .number("flags", reply.flags)
      .number("ttl", reply.ttl)
      .number("size", reply.size)
      .number("number", reply.number)
      .number("length", reply.value_length)
      .text("opaque", reply.opaque)
      .text("key", reply.key)
      .text("value", reply.value)
      .text("text", reply.text);
  return line.str();
}

std::string describe(const Parsed& parsed) {
  if (parsed.state == ParseState::kNeedMore) return "more";
  Line line(parsed.state == ParseState::kComplete ? "complete" : "error");
  line.flag("swallow", parsed.fate == Fate::kSwallow)
      .flag("close", parsed.fate == Fate::kClose)
      .number("consumed", parsed.consumed)
      .number("discard", parsed.swallow)
      .number("status", parsed.status)
      .text("reply", parsed.reply.substr(0, parsed.reply.find('\r')));
  return line.str();
}

}  // namespace base::memcache
