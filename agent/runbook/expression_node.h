// The tree inside an Expression, between its parser and its evaluation.
#pragma once

#include <memory>
#include <string>

#include "agent/runbook/expression.h"

namespace agent::runbook {

enum class Operation {
  kOr,
  kAnd,
  kNot,
  kEqual,
  kUnequal,
  kLess,
  kLessEqual,
  kMore,
  kMoreEqual,
  kOperand
};

// Operands are a constant value or a name.
struct Expression::Node {
  Operation operation = Operation::kOperand;
  std::shared_ptr<const Node> left, right;
  Value constant;
  std::string name;  // not empty: a name or reference
  bool reference = false;
};

// kUnknown for values of unlike kinds, too.
Truth compare(Operation operation, const Value& left, const Value& right);

}  // namespace agent::runbook
