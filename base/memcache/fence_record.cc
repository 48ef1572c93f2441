#include "base/memcache/fence_record.h"

#include "base/core/text.h"
#include "base/memcache/stored_key.h"

namespace base::memcache {

std::string to_text(const FenceRecord& record) {
  return std::to_string(record.epoch) + " " + std::to_string(record.flush_sequence);
}

std::optional<FenceRecord> parse_fence_record(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_u64(text.substr(0, space));
  const auto sequence = parse_u64(text.substr(space + 1));
  if (!epoch || !sequence || *epoch > kMaxEpoch) return std::nullopt;
  return FenceRecord{static_cast<Epoch>(*epoch), *sequence};
}

}  // namespace base::memcache
