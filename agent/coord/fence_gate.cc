#include "agent/coord/fence_gate.h"

#include <algorithm>

#include "base/core/text.h"

namespace agent::coord {
namespace {
constexpr std::string_view kFences = "/fences/";
constexpr std::string_view kOffsets = "/fence-offsets/";
}  // namespace

std::string cluster_lock(std::string_view cluster) {
  return "cluster/" + std::string(cluster);
}

FenceGate::FenceGate(boost::asio::any_io_executor executor, store::Store& store)
    : store_(store), turn_(std::move(executor)) {}

boost::asio::awaitable<base::Result<>> FenceGate::load() {
  const auto fences = co_await read(std::string(kFences));
  if (!fences.ok()) co_return fences.error();
  const auto offsets = co_await read(std::string(kOffsets));
  if (!offsets.ok()) co_return offsets.error();
  for (const auto& [lock, fence] : *fences) {
    known_[lock].highest = fence;
    known_[lock].stored = fence;
  }
  for (const auto& [lock, offset] : *offsets) {
    Known& known = known_[lock];
    known.offset = offset;
    known.highest = std::max(known.highest, offset);
  }
  co_return base::Done{};
}

// lock -> number, of the keys under `prefix`.
boost::asio::awaitable<base::Result<std::map<std::string, uint64_t>>> FenceGate::read(
    std::string prefix) {
  const size_t length = prefix.size();
  auto entries = co_await store_.list(std::move(prefix));
  if (!entries.ok()) co_return entries.error();
  std::map<std::string, uint64_t> numbers;
  for (const store::Entry& entry : *entries) {
    const auto number = base::parse_u64(entry.value);
    if (!number) {
      co_return base::Error(base::ErrorCode::kInvalid,
                            "the store's " + entry.key + " holds \"" +
                                base::printable(entry.value) +
                                "\", expected a number; restore agent.db from a copy");
    }
    numbers[entry.key.substr(length)] = *number;
  }
  co_return numbers;
}

boost::asio::awaitable<base::Result<>> FenceGate::admit(std::string lock, uint64_t fence) {
  if (fence == 0) co_return base::Done{};
  const Turn::Held held = co_await turn_.take();
  Known& known = known_[lock];
  const uint64_t newest = known.highest - known.offset;  // as runs count
  if (fence < newest) {
    co_return base::Error(base::ErrorCode::kRefused, "fence " + std::to_string(fence) +
                                                         " of lock " + lock + " is older than " +
                                                         std::to_string(newest) +
                                                         ": the lock has passed to another run");
  }
  const uint64_t effective = fence + known.offset;
  if (effective == known.stored) co_return base::Done{};
  store::Transaction transaction;
  transaction.put(std::string(kFences) + lock, std::to_string(effective));
  if (known.offset != 0) {
    transaction.put(std::string(kOffsets) + lock, std::to_string(known.offset));
  }
  auto saved = co_await store_.commit(std::move(transaction));
  if (!saved.ok()) co_return saved.error();
  known.stored = effective;
  // A proxy may have raised the offset while this was written.
  known.highest = std::max(known.highest, fence + known.offset);
  co_return base::Done{};
}

uint64_t FenceGate::highest(std::string_view lock) const {
  const auto at = known_.find(lock);
  return at == known_.end() ? 0 : at->second.highest;
}

void FenceGate::raise_floor(std::string_view lock, uint64_t fence) {
  Known& known = known_[std::string(lock)];
  if (fence <= known.highest) return;
  const uint64_t newest = known.highest - known.offset;
  known.offset = fence;
  known.highest = newest + fence;
}

}  // namespace agent::coord
