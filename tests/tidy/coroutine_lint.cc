#include "tests/tidy/coroutine_lint.h"

#include <set>

#include "tests/tidy/tokens.h"

namespace tidy {
namespace {

// Words that stand before an expression, never as the name of what follows.
const std::set<std::string_view> kExpressionWords = {"return", "co_return", "co_await", "co_yield",
                                                     "throw",  "case",      "else",     "do"};
const std::set<std::string_view> kControlWords = {"if",     "while", "for",
                                                  "switch", "catch", "constexpr"};
const std::set<std::string_view> kBlockWords = {"else",     "do",    "try",      "mutable",
                                                "noexcept", "const", "override", "final"};
const std::set<std::string_view> kTypeWords = {"struct", "class", "namespace",
                                               "enum",   "union", "extern"};

// Thread: one. Owner: find_coroutine_traps.
class Lint {
 public:
  explicit Lint(std::string_view source)
      : tokens_(tokenize(source)), partners_(match_brackets(tokens_)) {}

  std::vector<Trap> run() {
    size_t done = 0;  // an expression with two co_awaits is looked at once
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!is(i, "co_await") && !is(i, "co_yield")) continue;
      const size_t first = expression_begin(i);
      const size_t end = expression_end(i);
      if (first >= done && is_in_condition(first) && !declares(first, i)) {
        traps_.push_back({tokens_[i].line, "a condition with co_await: name what it gives first"});
      }
      look_at(std::max(first, done), end);
      done = std::max(done, end);
    }
    return std::move(traps_);
  }

