#include <algorithm>
#include <map>

#include "base/config/yaml.h"

namespace base::config {

std::string Place::to_string() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void Problems::add(Place place, std::string key, std::string message) {
  if (list_.size() >= kKept) {
    ++beyond_;
    return;
  }
  std::string text = key.empty() ? std::move(message) : std::move(key) + ": " + message;
  list_.push_back({std::move(place), std::move(text)});
}

std::string Problems::to_string() const {
  std::map<std::string_view, size_t> order;
  for (const Entry& entry : list_) order.emplace(entry.place.file, order.size());
  std::vector<const Entry*> sorted;
  for (const Entry& entry : list_) sorted.push_back(&entry);
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Entry* a, const Entry* b) {
    return std::tuple(order[a->place.file], a->place.line, a->place.column) <
           std::tuple(order[b->place.file], b->place.line, b->place.column);
  });
  std::string text;
  for (const Entry* entry : sorted) {
    if (!text.empty()) text += "\n";
    text += entry->place.to_string() + ": " + entry->text;
  }
  if (beyond_ > 0) text += "\nand " + std::to_string(beyond_) + " more problems";
  return text;
}

Result<> Problems::result() const {
  if (empty()) return Done{};
  return Error(ErrorCode::kInvalid, to_string());
}

}  // namespace base::config
