// Command: one meta command with its flags read, and what memcached answers it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend.h"

namespace tenants {

// Thread: any, a value. Invariant: views point into the line it was read from.
struct Command {
  std::string_view verb, key;
  std::vector<std::string_view> flags;  // behind the key and the size of a value
  bool want_value = false, quiet = false, vivify = false, touch = false, invalidate = false;
  std::optional<uint64_t> cas;
  std::optional<int64_t> recache;
  int64_t vivify_exptime = 0, exptime = 0;
  uint32_t client_flags = 0;
  uint64_t delta = 1, initial = 0;
  char mode = 0;
  std::string_view error;

  // `words`: those of the line, two at least.
  explicit Command(const std::vector<std::string_view>& words);

  // The reply (empty: quiet mode hides it), and what it does to `items`. `next_cas` counts on when an
  // item changes.
  std::string obey(Items& items, std::string_view value, uint64_t& next_cas) const;

 private:
  void read_flag(std::string_view flag);
  bool is_hidden(std::string_view reply) const;
  std::string get(Items& items, uint64_t& next_cas) const;
  std::string set(Items& items, std::string_view value, uint64_t& next_cas) const;
  std::string remove(Items& items, uint64_t& next_cas) const;
  std::string count(Items& items, uint64_t& next_cas) const;
  std::string debug(Items& items) const;
  // "HD" and the flags that a client asked to see; `item` null: those that need none.
  std::string reply(std::string_view code, const Item* item, std::string_view extra = {}) const;
};

}  // namespace tenants
