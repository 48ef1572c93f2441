// The file of the history of authenticated addresses: as it was found, and with its checksum made
// right, so that what lies behind that is reached.
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/filter/history.h"
#include "base/core/check.h"
#include "base/core/hash.h"

namespace {

using agent::filter::AuthenticatedHistory;
using agent::filter::HistoryOptions;

void load(std::string_view bytes, const HistoryOptions& options) {
  const auto history = AuthenticatedHistory::load(bytes, options);
  if (!history.ok()) {
    CHECK(history.code() == base::ErrorCode::kInvalid);
    return;
  }
  const auto again = AuthenticatedHistory::load(history->serialize(), options);
  CHECK(again.ok() && again->serialize() == history->serialize());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t kSeed = 0x6d6367686973746fULL;  // of history_file.cc
  const std::string_view found(reinterpret_cast<const char*>(data), size);
  HistoryOptions options;
  options.addresses_a_day = 1;
  load(found, options);
  if (size < 8) return 0;
  std::string right(found.substr(0, size - 8));
  const uint64_t sum = base::hash64(right, kSeed);
  for (int shift = 0; shift < 64; shift += 8) right.push_back(static_cast<char>(sum >> shift));
  load(right, options);
  return 0;
}
