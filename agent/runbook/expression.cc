// Evaluating expressions.
#include <cstdio>

#include "agent/runbook/expression_node.h"

namespace agent::runbook {

namespace {

Truth negate(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return truth == Truth::kYes ? Truth::kNo : Truth::kYes;
}

// Walks a tree once, gathering the reason. Owner: evaluate().
class Evaluation {
 public:
  explicit Evaluation(const Lookup& lookup) : lookup_(lookup) {}

  Truth truth(const Expression::Node& node) {
    switch (node.operation) {
      case Operation::kOr:
        return either(truth(*node.left), node);
      case Operation::kAnd:
        return both(truth(*node.left), node);
      case Operation::kNot:
        return negate(truth(*node.left));
      case Operation::kOperand:
        return as_truth(value(node));
      default: {
        const Value left = value(*node.left);
        const Value right = value(*node.right);
        return compare(node.operation, left, right);
      }
    }
  }
  std::string reason() && { return std::move(reason_); }

 private:
  Truth either(Truth left, const Expression::Node& node) {
    if (left == Truth::kYes) return left;
    const Truth right = truth(*node.right);
    return right == Truth::kYes                                  ? right
           : left == Truth::kUnknown || right == Truth::kUnknown ? Truth::kUnknown
                                                                 : Truth::kNo;
  }
  Truth both(Truth left, const Expression::Node& node) {
    if (left == Truth::kNo) return left;
    const Truth right = truth(*node.right);
    return right == Truth::kNo                                   ? right
           : left == Truth::kUnknown || right == Truth::kUnknown ? Truth::kUnknown
                                                                 : Truth::kYes;
  }
  static Truth as_truth(const Value& value) {
    if (value.kind == Value::Kind::kBoolean) return value.number != 0 ? Truth::kYes : Truth::kNo;
    if (value.kind == Value::Kind::kText && value.text == "true") return Truth::kYes;
    if (value.kind == Value::Kind::kText && value.text == "false") return Truth::kNo;
    return Truth::kUnknown;
  }
  Value value(const Expression::Node& node) {
    if (node.name.empty()) return node.constant;
    std::optional<Value> found = lookup_(node.name, node.reference);
    if (!found.has_value()) {
      if (!node.reference) return Value::word(node.name);
      found = Value::unknown("there is no such value");
    }
    note(node, *found);
    return *found;
  }
  void note(const Expression::Node& node, const Value& value) {
    if (!reason_.empty()) reason_ += ", ";
    reason_ += (node.reference ? "${" + node.name + "}" : node.name) + " is " + value.to_string();
    if (value.kind != Value::Kind::kText && !value.text.empty()) reason_ += " (" + value.text + ")";
  }

  const Lookup& lookup_;
  std::string reason_;
};

void gather(const Expression::Node& node, bool equals, std::vector<Expression::Name>& names) {
  if (!node.name.empty()) names.push_back({node.name, node.reference, equals});
  const bool compares =
      node.operation == Operation::kEqual || node.operation == Operation::kUnequal;
  if (node.left != nullptr) gather(*node.left, compares, names);
  if (node.right != nullptr) gather(*node.right, compares, names);
}

std::string_view to_string(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kUnknown:
      return "anything";
    case Value::Kind::kBoolean:
      return "a truth";
    case Value::Kind::kNumber:
      return "a number";
    case Value::Kind::kDuration:
      return "a duration";
    case Value::Kind::kText:
      return "a word";
  }
  return "anything";
}

// Finds the first node whose operands do not fit. Owner: mistake().
class KindCheck {
 public:
  explicit KindCheck(const Lookup& samples) : samples_(samples) {}

  std::optional<std::string> truth(const Expression::Node& node) {
    switch (node.operation) {
      case Operation::kOr:
      case Operation::kAnd: {
        auto wrong = truth(*node.left);
        return wrong.has_value() ? wrong : truth(*node.right);
      }
      case Operation::kNot:
        return truth(*node.left);
      case Operation::kOperand: {
        const Value::Kind kind = kind_of(node);
        if (kind == Value::Kind::kBoolean || kind == Value::Kind::kUnknown) return std::nullopt;
        return (node.name.empty() ? "the constant" : node.name) + " is " +
               std::string(to_string(kind)) + ", expected a comparison or a truth";
      }
      default:
        return comparison(node);
    }
  }

 private:
  Value::Kind kind_of(const Expression::Node& node) {
    if (node.name.empty()) return node.constant.kind;
    const std::optional<Value> found = samples_(node.name, node.reference);
    if (found.has_value()) return found->kind;
    return node.reference ? Value::Kind::kUnknown : Value::Kind::kText;
  }
  std::optional<std::string> comparison(const Expression::Node& node) {
    const Value::Kind left = kind_of(*node.left);
    const Value::Kind right = kind_of(*node.right);
    using Kind = Value::Kind;
    if (left == right || left == Kind::kUnknown || right == Kind::kUnknown) return std::nullopt;
    return "compares " + std::string(to_string(left)) + " with " + std::string(to_string(right));
  }

  const Lookup& samples_;
};

std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

}  // namespace

Truth compare(Operation operation, const Value& left, const Value& right) {
  using Kind = Value::Kind;
  if (left.kind == Kind::kUnknown || right.kind == Kind::kUnknown) return Truth::kUnknown;
  if (left.kind != right.kind) return Truth::kUnknown;
  const bool text = left.kind == Kind::kText;
  const int order = text ? left.text.compare(right.text)
                         : (left.number < right.number   ? -1
                            : left.number > right.number ? 1
                                                         : 0);
  switch (operation) {
    case Operation::kEqual:
      return order == 0 ? Truth::kYes : Truth::kNo;
    case Operation::kUnequal:
      return order != 0 ? Truth::kYes : Truth::kNo;
    case Operation::kLess:
      return order < 0 ? Truth::kYes : Truth::kNo;
    case Operation::kLessEqual:
      return order <= 0 ? Truth::kYes : Truth::kNo;
    case Operation::kMore:
      return order > 0 ? Truth::kYes : Truth::kNo;
    case Operation::kMoreEqual:
      return order >= 0 ? Truth::kYes : Truth::kNo;
    default:
      return Truth::kUnknown;
  }
}

std::string_view to_string(Truth truth) {
  switch (truth) {
    case Truth::kNo:
      return "no";
    case Truth::kYes:
      return "yes";
    case Truth::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string Value::to_string() const {
  switch (kind) {
    case Kind::kUnknown:
      return "unknown";
    case Kind::kBoolean:
      return number != 0 ? "true" : "false";
    case Kind::kNumber:
      return plain(number);
    case Kind::kDuration:
      return number < 1 ? plain(number * 1000) + "ms" : plain(number) + "s";
    case Kind::kText:
      return text;
  }
  return "unknown";
}

Expression::Answer Expression::evaluate(const Lookup& lookup) const {
  Answer answer;
  if (root_ == nullptr) return answer;
  Evaluation evaluation(lookup);
  answer.truth = evaluation.truth(*root_);
  answer.reason = std::move(evaluation).reason();
  return answer;
}

std::vector<Expression::Name> Expression::names() const {
  std::vector<Name> names;
  if (root_ != nullptr) gather(*root_, false, names);
  return names;
}

std::optional<std::string> Expression::mistake(const Lookup& samples) const {
  if (root_ == nullptr) return std::nullopt;
  return KindCheck(samples).truth(*root_);
}

}  // namespace agent::runbook
