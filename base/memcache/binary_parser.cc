#include "base/memcache/binary_parser.h"

#include <cstring>

#include "base/memcache/big_endian.h"
#include "base/memcache/binary_writer.h"

namespace base::memcache {
namespace {

using binary::Status;

constexpr size_t kMaxMechanismLength = 32;

// How an opcode's body is made up.
enum class Shape : uint8_t {
  kUnknown,
  kNothing,      // no extras, no key, no value
  kKey,          // a key
  kOptionalKey,  // a key or nothing (statistics)
  kKeyValue,     // a key and a value (append, SASL)
  kFlush,        // extras of 4 bytes, or none
  kTouch,        // extras of 4 bytes, a key
  kStore,        // extras of 8 bytes, a key and a value
  kArithmetic,   // extras of 20 bytes, a key
};

struct Rule {
  Shape shape = Shape::kUnknown;
  Command command = Command::kNoop;
  bool quiet = false;
  bool with_key = false;
};

Rule rule_of(uint8_t opcode) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kGet:
      return {Shape::kKey, Command::kGet, false, false};
    case Opcode::kGetQ:
      return {Shape::kKey, Command::kGet, true, false};
    case Opcode::kGetK:
      return {Shape::kKey, Command::kGet, false, true};
    case Opcode::kGetKQ:
      return {Shape::kKey, Command::kGet, true, true};
    case Opcode::kGat:
      return {Shape::kTouch, Command::kGat, false, false};
    case Opcode::kGatQ:
      return {Shape::kTouch, Command::kGat, true, false};
    case Opcode::kGatK:
      return {Shape::kTouch, Command::kGat, false, true};
    case Opcode::kGatKQ:
      return {Shape::kTouch, Command::kGat, true, true};
    case Opcode::kTouch:
      return {Shape::kTouch, Command::kTouch, false, false};
    case Opcode::kSet:
      return {Shape::kStore, Command::kSet, false, false};
    case Opcode::kSetQ:
      return {Shape::kStore, Command::kSet, true, false};
    case Opcode::kAdd:
      return {Shape::kStore, Command::kAdd, false, false};
    case Opcode::kAddQ:
      return {Shape::kStore, Command::kAdd, true, false};
    case Opcode::kReplace:
      return {Shape::kStore, Command::kReplace, false, false};
    case Opcode::kReplaceQ:
      return {Shape::kStore, Command::kReplace, true, false};
    case Opcode::kAppend:
      return {Shape::kKeyValue, Command::kAppend, false, false};
    case Opcode::kAppendQ:
      return {Shape::kKeyValue, Command::kAppend, true, false};
    case Opcode::kPrepend:
      return {Shape::kKeyValue, Command::kPrepend, false, false};
    case Opcode::kPrependQ:
      return {Shape::kKeyValue, Command::kPrepend, true, false};
    case Opcode::kDelete:
      return {Shape::kKey, Command::kDelete, false, false};
    case Opcode::kDeleteQ:
      return {Shape::kKey, Command::kDelete, true, false};
    case Opcode::kIncrement:
      return {Shape::kArithmetic, Command::kIncr, false, false};
    case Opcode::kIncrementQ:
      return {Shape::kArithmetic, Command::kIncr, true, false};
    case Opcode::kDecrement:
      return {Shape::kArithmetic, Command::kDecr, false, false};
    case Opcode::kDecrementQ:
      return {Shape::kArithmetic, Command::kDecr, true, false};
    case Opcode::kFlush:
      return {Shape::kFlush, Command::kFlushAll, false, false};
    case Opcode::kFlushQ:
      return {Shape::kFlush, Command::kFlushAll, true, false};
    case Opcode::kQuit:
      return {Shape::kNothing, Command::kQuit, false, false};
    case Opcode::kQuitQ:
      return {Shape::kNothing, Command::kQuit, true, false};
    case Opcode::kNoop:
      return {Shape::kNothing, Command::kNoop, false, false};
    case Opcode::kVersion:
      return {Shape::kNothing, Command::kVersion, false, false};
    case Opcode::kStat:
      return {Shape::kOptionalKey, Command::kStats, false, false};
    case Opcode::kSaslList:
      return {Shape::kNothing, Command::kSaslMechanisms, false, false};
    case Opcode::kSaslAuth:
      return {Shape::kKeyValue, Command::kSaslAuth, false, false};
    case Opcode::kSaslStep:
      return {Shape::kKeyValue, Command::kSaslStep, false, false};
  }
  return {};
}

struct Lengths {
  size_t extras = 0;
  size_t key = 0;
  size_t body = 0;

  size_t value() const { return body - extras - key; }
};

