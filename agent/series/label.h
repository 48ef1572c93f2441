// Label: a name of which all copies share one text, so that copying one and comparing two for equality
// never looks at it. Samples come by the thousand and have the same few names.
//
// Idea: each text that ever was a label's stays in a table. To make a label of a text looks there, under a
// lock; who makes the same one often keeps it.
//
// What it is not for: what strangers choose at will, such as clients' addresses, since nothing is forgotten.
#pragma once

#include <compare>
#include <concepts>
#include <string>
#include <string_view>

namespace agent::series {

// Threads: as a const std::string; copies may be in different ones.
class Label {
 public:
  Label() = default;  // the empty one
  // NOLINTBEGIN(google-explicit-constructor): it stands where a string would.
  Label(std::string_view text) : text_(text.empty() ? nullptr : find(text)) {}
  Label(const std::string& text) : Label(std::string_view(text)) {}
  Label(const char* text) : Label(std::string_view(text)) {}
  operator const std::string&() const { return text(); }
  // NOLINTEND(google-explicit-constructor)

  const std::string& text() const { return text_ == nullptr ? empty_text() : *text_; }
  bool empty() const { return text_ == nullptr; }
  void clear() { text_ = nullptr; }

  friend bool operator==(const Label& one, const Label& two) { return one.text_ == two.text_; }
  template <std::convertible_to<std::string_view> Text>
  friend bool operator==(const Label& one, const Text& two) {
    return one.text() == std::string_view(two);
  }
  // By text.
  friend std::strong_ordering operator<=>(const Label& one, const Label& two) {
    if (one.text_ == two.text_) return std::strong_ordering::equal;
    return one.text() <=> two.text();
  }

  // For who reads the files of strangers over and over. No label may be in use, but those that are
  // constants of the program: made before the first call of freeze().
  static void freeze();
  static void forget_since_freeze();

 private:
  static const std::string& empty_text();
  static const std::string* find(std::string_view text);

  const std::string* text_ = nullptr;  // null: empty
};

}  // namespace agent::series
