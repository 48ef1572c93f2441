#include "tests/tidy/tokens.h"

#include <algorithm>
#include <cctype>

namespace tidy {
namespace {

bool is_word_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class Scanner {
 public:
  explicit Scanner(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) step();
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

  void advance_to(size_t end) {
    end = std::min(end, source_.size());
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<long>(at_),
                                         source_.begin() + static_cast<long>(end), '\n'));
    at_ = end;
  }
  void advance_past(std::string_view text) {
    const size_t found = source_.find(text, at_);
    advance_to(found == std::string_view::npos ? source_.size() : found + text.size());
  }

  void add(Token::Kind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), line_});
  }

  bool at_line_start() const {
    const size_t newline = source_.rfind('\n', at_ == 0 ? 0 : at_ - 1);
    const size_t first = at_ == 0 || newline == std::string_view::npos ? 0 : newline + 1;
    return source_.substr(first, at_ - first).find_first_not_of(" \t") == std::string_view::npos;
  }

  void step() {
    const char c = source_[at_];
    if (std::isspace(static_cast<unsigned char>(c))) return advance_to(at_ + 1);
    if (starts("//")) return advance_past("\n");
    if (starts("/*")) return advance_past("*/");
    if (c == '#' && at_line_start()) return directive();
    if (starts("R\"")) return raw_string();
    if (c == '"' || c == '\'') return string(c);
    if (is_word_start(c)) return word();
    if (std::isdigit(static_cast<unsigned char>(c))) return number();
    const size_t length = starts("::") || starts("->") ? 2 : 1;
    add(Token::Kind::kSign, source_.substr(at_, length));
    advance_to(at_ + length);
  }

  void directive() {
    for (;;) {
      const size_t newline = source_.find('\n', at_);
      if (newline == std::string_view::npos) return advance_to(source_.size());
      const bool goes_on = newline > 0 && source_[newline - 1] == '\\';
      advance_to(newline + 1);
      if (!goes_on) return;
    }
  }

  void raw_string() {
    const size_t open = std::min(source_.find('(', at_), source_.size());
    const std::string end = ")" + std::string(source_.substr(at_ + 2, open - at_ - 2)) + "\"";
    add(Token::Kind::kString, "");
    advance_past(end);
  }

  void string(char quote) {
    add(Token::Kind::kString, "");
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    advance_to(end + 1);
  }

  void word() {
    size_t end = at_;
    while (end < source_.size() && is_word(source_[end])) ++end;
    add(Token::Kind::kWord, source_.substr(at_, end - at_));
    advance_to(end);
  }

  void number() {
    size_t end = at_;
    while (end < source_.size() &&
           (is_word(source_[end]) || source_[end] == '.' || source_[end] == '\'')) {
      ++end;
    }
    add(Token::Kind::kNumber, source_.substr(at_, end - at_));
    advance_to(end);
  }

  const std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  return Scanner(source).run();
}

std::vector<size_t> match_brackets(const std::vector<Token>& tokens) {
  std::vector<size_t> partners(tokens.size(), kNone);
  std::vector<size_t> open;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != Token::Kind::kSign) continue;
    const char c = tokens[i].text[0];
    if (c == '(' || c == '[' || c == '{') open.push_back(i);
    if (c != ')' && c != ']' && c != '}') continue;
    const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (open.empty() || tokens[open.back()].text[0] != wanted) continue;
    partners[i] = open.back();
    partners[open.back()] = i;
    open.pop_back();
  }
  return partners;
}

}  // namespace tidy
