#include "proxy/ring/fence.h"

#include "base/core/text.h"
#include "base/memcache/stored_key.h"

namespace proxy::ring {

std::optional<FenceRecord> parse_fence_record(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto epoch = base::parse_u64(text.substr(0, space));
  const auto sequence = base::parse_u64(text.substr(space + 1));
  if (!epoch || !sequence || *epoch > base::memcache::kMaxEpoch) return std::nullopt;
  FenceRecord record;
  record.epoch = static_cast<base::Epoch>(*epoch);
  record.flush_sequence = *sequence;
  return record;
}

std::string_view to_string(Hold hold) {
  switch (hold) {
    case Hold::kNone:
      return "none";
    case Hold::kNeverRead:
      return "never_read";
    case Hold::kMissing:
      return "missing";
    case Hold::kNewer:
      return "newer";
    case Hold::kStale:
      return "stale";
  }
  return "unknown";
}

}  // namespace proxy::ring