 private:
  bool is(size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].text == text;
  }
  bool is_word(size_t i) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::kWord;
  }
  bool is_name(size_t i) const {
    return is_word(i) && kExpressionWords.count(tokens_[i].text) == 0;
  }

  bool is_control_paren(size_t open) const {
    return open > 0 && is_word(open - 1) && kControlWords.count(tokens_[open - 1].text) > 0;
  }

  // Whether the brace opens a block (of statements or members) rather than an initialiser.
  bool is_block(size_t brace) const {
    if (brace == 0) return true;
    const Token& before = tokens_[brace - 1];
    if (before.kind == Token::Kind::kString) return true;  // extern "C" {
    if (before.kind == Token::Kind::kWord && kBlockWords.count(before.text) > 0) return true;
    for (const char* sign : {")", "]", ";", "{", "}", ":"}) {
      if (before.text == sign) return true;
    }
    if (!is_name(brace - 1) && before.text != ">") return false;
    // A name: of a type being defined, of a trailing return type, or of what is initialised.
    for (size_t i = brace; i-- > 0;) {
      const Token& token = tokens_[i];
      if (token.text == "->" && i > 0 && is(i - 1, ")")) return true;
      if (token.kind == Token::Kind::kWord && kTypeWords.count(token.text) > 0) return true;
      if (token.kind == Token::Kind::kSign &&
          std::string_view(";{}()=").find(token.text) != std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  size_t expression_begin(size_t inside) const {
    size_t i = inside;
    while (i > 0) {
      const size_t before = i - 1;
      const std::string& text = tokens_[before].text;
      if (text == ";") return i;
      if (text == "{" && is_block(before)) return i;
      if (text == "(" && is_control_paren(before)) return i;
      const bool closes = text == ")" || text == "]" || text == "}";
      if (closes && partners_[before] == kNone) return i;
      if (text == "}" && ends_statement(before)) return i;
      if (text == ")" && is_control_paren(partners_[before])) return i;
      i = closes ? partners_[before] : before;
    }
    return 0;
  }

  // Whether a closing brace ends a statement: unless an expression goes on behind an initialiser.
  bool ends_statement(size_t brace) const {
    if (is_block(partners_[brace]) && !is(brace + 1, "(")) return true;
    return is_word(brace + 1);
  }

  // Whether an expression that begins there stands between the parentheses of an if or a loop.
  bool is_in_condition(size_t first) const {
    for (size_t i = first; i-- > 0;) {
      const std::string& text = tokens_[i].text;
      if (text == "(" && is_control_paren(i)) return true;
      if ((text == "{" && is_block(i)) || (text == ")" && is_control_paren(partners_[i])))
        return false;
      const bool closes = text == ")" || text == "]" || text == "}";
      if (closes && partners_[i] == kNone) return false;
      if (text == "}" && ends_statement(i)) return false;
      if (closes) i = partners_[i];
      if (text == ";" && !in_for(i)) return false;
    }
    return false;
  }

  // Whether a semicolon parts the clauses of a for, or a declaration from a condition.
  bool in_for(size_t semicolon) const {
    for (size_t i = semicolon; i-- > 0;) {
      const std::string& text = tokens_[i].text;
      if (text == "(") return is_control_paren(i);
      if (text == "{") return false;
      if (text != ")" && text != "]" && text != "}") continue;
      if (partners_[i] == kNone) return false;
      i = partners_[i];
    }
    return false;
  }

  // `name = …` or `name : …` outside of brackets.
  bool declares(size_t first, size_t inside) const {
    for (size_t i = first; i < inside; ++i) {
      const std::string& text = tokens_[i].text;
      const bool opens = text == "(" || text == "[" || text == "{";
      if (opens && partners_[i] != kNone && partners_[i] < inside) i = partners_[i];
      if (opens && partners_[i] == kNone) return false;
      if (i > first + 1 && (is_name(i - 1) || is(i - 1, "]")) && !is(i + 1, "=") &&
          (text == "=" || text == ":")) {
        return true;
      }
    }
    return false;
  }

  size_t expression_end(size_t inside) const {
    size_t i = inside;
    while (i < tokens_.size()) {
      const std::string& text = tokens_[i].text;
      if (text == ";") return i;
      if (text == ")" || text == "]" || text == "}") {
        if (partners_[i] == kNone) return i;
        if (text == ")" && is_control_paren(partners_[i])) return i;
        if (text == "}" && is_block(partners_[i])) return i;
      }
      const bool opens = text == "(" || text == "[" || text == "{";
      i = (opens && partners_[i] != kNone ? partners_[i] : i) + 1;
    }
    return i;
  }

  bool is_lambda(size_t bracket) const {
    if (!is(bracket, "[") || partners_[bracket] == kNone || bracket == 0) return false;
    if (is(bracket + 1, "[") || is(bracket - 1, "[")) return false;  // an attribute
    const Token& before = tokens_[bracket - 1];
    if (before.kind == Token::Kind::kString || before.kind == Token::Kind::kNumber) return false;
    if (is_name(bracket - 1)) return false;  // a subscript, or `auto [a, b]`
    if (before.text == ")" || before.text == "]" || before.text == "}") return false;
    for (size_t i = bracket; i-- > 0 && (is(i, "&") || is(i, "const"));) {
      if (i > 0 && is(i - 1, "auto")) return false;
    }
    return true;
  }

  // The index behind a lambda's body.
  size_t behind_lambda(size_t bracket) const {
    for (size_t i = partners_[bracket] + 1; i < tokens_.size(); ++i) {
      if (is(i, "{")) return partners_[i] == kNone ? i + 1 : partners_[i] + 1;
      if (is(i, "(") && partners_[i] != kNone) i = partners_[i];
      if (is(i, ";")) return i;
    }
    return tokens_.size();
  }

  // `Type name{…}` initialises a variable: no temporary.
  bool is_declaration(size_t brace) const {
    if (brace < 2 || !is_name(brace - 1)) return false;
    const std::string& text = tokens_[brace - 2].text;
    return is_name(brace - 2) || text == ">" || text == "&" || text == "*";
  }

  void look_at(size_t first, size_t end) {
    for (size_t i = first; i < end;) {
      if (is_lambda(i)) {
        if (partners_[i] > i + 1) trap(i, "a capturing lambda");
        i = behind_lambda(i);
        continue;
      }
      if (is(i, "{") && !is_block(i) && !is_declaration(i)) trap(i, "a braced initialiser");
      ++i;
    }
  }

  void trap(size_t i, const std::string& what) {
    traps_.push_back({tokens_[i].line, what + " in an expression with co_await: name it first"});
  }

  const std::vector<Token> tokens_;
  const std::vector<size_t> partners_;
  std::vector<Trap> traps_;
};

}  // namespace

std::vector<Trap> find_coroutine_traps(std::string_view source) {
  return Lint(source).run();
}

}  // namespace tidy
