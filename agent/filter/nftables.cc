#include "agent/filter/nftables.h"

#include <algorithm>

#include "base/core/text.h"

namespace agent::filter {
namespace {

base::Result<> check(const FilterChange& change) {
  for (const FilterChange::Addition& each : change.additions) {
    if (!is_run_name(each.run)) {
      return base::Error(base::ErrorCode::kInvalid,
                         "\"" + base::printable(each.run) + "\" is no name of a run");
    }
    if (each.ttl < kShortestTtl || each.ttl > kLongestTtl) {
      return base::Error(base::ErrorCode::kInvalid, "a filter lasts from 1 s to 1 h");
    }
  }
  return base::Done{};
}

const Filter* find(const Standing& standing, const Subject& subject, Mode mode) {
  const auto at = std::find_if(
      standing.filters.begin(), standing.filters.end(),
      [&](const Filter& each) { return each.subject == subject && each.mode == mode; });
  return at == standing.filters.end() ? nullptr : &*at;
}

// Whether the kernel holds what the change asked for. What it asked for may have ended by itself
// since, which cannot be told from its never having been.
bool is_done(const FilterChange& change, const Standing& standing) {
  const bool all_there = std::all_of(
      change.additions.begin(), change.additions.end(), [&](const FilterChange::Addition& each) {
        const Filter* filter = find(standing, each.subject, each.mode);
        return filter != nullptr && filter->run == each.run &&
               filter->ttl == std::chrono::ceil<std::chrono::seconds>(each.ttl);
      });
  return all_there && std::all_of(change.removals.begin(), change.removals.end(),
                                  [&](const FilterChange::Removal& each) {
                                    return find(standing, each.subject, each.mode) == nullptr;
                                  });
}

base::Error busy() {
  return base::Error(base::ErrorCode::kUnavailable,
                     "filters were being changed all the time; nothing was done");
}

// What became of the table is not known, but the change was not even said.
base::Error not_done(base::Error error) {
  const bool is_unknown =
      error.code == base::ErrorCode::kTimeout || error.code == base::ErrorCode::kUnknown;
  if (is_unknown) error.code = base::ErrorCode::kUnavailable;
  return error;
}

}  // namespace

base::Result<std::unique_ptr<NftablesTable>> NftablesTable::open(
    boost::asio::any_io_executor executor, boost::asio::any_io_executor disk, base::Timers& timers,
    NftablesOptions options) {
  if (options.ports.empty()) {
    return base::Error(base::ErrorCode::kInvalid, "address filters need the ports of memcache");
  }
  if (options.command.empty()) {
    const base::Result<std::string> program = find_nft();
    if (!program.ok()) return program.error();
    options.command = {*program, "-j", "-i"};
  }
  auto fences = FenceFile::open(executor, std::move(disk), timers, options.fence_file);
  if (!fences.ok()) return fences.error();
  return std::unique_ptr<NftablesTable>(
      new NftablesTable(std::move(executor), timers, std::move(options), std::move(*fences)));
}

NftablesTable::NftablesTable(boost::asio::any_io_executor executor, base::Timers& timers,
                             NftablesOptions options, std::unique_ptr<FenceFile> fences)
    : timers_(timers),
      options_(std::move(options)),
      fences_(std::move(fences)),
      turn_(executor),
      nft_(executor, options_.command, timers) {}

boost::asio::awaitable<base::Result<NftAnswer>> NftablesTable::ask(std::string text,
                                                                   base::Instant deadline) {
  const base::Result<std::string> output = co_await nft_.exchange(std::move(text), deadline);
  if (output.ok()) {
    base::Result<NftAnswer> answer = read_answer(*output);
    // Whoever says what it should not is not spoken to again.
    if (!answer.ok()) co_await nft_.end();
    co_return answer;
  }
  if (output.code() != base::ErrorCode::kUnavailable) co_return output.error();
  const std::string& words = output.error().context;
  if (is_hopeless(words)) co_return nft_error(words);
  co_return base::Error(base::ErrorCode::kUnknown, "nft ended: " + base::printable(words));
}

boost::asio::awaitable<base::Result<>> NftablesTable::make_table(base::Instant deadline) {
  const base::Result<NftAnswer> answer = co_await ask(setup_line(options_.ports), deadline);
  if (!answer.ok()) co_return answer.error();
  if (!answer->complaint.empty()) co_return nft_error(answer->complaint);
  is_made_ = true;
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<>> NftablesTable::apply(FilterChange change) {
  const base::Result<> checked = check(change);
  if (!checked.ok()) co_return checked;
  const base::Instant deadline = change.deadline;
  // Before the turn: what needs no fence does not wait for the disk of what does.
  const base::Result<> admitted = co_await fences_->admit(change.lock, change.fence, deadline);
  if (!admitted.ok()) co_return admitted;
  const coord::Turn::Held held = co_await coord::take_by(turn_, timers_, deadline);
  if (!held.holds()) co_return busy();
  // Once more in turn: a newer run may have come meanwhile, and then this is an older one's act.
  const base::Result<> current = fences_->check(change.lock, change.fence);
  if (!current.ok()) co_return current;
  co_return co_await this->change(std::move(change));
}

boost::asio::awaitable<base::Result<>> NftablesTable::change(FilterChange change) {
  if (change.additions.empty() && change.removals.empty()) co_return base::Done{};
  // The second time when somebody has removed the table since it was made.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!is_made_) {
      const base::Result<> made = co_await make_table(change.deadline);
      if (!made.ok()) co_return not_done(made.error());
    }
    std::string text = change_line(change.additions, change.removals);
    const base::Result<NftAnswer> answer = co_await ask(std::move(text), change.deadline);
    if (!answer.ok()) co_return co_await find_out(std::move(change), answer.error());
    if (answer->complaint.empty()) co_return base::Done{};
    if (!is_missing(answer->complaint)) co_return nft_error(answer->complaint);
    is_made_ = false;
  }
  co_return base::Error(base::ErrorCode::kUnavailable,
                        "somebody removes the table inet mcguard again and again; filters need it");
}

