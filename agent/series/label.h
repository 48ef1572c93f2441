// Label: a name of which all copies share one text, so that copying one and comparing two for equality
// never looks at it. Samples come by the thousand and have the same few names.
//
// Idea: the text is in a table of all labels as long as anybody has it. To make a label of a text looks
// there, under a lock; who makes the same one often keeps it.
//
// What it is not for: what strangers choose and change at will, such as clients' addresses. It would
// work, but be slower than a string.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace agent::series {

// Threads: as a std::string; copies may be in different ones.
class Label {
 public:
  Label() = default;  // the empty one
  // NOLINTBEGIN(google-explicit-constructor): it stands where a string would.
  Label(std::string_view text) : entry_(text.empty() ? nullptr : take(text)) {}
  Label(const std::string& text) : Label(std::string_view(text)) {}
  Label(const char* text) : Label(std::string_view(text)) {}
  // NOLINTEND(google-explicit-constructor)
  Label(const Label& other) noexcept : entry_(other.entry_) { share(); }
  Label(Label&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  Label& operator=(Label other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Label() {
    if (entry_ != nullptr) give_back(entry_);
  }

  const std::string& text() const { return entry_ == nullptr ? empty_text() : text_of(entry_); }
  operator const std::string&() const { return text(); }  // NOLINT(google-explicit-constructor)
  bool empty() const { return entry_ == nullptr; }
  void clear() { *this = Label(); }

  friend bool operator==(const Label& one, const Label& two) { return one.entry_ == two.entry_; }
  template <std::convertible_to<std::string_view> Text>
  friend bool operator==(const Label& one, const Text& two) {
    return one.text() == std::string_view(two);
  }
  // By text.
  friend std::strong_ordering operator<=>(const Label& one, const Label& two) {
    if (one.entry_ == two.entry_) return std::strong_ordering::equal;
    return one.text() <=> two.text();
  }

 private:
  struct Entry;
  struct Table;
  static const std::string& empty_text();
  static const std::string& text_of(const Entry* entry);
  static Entry* take(std::string_view text);
  static void give_back(Entry* entry);
  void share() const noexcept;

  Entry* entry_ = nullptr;  // null: empty
};

}  // namespace agent::series
