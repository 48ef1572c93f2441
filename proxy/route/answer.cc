#include "proxy/route/answer.h"

#include <string>

#include "base/core/text.h"
#include "base/memcache/ascii_parser.h"
#include "base/memcache/ascii_writer.h"
#include "base/memcache/binary_writer.h"
#include "proxy/route/meta.h"
#include "proxy/route/translate.h"

namespace proxy::route {

namespace ascii = base::memcache::ascii;
namespace binary = base::memcache::binary;
using base::memcache::Buffer;
using base::memcache::CasTokens;
using base::memcache::Command;
using base::memcache::MetaCode;
using base::memcache::MetaReply;
using base::memcache::Protocol;
using base::memcache::Request;
using base::telemetry::Failure;

namespace {

std::string_view text_of(Failure failure) {
  switch (failure) {
    case Failure::kBackendDown:
      return "backend unavailable";
    case Failure::kBackendTimeout:
      return "backend timed out";
    case Failure::kBackendReset:
      return "backend connection lost";
    case Failure::kSlotMoving:
      return "key is moving to another backend, try again";
    case Failure::kFenced:
      return "this proxy's view is not confirmed yet, try again";
    case Failure::kQueueFull:
    case Failure::kOverload:
      return "backend overloaded, try again";
    case Failure::kMemoryShort:
      return "proxy overloaded, try again";
    case Failure::kRequestLimit:
      return "too many requests in flight";
    default:
      return "backend error";
  }
}

// What a refusal of the backend means in the binary protocol.
binary::Status status_of(const MetaReply& reply) {
  if (reply.code == MetaCode::kClientError) {
    return reply.text.find("non-numeric") != std::string_view::npos ? binary::Status::kNonNumeric
                                                                    : binary::Status::kInvalid;
  }
  if (reply.text.find("too large") != std::string_view::npos) return binary::Status::kTooLarge;
  if (reply.text.find("out of memory") != std::string_view::npos) {
    return binary::Status::kOutOfMemory;
  }
  return binary::Status::kTemporaryFailure;
}

bool is_refusal(MetaCode code) {
  return code == MetaCode::kError || code == MetaCode::kClientError ||
         code == MetaCode::kServerError;
}

void append_ascii_value(Buffer& out, const Pending& pending, std::string_view key,
                        const MetaReply& reply, const CasTokens& tokens) {
  if (pending.with_cas) {
    ascii::append_value_header(out, key, reply.flags, reply.value.size(), tokens.show(reply.cas));
  } else {
    ascii::append_value_header(out, key, reply.flags, reply.value.size());
  }
  out.append(reply.value);
  out.append(pending.in_group ? "\r\n" : "\r\nEND\r\n");
}

std::string_view ascii_word(Kind kind, Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      if (kind == Kind::kDelete) return ascii::kDeleted;
      return kind == Kind::kTouch ? ascii::kTouched : ascii::kStored;
    case Outcome::kAbsent:
      return ascii::kNotFound;
    case Outcome::kNotStored:
      return ascii::kNotStored;
    case Outcome::kExists:
      return ascii::kExists;
    case Outcome::kError:
      break;
  }
  return {};
}

Outcome append_ascii(Buffer& out, const Pending& pending, std::string_view key,
                     const MetaReply& reply, const CasTokens& tokens) {
  const Kind kind = kind_of(pending.command);
  const Outcome outcome = outcome_of(reply.code);
  if (pending.quiet) return outcome;
  if (outcome == Outcome::kError) {
    append_refusal(out, reply);
  } else if (kind == Kind::kRead) {
    if (reply.code == MetaCode::kValue) {
      append_ascii_value(out, pending, key, reply, tokens);
    } else {
      append_miss(out, pending, key);
    }
  } else if (kind == Kind::kArithmetic && outcome == Outcome::kDone) {
    out.append(reply.value);
    out.append("\r\n");
  } else {
    out.append(ascii_word(kind, outcome));
  }
  return outcome;
}

binary::Status binary_status(Command command, Outcome outcome) {
  if (outcome == Outcome::kAbsent) return binary::Status::kNotFound;
  if (outcome == Outcome::kExists) return binary::Status::kExists;
  return binary::not_stored(command);
}

Outcome append_binary(Buffer& out, const Pending& pending, std::string_view key,
                      const MetaReply& reply, const CasTokens& tokens) {
  const Kind kind = kind_of(pending.command);
  const Outcome outcome = outcome_of(reply.code);
  const Request echo = echo_of(pending);
  const uint64_t cas = reply.has_cas ? tokens.show(reply.cas) : 0;
  if (is_refusal(reply.code)) {
    binary::append_error(out, echo, status_of(reply));
  } else if (outcome == Outcome::kError) {
    binary::append_error(out, echo, binary::Status::kTemporaryFailure);
  } else if (kind == Kind::kRead) {
    if (outcome == Outcome::kDone) {
      binary::append_value_header(out, echo, key, reply.flags, reply.value.size(), cas);
      out.append(reply.value);
    } else {
      append_miss(out, pending, key);
    }
  } else if (outcome != Outcome::kDone) {
    // A quiet delete, touch or store hears of its failure.
    binary::append_error(out, echo, binary_status(pending.command, outcome));
  } else if (pending.quiet) {
    return outcome;
  } else if (kind == Kind::kArithmetic) {
    binary::append_counter(out, echo, base::parse_u64(reply.value).value_or(0), cas);
  } else if (kind == Kind::kTouch) {
    binary::append_value_header(out, echo, key, reply.flags, 0, cas);
  } else {
    binary::append_success(out, echo, cas);
  }
  return outcome;
}

}  // namespace

