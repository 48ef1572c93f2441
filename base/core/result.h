// Result<T>: the value of an operation or the Error that explains why there is none.
//
// Three kinds of failure exist here and are never mixed (docs/architecture.md, Errors): a bug is a
// CHECK (check.h); a peer, a file or a configuration gone wrong is an Error in a Result; a resource
// that cannot be missing stops the process at start-up. No exception crosses a room's border: an
// adapter of a library that throws catches and returns a Result.
//
// An Error costs O(1): one short string. It never holds requests, keys, values or secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/core/check.h"

namespace base {

// What went wrong, in the words that logs, metric labels and exit statuses use.
enum class ErrorCode {
  kInvalid,      // the request or file is wrong; repeating it is useless
  kNotFound,     // the thing named does not exist
  kExists,       // it exists already
  kUnavailable,  // nobody answered: refused, reset, not listening, no such socket
  kTimeout,      // the deadline passed; the effect is unknown
  kRefused,      // a guard, a capability or a fence said no
  kConflict,     // somebody else holds the lock or changed the state
  kExhausted,    // a limit or budget is used up
  kPermission,   // the operating system said no
  kIo,           // reading or writing failed
  kUnknown,      // it may or may not have happened
  kInternal,     // ours
};
std::string_view to_string(ErrorCode code);

// Where the fault lies.
enum class Origin { kClient, kBackend, kSelf };

// When the operation may be tried again without harm.
enum class Retry { kNever, kSafe, kIfUnsent };

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string context;  // one sentence for a person, with what to do next where there is something
  Origin origin = Origin::kSelf;
  Retry retry = Retry::kNever;

  Error() = default;
  Error(ErrorCode c, std::string text, Origin o = Origin::kSelf, Retry r = Retry::kNever)
      : code(c), context(std::move(text)), origin(o), retry(r) {}
  // "not_found: no proxy named amber-proxy-9"
  std::string to_string() const;
};

// The value of an operation that only succeeds or fails.
struct Done {};

// Thread: as T. Invariant: holds exactly one of a value and an Error.
template <class T = Done>
class [[nodiscard]] Result {
 public:
  Result() requires std::is_default_constructible_v<T> : state_(T{}) {}
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return CHECK(ok()), std::get<0>(state_); }
  const T& value() const& { return CHECK(ok()), std::get<0>(state_); }
  T&& value() && { return CHECK(ok()), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T value_or(T other) const { return ok() ? std::get<0>(state_) : std::move(other); }

  const Error& error() const { return CHECK(!ok()), std::get<1>(state_); }
  ErrorCode code() const { return error().code; }

 private:
  std::variant<T, Error> state_;
};

}  // namespace base
