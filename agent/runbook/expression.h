// Expressions: the small language of `guards:`, `when:` and `approve.when:`.
//
//   healthy_after >= policy.min_healthy        not correlated_failure        telemetry_age <= 5s
//   target.dead or load_after <= 0.7           ${steps.await.state} != recovered
//
// or · and · not · one comparison (== != < <= > >=) · parentheses; operands are numbers, shares
// (15%), durations (5s), ${references}, "quoted text" and names. A name that the lookup does not
// know is a word ("destructive", "dead"). No arithmetic, no calls, no loops: an expression always
// ends, and a person can check it by eye.
//
// Answers are three-valued: what cannot be known is kUnknown, never silently true or false; `true
// or unknown` is true. An answer carries its reason: the names met, with their values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

namespace agent::runbook {

enum class Truth { kNo, kYes, kUnknown };
std::string_view to_string(Truth truth);  // "no", "yes", "unknown"

// Durations are numbers of seconds of their own kind, so that `5 < 5s` is a mistake and not a
// truth.
struct Value {
  enum class Kind { kUnknown, kBoolean, kNumber, kDuration, kText };
  Kind kind = Kind::kUnknown;
  double number = 0;  // also 0 or 1 for kBoolean
  std::string text;   // kText; for the others an explanation that is added to the reason

  static Value unknown(std::string why) { return {Kind::kUnknown, 0, std::move(why)}; }
  static Value boolean(bool b, std::string why = {}) {
    return {Kind::kBoolean, b ? 1.0 : 0.0, why};
  }
  static Value of(double n, std::string why = {}) { return {Kind::kNumber, n, std::move(why)}; }
  static Value seconds(double n) { return {Kind::kDuration, n, {}}; }
  static Value word(std::string t) { return {Kind::kText, 0, std::move(t)}; }
  std::string to_string() const;
};

// nullopt: no such name (then a bare name is a word). `reference` is true for ${…}.
using Lookup = std::function<std::optional<Value>(std::string_view name, bool reference)>;

// Immutable; cheap to copy.
class Expression {
 public:
  Expression() = default;  // empty: always kYes
  static base::Result<Expression> parse(std::string_view text);

  struct Answer {
    Truth truth = Truth::kYes;
    std::string reason;  // "healthy_after is 1, policy.min_healthy is 1"
  };
  Answer evaluate(const Lookup& lookup) const;

  bool empty() const { return root_ == nullptr; }
  const std::string& text() const { return text_; }
  struct Name {
    std::string name;
    bool reference = false;             // ${…}
    bool compared_with_equals = false;  // stands beside == or !=: may be a word
  };
  std::vector<Name> names() const;
  // Compares unlike things, or uses a number as a truth? `samples` gives values of the right kinds
  // (unknown: any kind). A sentence, or nullopt.
  std::optional<std::string> mistake(const Lookup& samples) const;

  struct Node;
  const Node* root() const { return root_.get(); }  // nullptr: empty

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

}  // namespace agent::runbook
