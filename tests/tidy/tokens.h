// C++ text as a list of tokens with their lines: comments, preprocessor lines and the insides of
// strings are gone, so that a rule about code is not about prose. Not a parser: no types, no macros.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidy {

struct Token {
  enum class Kind { kWord, kNumber, kString, kSign };
  Kind kind = Kind::kSign;
  std::string text;  // of strings: empty; signs are one character, but for :: and ->
  int line = 0;
};

std::vector<Token> tokenize(std::string_view source);

// For each bracket the index of its partner; of other tokens, and of brackets without one, kNone.
inline constexpr size_t kNone = static_cast<size_t>(-1);
std::vector<size_t> match_brackets(const std::vector<Token>& tokens);

}  // namespace tidy
