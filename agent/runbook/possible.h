// Whether conditions can hold at all: what a person should know of a runbook before the night.
//
// Idea: a condition as the alternatives under which it holds, each a list of comparisons that must hold
// together; an alternative is possible when the comparisons of each name leave it some value of those it may
// have. Names are taken to be independent of each other and numbers not to be whole, so that "possible" is
// said too often, never too seldom.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runbook/expression.h"

namespace agent::runbook {

// The values that a name may have.
struct Domain {
  Value::Kind kind = Value::Kind::kUnknown;  // kUnknown: anything
  // Of numbers, and of durations in seconds; both ends belong to it.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::vector<std::string> words;  // of kText; empty: any
  bool is_never_known = false;     // then nothing that asks for it holds

  static Domain of(Value::Kind kind) {
    Domain domain;
    domain.kind = kind;
    return domain;
  }
  static Domain between(Value::Kind kind, double low, double high) {
    Domain domain = of(kind);
    domain.low = low;
    domain.high = high;
    return domain;
  }
  static Domain one_of(std::vector<std::string> words) {
    Domain domain = of(Value::Kind::kText);
    domain.words = std::move(words);
    return domain;
  }
  static Domain never_known() {
    Domain domain;
    domain.is_never_known = true;
    return domain;
  }
};
// nullopt: no such name, so a bare name is a word.
using Domains = std::function<std::optional<Domain>(std::string_view name, bool reference)>;

// False only if the names have no values with which all the conditions hold at once. Thread: any.
bool can_hold(const std::vector<const Expression*>& conditions, const Domains& domains);

}  // namespace agent::runbook
