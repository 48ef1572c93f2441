#include "agent/app/self_restraint.h"

#include "base/telemetry/log.h"

namespace agent::app {
namespace {

using namespace std::chrono_literals;

constexpr const char* kStarts = "/agent/starts";
constexpr base::Duration kLookEvery = 500ms;
constexpr base::Duration kApart = 1s;

std::string jump_words(base::Duration jumped) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(jumped).count();
  return "the clock jumped " + std::to_string(seconds < 0 ? -seconds : seconds) + " s " +
         (seconds < 0 ? "back" : "ahead");
}

}  // namespace

boost::asio::awaitable<void> SelfRestraint::begin() {
  const auto known = co_await parts_.store.get(kStarts);
  if (!known) {
    base::log::error("starts_unknown", {{"error", known.error().context}});
    co_return;
  }
  const runbook::Policy::ObserveOnly rule = parts_.engine.policy().observe_only;
  const std::string remembered = known->has_value() ? (*known)->value : std::string();
  const auto starts = runbook::with_start(remembered, parts_.timers.clock().wall(), rule.window,
                                          static_cast<size_t>(rule.starts));
  store::Transaction transaction;
  transaction.put(kStarts, runbook::remembered_starts(starts));
  const auto written = co_await parts_.store.commit(std::move(transaction));
  if (!written) base::log::error("start_not_counted", {{"error", written.error().context}});
  if (starts.size() < static_cast<size_t>(rule.starts)) co_return;
  co_await observe_only("this agent has started " + std::to_string(starts.size()) + " times in " +
                        std::to_string(rule.window / 1s) + " s without an orderly end");
}

void SelfRestraint::watch_clock() {
  base::spawn(parts_.executor, parts_.gate, "clock-watch", look_at_clock());
}

boost::asio::awaitable<void> SelfRestraint::look_at_clock() {
  while (!parts_.gate.closed()) {
    const base::Clock& clock = parts_.timers.clock();
    const base::Instant before = clock.now();
    const base::WallTime wall = clock.wall();
    // Between two readings that lie far apart this process stood still, which is no jump.
    const bool at_once = clock.now() - before < kApart;
    const auto jumped = at_once ? clock_.look(before, wall) : std::nullopt;
    if (jumped) co_await observe_only(jump_words(*jumped));
    co_await parts_.timers.wait_for_beat(kLookEvery);
  }
}

boost::asio::awaitable<void> SelfRestraint::observe_only(std::string reason) {
  runbook::PauseWish wish;
  wish.owner = runbook::Pause::kOwnOwner;
  wish.reason = reason + "; it only observes until times can be trusted again";
  wish.length = parts_.engine.policy().observe_only.length;
  const auto paused = co_await parts_.engine.pause(std::move(wish));
  // In force also if the store did not take it; whatever else is wrong, it is not.
  bool in_force = paused.ok();
  for (const runbook::Pause& known : parts_.engine.pauses().list()) {
    in_force = in_force || known.id == runbook::Pause::kOwnId;
  }
  const std::string text = paused ? runbook::words_of(*paused) : paused.error().context;
  base::log::warn("page",
                  {{"text", (in_force ? "mcguard starts nothing by itself: "
                                      : "mcguard goes on, but should not: " + reason + "; ") +
                                text}});
}

boost::asio::awaitable<void> SelfRestraint::end() {
  store::Transaction transaction;
  transaction.erase(kStarts);
  const auto written = co_await parts_.store.commit(std::move(transaction));
  if (!written) base::log::warn("starts_not_forgotten", {{"error", written.error().context}});
}

}  // namespace agent::app
