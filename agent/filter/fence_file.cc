#include "agent/filter/fence_file.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <optional>

#include "base/core/file.h"
#include "base/core/text.h"

namespace agent::filter {
namespace {

constexpr std::string_view kTitle = "mcguard fences 1\n";
constexpr std::string_view kEnd = "end\n";

// A write that may still be under way when nobody waits for it any more.
struct Writing {
  explicit Writing(const boost::asio::any_io_executor& executor) : done(executor) {}
  std::optional<base::Result<>> result;
  coord::Signal done;
};

bool is_lock_name(std::string_view lock) {
  return !lock.empty() && std::none_of(lock.begin(), lock.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
  });
}

}  // namespace

base::Result<std::unique_ptr<FenceFile>> FenceFile::open(boost::asio::any_io_executor executor,
                                                         boost::asio::any_io_executor disk,
                                                         base::Timers& timers, std::string path) {
  std::unique_ptr<FenceFile> file(
      new FenceFile(std::move(executor), std::move(disk), timers, std::move(path)));
  const base::Result<> done = file->read();
  if (!done.ok()) return done.error();
  return file;
}

base::Result<> FenceFile::read() {
  const base::Result<std::string> found = base::read_file(path_, 1u << 20);
  if (!found.ok()) {
    if (found.code() == base::ErrorCode::kNotFound) return base::Done{};
    return found.error();
  }
  const base::Error odd(base::ErrorCode::kInvalid,
                        path_ +
                            " is odd, so no filter is changed: see that no run is under way "
                            "(mcguard run list), then remove the file");
  std::string_view rest = *found;
  if (rest.substr(0, kTitle.size()) != kTitle) return odd;
  rest.remove_prefix(kTitle.size());
  while (rest != kEnd) {
    const size_t newline = rest.find('\n');
    const std::string_view line = rest.substr(0, newline);
    const size_t space = line.find(' ');
    if (newline == std::string_view::npos || space == std::string_view::npos) return odd;
    const auto fence = base::parse_u64(line.substr(space + 1));
    if (!fence || !is_lock_name(line.substr(0, space))) return odd;
    known_[std::string(line.substr(0, space))] = Known{*fence, *fence};
    rest.remove_prefix(newline + 1);
  }
  return base::Done{};
}

std::string FenceFile::text() const {
  std::string text(kTitle);
  for (const auto& [lock, known] : known_)
    text += lock + " " + std::to_string(known.highest) + "\n";
  return text + std::string(kEnd);
}

uint64_t FenceFile::highest(std::string_view lock) const {
  const auto at = known_.find(lock);
  return at == known_.end() ? 0 : at->second.highest;
}

base::Result<> FenceFile::check(std::string_view lock, uint64_t fence) const {
  const uint64_t newest = highest(lock);
  if (fence == 0 || fence >= newest) return base::Done{};
  return base::Error(base::ErrorCode::kRefused, "fence " + std::to_string(fence) + " of lock " +
                                                    std::string(lock) + " is older than " +
                                                    std::to_string(newest) +
                                                    ": the lock has passed to another run");
}

boost::asio::awaitable<base::Result<>> FenceFile::write(base::Instant deadline) {
  const auto writing = std::make_shared<Writing>(executor_);
  boost::asio::post(disk_, [writing, path = path_, content = text(), executor = executor_] {
    base::Result<> result = base::write_file_atomic(path, content, base::Durability::kFsync, 0600);
    boost::asio::post(executor, [writing, kept = std::move(result)] {
      writing->result = kept;
      writing->done.notify();
    });
  });
  while (!writing->result && timers_.clock().now() < deadline) {
    co_await coord::wait_signal(writing->done, timers_, deadline);
  }
  if (writing->result) co_return *writing->result;
  co_return base::Error(base::ErrorCode::kUnavailable,
                        "the disk did not take " + path_ + " in time; no filter was changed");
}

boost::asio::awaitable<base::Result<>> FenceFile::admit(std::string lock, uint64_t fence,
                                                        base::Instant deadline) {
  if (fence == 0) co_return base::Done{};
  if (!is_lock_name(lock)) {
    co_return base::Error(base::ErrorCode::kInvalid,
                          "\"" + base::printable(lock) + "\" is no lock");
  }
  const coord::Turn::Held held = co_await coord::take_by(turn_, timers_, deadline);
  if (!held.holds()) {
    co_return base::Error(base::ErrorCode::kUnavailable,
                          "fences were not kept in time; no filter was changed");
  }
  const base::Result<> checked = check(lock, fence);
  if (!checked.ok()) co_return checked;
  Known& known = known_[lock];
  known.highest = fence;
  if (known.kept == fence) co_return base::Done{};
  const base::Result<> written = co_await write(deadline);
  if (!written.ok()) co_return written;
  known.kept = fence;
  co_return base::Done{};
}

}  // namespace agent::filter
