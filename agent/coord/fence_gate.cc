#include "agent/coord/fence_gate.h"

#include <algorithm>

#include "base/core/text.h"

namespace agent::coord {
namespace {
constexpr std::string_view kPrefix = "/fences/";
}

std::string cluster_lock(std::string_view cluster) {
  return "cluster/" + std::string(cluster);
}

FenceGate::FenceGate(boost::asio::any_io_executor executor, store::Store& store)
    : store_(store), turn_(std::move(executor)) {}

boost::asio::awaitable<base::Result<>> FenceGate::load() {
  auto entries = co_await store_.list(std::string(kPrefix));
  if (!entries.ok()) co_return entries.error();
  for (const store::Entry& entry : *entries) {
    const auto fence = base::parse_u64(entry.value);
    if (!fence) {
      co_return base::Error(base::ErrorCode::kInvalid,
                            "the store's " + entry.key + " holds \"" +
                                base::printable(entry.value) +
                                "\", expected a number; restore agent.db from a copy");
    }
    highest_[entry.key.substr(kPrefix.size())] = *fence;
  }
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> FenceGate::admit(std::string lock, uint64_t fence) {
  if (fence == 0) co_return base::Done{};
  const Turn::Held held = co_await turn_.take();
  const uint64_t known = highest(lock);
  if (fence < known) {
    co_return base::Error(base::ErrorCode::kRefused, "fence " + std::to_string(fence) +
                                                         " of lock " + lock + " is older than " +
                                                         std::to_string(known) +
                                                         ": the lock has passed to another run");
  }
  if (fence == known) co_return base::Done{};
  store::Transaction transaction;
  transaction.put(std::string(kPrefix) + lock, std::to_string(fence));
  auto saved = co_await store_.commit(std::move(transaction));
  if (!saved.ok()) co_return saved.error();
  highest_[lock] = std::max(highest_[lock], fence);
  co_return base::Done{};
}

uint64_t FenceGate::highest(std::string_view lock) const {
  const auto at = highest_.find(lock);
  return at == highest_.end() ? 0 : at->second;
}

void FenceGate::raise_floor(std::string_view lock, uint64_t fence) {
  uint64_t& known = highest_[std::string(lock)];
  known = std::max(known, fence);
}

}  // namespace agent::coord