bool fits(Shape shape, const Lengths& lengths) {
  const bool no_value = lengths.value() == 0;
  switch (shape) {
    case Shape::kUnknown:
      return false;
    case Shape::kNothing:
      return lengths.body == 0;
    case Shape::kKey:
      return lengths.extras == 0 && lengths.key > 0 && no_value;
    case Shape::kOptionalKey:
      return lengths.extras == 0 && no_value;
    case Shape::kKeyValue:
      return lengths.extras == 0 && lengths.key > 0;
    case Shape::kFlush:
      return (lengths.extras == 0 || lengths.extras == 4) && lengths.key == 0 && no_value;
    case Shape::kTouch:
      return lengths.extras == 4 && lengths.key > 0 && no_value;
    case Shape::kStore:
      return lengths.extras == 8 && lengths.key > 0;
    case Shape::kArithmetic:
      return lengths.extras == 20 && lengths.key > 0 && no_value;
  }
  return false;
}

void read_extras(Shape shape, const char* extras, size_t size, Request& request) {
  switch (shape) {
    case Shape::kFlush:
    case Shape::kTouch:
      if (size == 4) request.exptime = load_u32(extras);
      break;
    case Shape::kStore:
      request.flags = load_u32(extras);
      request.exptime = load_u32(extras + 4);
      break;
    case Shape::kArithmetic: {
      request.delta = load_u64(extras);
      request.initial = load_u64(extras + 8);
      const uint32_t exptime = load_u32(extras + 16);
      request.create = exptime != kBinaryNoCreate;
      request.exptime = exptime;
      break;
    }
    default:
      break;
  }
}

Parsed refused(Status status, Fate fate, size_t consumed = 0, uint64_t swallow = 0) {
  Parsed parsed = Parsed::error(fate, consumed);
  parsed.status = static_cast<uint16_t>(status);
  parsed.swallow = swallow;
  return parsed;
}

// What the frame's header alone says is wrong with it.
Status judge(const Rule& rule, const Lengths& lengths) {
  if (lengths.extras + lengths.key > lengths.body) return Status::kUnknownCommand;
  if (rule.shape == Shape::kUnknown) return Status::kSuccess;
  if (lengths.key > kMaxKeyLength || !fits(rule.shape, lengths)) return Status::kInvalid;
  return Status::kSuccess;
}

}  // namespace

Parsed parse_binary(std::string_view input, Request& request, const BinaryLimits& limits) {
  if (!input.empty() && static_cast<uint8_t>(input[0]) != kBinaryRequestMagic) {
    return refused(Status::kSuccess, Fate::kClose);
  }
  if (input.size() < kBinaryHeaderSize) return Parsed::need_more(kBinaryHeaderSize);
  const char* const header = input.data();
  const Lengths lengths{static_cast<uint8_t>(header[4]), load_u16(header + 2),
                        load_u32(header + 8)};
  request = Request();
  request.protocol = Protocol::kBinary;
  request.opcode = static_cast<uint8_t>(header[1]);
  std::memcpy(&request.opaque, header + 12, 4);  // an echo: its byte order is nobody's business
  const Rule rule = rule_of(request.opcode);
  const Status wrong = judge(rule, lengths);
  if (wrong != Status::kSuccess) return refused(wrong, Fate::kClose);
  if (rule.shape == Shape::kUnknown) {
    return refused(Status::kUnknownCommand, Fate::kSwallow, kBinaryHeaderSize, lengths.body);
  }
  request.command = rule.command;
  request.quiet = rule.quiet;
  request.with_key = rule.with_key;
  request.with_cas = true;
  request.cas = load_u64(header + 16);
  const size_t before_value = kBinaryHeaderSize + lengths.extras + lengths.key;
  const size_t value_length = lengths.value();
  if (input.size() < before_value) return Parsed::need_more(before_value);

  read_extras(rule.shape, header + kBinaryHeaderSize, lengths.extras, request);
  request.key = input.substr(kBinaryHeaderSize + lengths.extras, lengths.key);
  request.key_count = lengths.key > 0 ? 1 : 0;
  request.value_length = static_cast<uint32_t>(value_length);
  const bool is_sasl = rule.command == Command::kSaslAuth || rule.command == Command::kSaslStep;
  if (is_sasl && lengths.key > kMaxMechanismLength) {
    return refused(Status::kInvalid, Fate::kSwallow, before_value, value_length);
  }
  if (value_length > limits.value) {
    return refused(Status::kTooLarge, Fate::kSwallow, before_value, value_length);
  }
  if (value_length > limits.buffered) {
    request.value_follows = true;
    return Parsed::complete(before_value);
  }
  const size_t total = before_value + value_length;
  if (input.size() < total) return Parsed::need_more(total);
  request.value = input.substr(before_value, value_length);
  return Parsed::complete(total);
}

}  // namespace base::memcache
