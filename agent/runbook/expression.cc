#include "agent/runbook/expression.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace agent::runbook {

using base::Error;
using base::ErrorCode;
using base::Result;

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

// One node of the tree. Operands are a constant value or a name.
struct Expression::Node {
  Operation operation = Operation::kOperand;
  std::shared_ptr<const Node> left, right;
  Value constant;
  std::string name;  // not empty: a name or reference
  bool reference = false;
};

namespace {

using NodePointer = std::shared_ptr<const Expression::Node>;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '/';
}

struct Token {
  enum class Kind { kEnd, kName, kReference, kText, kNumber, kSymbol };
  Kind kind = Kind::kEnd;
  std::string text;
  Value value;
  size_t column = 0;  // from 1
};

// "5", "0.7", "15%", "250ms", "5s", "10m", "2h", "1d"; nullopt: not a number.
std::optional<Value> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.empty()) return Value::of(number);
  if (unit == "%") return Value::of(number / 100);
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  for (const auto& [name, seconds] : kUnits) {
    if (unit == name) return Value::seconds(number * seconds);
  }
  return std::nullopt;
}

// Thread: one. Owner: Expression::parse. Invariant: at_ is the first byte not yet read.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<Token> next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    Token token;
    token.column = at_ + 1;
    if (at_ == text_.size()) return token;
    const char c = text_[at_];
    if (c == '"' || c == '\'') return quoted(token, c);
    if (text_.substr(at_, 2) == "${") return reference(token);
    if (c >= '0' && c <= '9') return number(token);
    if (is_name_char(c)) return name(token);
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">", "(", ")"}) {
      if (!text_.substr(at_).starts_with(symbol)) continue;
      at_ += symbol.size();
      token.kind = Token::Kind::kSymbol;
      token.text = symbol;
      return token;
    }
    return Error(ErrorCode::kInvalid, "unexpected \"" + std::string(1, c) + "\" at column " +
                                          std::to_string(token.column) + " of the expression");
  }

 private:
  Result<Token> quoted(Token token, char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return Error(ErrorCode::kInvalid, "a quote is not closed");
    token.kind = Token::Kind::kText;
    token.text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return token;
  }
  Result<Token> reference(Token token) {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return Error(ErrorCode::kInvalid, "a ${ is not closed by }");
    token.kind = Token::Kind::kReference;
    token.text = text_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 1;
    return token;
  }
  Result<Token> number(Token token) {
    const size_t begin = at_;
    while (at_ < text_.size() && (is_name_char(text_[at_]) || text_[at_] == '%')) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    token.text = word;
    const std::optional<Value> value = parse_number(word);
    if (value.has_value()) {
      token.kind = Token::Kind::kNumber;
      token.value = *value;
      return token;
    }
    return Error(ErrorCode::kInvalid, "\"" + token.text +
                                          "\" is no number, share (15%) or duration "
                                          "(250ms, 5s, 10m, 2h, 1d)");
  }
  Result<Token> name(Token token) {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    token.kind = Token::Kind::kName;
    token.text = text_.substr(begin, at_ - begin);
    return token;
  }

  std::string_view text_;
  size_t at_ = 0;
};

NodePointer join(Operation operation, NodePointer left, NodePointer right) {
  auto node = std::make_shared<Expression::Node>();
  node->operation = operation;
  node->left = std::move(left);
  node->right = std::move(right);
  return node;
}

// Recursive descent with a bound on depth. Owner: Expression::parse.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<NodePointer> parse() {
    advance();
    NodePointer root = alternative(0);
    if (!failure_.has_value() && token_.kind != Token::Kind::kEnd) fail("an operator or the end");
    if (failure_.has_value()) return *failure_;
    return root;
  }

 private:
  static constexpr int kMaxDepth = 50;

  void advance() {
    Result<Token> token = lexer_.next();
    if (token.ok()) {
      token_ = std::move(*token);
    } else {
      if (!failure_.has_value()) failure_ = token.error();
      token_ = Token();
    }
  }
  void fail(std::string_view expected) {
    if (failure_.has_value()) return;
    const std::string met =
        token_.kind == Token::Kind::kEnd ? "the end" : "\"" + token_.text + "\"";
    failure_ =
        Error(ErrorCode::kInvalid, "met " + met + " at column " + std::to_string(token_.column) +
                                       " of the expression, expected " + std::string(expected));
  }
  bool is(Token::Kind kind, std::string_view text) const {
    return token_.kind == kind && token_.text == text;
  }
  bool take(Token::Kind kind, std::string_view text) {
    if (!is(kind, text)) return false;
    advance();
    return true;
  }

  NodePointer alternative(int depth) {
    NodePointer left = conjunction(depth);
    while (!failure_ && take(Token::Kind::kName, "or")) {
      left = join(Operation::kOr, left, conjunction(depth));
    }
    return left;
  }
  NodePointer conjunction(int depth) {
    NodePointer left = negation(depth);
    while (!failure_ && take(Token::Kind::kName, "and")) {
      left = join(Operation::kAnd, left, negation(depth));
    }
    return left;
  }
  NodePointer negation(int depth) {
    if (depth > kMaxDepth) {
      fail("fewer nested parentheses");
      return nullptr;
    }
    if (take(Token::Kind::kName, "not")) return join(Operation::kNot, negation(depth + 1), nullptr);
    if (take(Token::Kind::kSymbol, "(")) {
      NodePointer inside = alternative(depth + 1);
      if (!take(Token::Kind::kSymbol, ")")) fail("\")\"");
      return inside;
    }
    return comparison();
  }
  NodePointer comparison() {
    NodePointer left = operand();
    constexpr std::pair<std::string_view, Operation> kOperators[] = {
        {"==", Operation::kEqual},     {"!=", Operation::kUnequal}, {"<=", Operation::kLessEqual},
        {">=", Operation::kMoreEqual}, {"<", Operation::kLess},     {">", Operation::kMore}};
    for (const auto& [symbol, operation] : kOperators) {
      if (take(Token::Kind::kSymbol, symbol)) return join(operation, left, operand());
    }
    return left;
  }
  NodePointer operand() {
    auto node = std::make_shared<Expression::Node>();
    const bool keyword = token_.kind == Token::Kind::kName &&
                         (token_.text == "and" || token_.text == "or" || token_.text == "not");
    if (keyword || token_.kind == Token::Kind::kEnd || token_.kind == Token::Kind::kSymbol) {
      fail("a name, a number, a ${reference} or a quoted text");
      return node;
    }
    if (token_.kind == Token::Kind::kNumber) node->constant = token_.value;
    if (token_.kind == Token::Kind::kText) node->constant = Value::word(token_.text);
    if (token_.kind == Token::Kind::kName || token_.kind == Token::Kind::kReference) {
      node->name = token_.text;
      node->reference = token_.kind == Token::Kind::kReference;
    }
    advance();
    return node;
  }

  Lexer lexer_;
  Token token_;
  std::optional<Error> failure_;
};

Truth negate(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return truth == Truth::kYes ? Truth::kNo : Truth::kYes;
}

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

Result<Expression> Expression::parse(std::string_view text) {
  Result<NodePointer> root = Parser(text).parse();
  if (!root.ok()) return root.error();
  Expression expression;
  expression.text_ = std::string(text);
  expression.root_ = std::move(*root);
  return expression;
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
