#include "agent/series/label.h"

#include <deque>
#include <mutex>
#include <unordered_map>

namespace agent::series {

namespace {

struct Table {
  std::mutex mutex;
  std::deque<std::string> texts;  // in the order in which they came; none ever moves
  std::unordered_map<std::string_view, const std::string*> places;
  size_t frozen = 0;  // so many of them stay
};

// Outlives every label, whatever the order in which static ones go.
Table& table() {
  static auto* const kTable = new Table;
  return *kTable;
}

}  // namespace

const std::string& Label::empty_text() {
  static const auto* const kEmpty = new std::string;
  return *kEmpty;
}

const std::string* Label::find(std::string_view text) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (const auto known = all.places.find(text); known != all.places.end()) return known->second;
  const std::string& added = all.texts.emplace_back(text);
  all.places.emplace(added, &added);
  return &added;
}

void Label::freeze() {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  all.frozen = all.texts.size();
}

void Label::forget_since_freeze() {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  while (all.texts.size() > all.frozen) {
    all.places.erase(all.texts.back());
    all.texts.pop_back();
  }
}

}  // namespace agent::series
