#include "base/memcache/request.h"

#include "base/telemetry/segment.h"

namespace base::memcache {

telemetry::Operation operation_of(Command command) {
  using telemetry::Operation;
  switch (command) {
    case Command::kGet:
    case Command::kMetaGet:
      return Operation::kGet;
    case Command::kGat:
      return Operation::kGat;
    case Command::kSet:
    case Command::kMetaSet:
      return Operation::kSet;
    case Command::kAdd:
      return Operation::kAdd;
    case Command::kReplace:
      return Operation::kReplace;
    case Command::kAppend:
      return Operation::kAppend;
    case Command::kPrepend:
      return Operation::kPrepend;
    case Command::kCas:
      return Operation::kCas;
    case Command::kIncr:
    case Command::kMetaArithmetic:
      return Operation::kIncr;
    case Command::kDecr:
      return Operation::kDecr;
    case Command::kDelete:
    case Command::kMetaDelete:
      return Operation::kDelete;
    case Command::kTouch:
      return Operation::kTouch;
    case Command::kFlushAll:
      return Operation::kFlush;
    case Command::kStats:
      return Operation::kStats;
    case Command::kVersion:
      return Operation::kVersion;
    case Command::kNoop:
      return Operation::kNoop;
    case Command::kSaslMechanisms:
    case Command::kSaslAuth:
    case Command::kSaslStep:
      return Operation::kAuth;
    case Command::kVerbosity:
    case Command::kQuit:
    case Command::kMetaDebug:
      return Operation::kOther;
  }
  return Operation::kOther;
}

}  // namespace base::memcache
