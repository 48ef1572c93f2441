// Parsing expressions.
#include <charconv>

#include "agent/runbook/expression_node.h"

namespace agent::runbook {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

using NodePointer = std::shared_ptr<const Expression::Node>;

constexpr size_t kMaxLength = 1000;  // bounds the depth of `a or a or …`, too

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

}  // namespace

Result<Expression> Expression::parse(std::string_view text) {
  if (text.size() > kMaxLength) {
    return Error(ErrorCode::kInvalid, "the expression is longer than 1000 bytes");
  }
  Result<NodePointer> root = Parser(text).parse();
  if (!root.ok()) return root.error();
  Expression expression;
  expression.text_ = std::string(text);
  expression.root_ = std::move(*root);
  return expression;
}

}  // namespace agent::runbook
