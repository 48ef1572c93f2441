// Any bytes as an epoch table: refused, or a table whose JSON reads back the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/check.h"
#include "base/core/slots.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = base::parse_table(text);
  if (!table) return 0;
  CHECK(table->owner.size() == base::kSlotCount && table->since.size() == base::kSlotCount);
  const auto again = base::parse_table(base::to_json(*table));
  CHECK(again.ok() && again->owner == table->owner && again->since == table->since);
  return 0;
}
