#include "agent/series/label.h"

#include <atomic>
#include <mutex>
#include <unordered_map>

namespace agent::series {

struct Label::Entry {
  explicit Entry(std::string_view words) : text(words) {}
  const std::string text;
  std::atomic<uint32_t> users{1};
};

struct Label::Table {
  std::mutex mutex;
  std::unordered_map<std::string_view, Entry*> entries;  // by their own texts

  // Outlives every label, whatever the order in which static ones go.
  static Table& all() {
    static auto* const kAll = new Table;
    return *kAll;
  }
};

const std::string& Label::empty_text() {
  static const auto* const kEmpty = new std::string;
  return *kEmpty;
}

const std::string& Label::text_of(const Entry* entry) {
  return entry->text;
}

Label::Entry* Label::take(std::string_view text) {
  Table& table = Table::all();
  const std::lock_guard lock(table.mutex);
  if (const auto known = table.entries.find(text); known != table.entries.end()) {
    known->second->users.fetch_add(1, std::memory_order_relaxed);
    return known->second;
  }
  auto* const entry = new Entry(text);
  table.entries.emplace(entry->text, entry);
  return entry;
}

void Label::share() const noexcept {
  if (entry_ != nullptr) entry_->users.fetch_add(1, std::memory_order_relaxed);
}

// The last one goes under the lock, so that nobody finds an entry that is going.
void Label::give_back(Entry* entry) {
  uint32_t users = entry->users.load(std::memory_order_relaxed);
  while (users > 1) {
    if (entry->users.compare_exchange_weak(users, users - 1, std::memory_order_acq_rel)) return;
  }
  Table& table = Table::all();
  const std::lock_guard lock(table.mutex);
  if (entry->users.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  table.entries.erase(entry->text);
  delete entry;
}

}  // namespace agent::series