// A change without an answer: nft is dead by now, so what stands tells.
boost::asio::awaitable<base::Result<>> NftablesTable::find_out(FilterChange change,
                                                               base::Error failure) {
  const base::ErrorCode code = failure.code;
  if (code != base::ErrorCode::kTimeout && code != base::ErrorCode::kUnknown &&
      code != base::ErrorCode::kInvalid) {
    co_return failure;
  }
  const base::Instant until = timers_.clock().now() + options_.probe_time;
  const base::Result<Standing> standing = co_await list_now(until);
  if (!standing.ok()) {
    co_return base::Error(base::ErrorCode::kUnknown, failure.context +
                                                         "; then it was asked what "
                                                         "stands: " +
                                                         standing.error().context);
  }
  if (is_done(change, *standing)) co_return base::Done{};
  co_return base::Error(base::ErrorCode::kUnavailable, failure.context + "; nothing was changed");
}

boost::asio::awaitable<base::Result<Standing>> NftablesTable::list_now(base::Instant deadline) {
  base::Result<NftAnswer> answer = co_await ask(list_line(), deadline);
  if (!answer.ok()) co_return answer.error();
  if (is_missing(answer->complaint)) co_return Standing{};
  if (!answer->complaint.empty()) co_return nft_error(answer->complaint);
  if (!answer->standing) {
    co_return base::Error(base::ErrorCode::kInvalid, "nft's answer is odd: no listing");
  }
  co_return std::move(*answer->standing);
}

boost::asio::awaitable<base::Result<Standing>> NftablesTable::list(base::Instant deadline) {
  const coord::Turn::Held held = co_await coord::take_by(turn_, timers_, deadline);
  if (!held.holds()) co_return busy();
  co_return co_await list_now(deadline);
}

boost::asio::awaitable<base::Result<>> NftablesTable::remove_all(base::Instant deadline) {
  const coord::Turn::Held held = co_await coord::take_by(turn_, timers_, deadline);
  if (!held.holds()) co_return busy();
  is_made_ = false;
  const base::Result<NftAnswer> answer = co_await ask(remove_line(), deadline);
  if (!answer.ok()) co_return answer.error();
  if (!answer->complaint.empty()) co_return nft_error(answer->complaint);
  co_return base::Done{};
}

}  // namespace agent::filter
