// Secret: a string that does not print. Passwords and keys travel in this type, so that no log line,
// error text or JSON dump can hold one by accident; whoever truly needs the text calls reveal().
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  std::string text_;
};

}  // namespace base