Outcome outcome_of(MetaCode code) {
  switch (code) {
    case MetaCode::kHeader:
    case MetaCode::kValue:
      return Outcome::kDone;
    case MetaCode::kMiss:
    case MetaCode::kNotFound:
      return Outcome::kAbsent;
    case MetaCode::kNotStored:
      return Outcome::kNotStored;
    case MetaCode::kExists:
      return Outcome::kExists;
    default:
      return Outcome::kError;
  }
}

void append_refusal(Buffer& out, const MetaReply& reply) {
  if (reply.code == MetaCode::kClientError) {
    out.append("CLIENT_ERROR ");
    out.append(reply.text);
    out.append("\r\n");
    return;
  }
  const bool has_text = reply.code == MetaCode::kServerError && !reply.text.empty();
  ascii::append_server_error(out, has_text ? reply.text : text_of(Failure::kBackendError));
}

Request echo_of(const Pending& pending) {
  Request echo;
  echo.protocol = Protocol::kBinary;
  echo.command = pending.command;
  echo.opcode = pending.opcode;
  echo.opaque = pending.opaque;
  echo.with_key = pending.with_key;
  return echo;
}

Outcome append_answer(Buffer& out, const Pending& pending, std::string_view key,
                      const MetaReply& reply, const CasTokens& tokens) {
  if (is_meta(pending.command)) return append_meta_answer(out, pending, key, reply, tokens);
  return pending.protocol == Protocol::kBinary ? append_binary(out, pending, key, reply, tokens)
                                               : append_ascii(out, pending, key, reply, tokens);
}

void append_miss(Buffer& out, const Pending& pending, std::string_view key,
                 std::string_view flags) {
  if (pending.quiet) return;
  if (pending.protocol == Protocol::kBinary) {
    binary::append_miss(out, echo_of(pending), key);
  } else if (is_meta(pending.command)) {
    append_meta_status(out, pending, MetaCode::kMiss, key, flags);
  } else if (!pending.in_group) {
    out.append(ascii::kEnd);
  }
}

void append_failure(Buffer& out, const Pending& pending, Failure failure) {
  if (pending.protocol == Protocol::kBinary) {
    binary::append_error(out, echo_of(pending), binary::Status::kTemporaryFailure,
                         text_of(failure));
  } else if (!pending.quiet || is_meta(pending.command)) {
    ascii::append_server_error(out, text_of(failure));
  }
}

void append_not_permitted(Buffer& out, const Pending& pending, std::string_view key,
                          std::string_view flags) {
  const bool stores = kind_of(pending.command) == Kind::kStore;
  if (pending.protocol == Protocol::kBinary) {
    binary::append_error(out, echo_of(pending),
                         stores ? binary::Status::kNotStored : binary::Status::kNotFound);
  } else if (is_meta(pending.command)) {
    append_meta_status(out, pending, stores ? MetaCode::kNotStored : MetaCode::kNotFound, key,
                       flags);
  } else if (!pending.quiet) {
    out.append(stores ? ascii::kNotStored : ascii::kNotFound);
  }
}

void append_too_large(Buffer& out, const Pending& pending) {
  if (pending.protocol == Protocol::kBinary) {
    binary::append_error(out, echo_of(pending), binary::Status::kTooLarge);
  } else if (!pending.quiet || is_meta(pending.command)) {
    out.append(ascii::kTooLarge);
  }
}

}  // namespace proxy::route
