#include "agent/app/responder.h"

#include <algorithm>

#include "base/telemetry/log.h"

namespace agent::app {
namespace {

using namespace std::chrono_literals;
using runbook::Hold;

// Without a time of its own the answer stands until something changes; a second is soon enough.
constexpr base::Duration kAskEvery = 1s;
// A reason that is gone after a moment (figures not in yet, a proxy still starting) calls nobody.
constexpr base::Duration kLasting = 2s;
constexpr size_t kReasons = 20;
// For figures after the start. A proxy whose figures have not come by then may not get any.
constexpr base::Duration kFiguresPatience = 3s;
constexpr base::Duration kShortestPause = 500ms;
constexpr base::Duration kLongestPause = 60s;

// The same reason with other numbers is the same reason.
std::string without_numbers(const std::string& text) {
  std::string gist;
  for (const char c : text) {
    const bool number = (c >= '0' && c <= '9') || c == '.';
    if (!number) gist += c;
  }
  return gist;
}

// Whether a person is needed, or time alone will do.
bool needs_person(Hold hold) {
  switch (hold) {
    case Hold::kGuard:
    case Hold::kCooldownExhausted:
    case Hold::kMode:
    case Hold::kPaused:
    case Hold::kHandedOver:
      return true;
    case Hold::kNone:
    case Hold::kLockHeld:
    case Hold::kCooldown:
    case Hold::kHoldDown:
      return false;
  }
  return false;
}

}  // namespace

// Marks that an answer is waited for, however the wait ends.
class Responder::Question {
 public:
  Question(Responder& owner, std::string id) : owner_(owner), id_(std::move(id)) {
    owner_.asked_[id_].asking = true;
  }
  ~Question() {
    const auto at = owner_.asked_.find(id_);
    if (at != owner_.asked_.end()) at->second.asking = false;
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

 private:
  Responder& owner_;
  const std::string id_;
};

void Responder::start(runbook::Engine& engine) {
  engine_ = &engine;
  figures_due_ = parts_.timers.clock().now() + kFiguresPatience;
}

void Responder::look() {
  if (engine_ == nullptr || stopped_) return;
  if (runs_wanted_ && !taking_up_runs_ && may_take_up_runs()) {
    taking_up_runs_ = true;
    base::spawn(parts_.executor, parts_.gate, "runs", take_up_runs());
  }
  if (!history_known_) return;
  const base::Instant now = parts_.timers.clock().now();
  std::set<std::string> unresolved;
  std::vector<std::string> due;
  for (const incident::Incident* incident : parts_.book.unresolved()) {
    unresolved.insert(incident->id);
    if (incident->state != incident::State::kOpen &&
        incident->state != incident::State::kMitigating) {
      continue;
    }
    if (!parts_.book.is_present(incident->id)) continue;
    const Asked& asked = asked_[incident->id];
    if (!asked.asking && now >= asked.not_before) due.push_back(incident->id);
  }
  std::erase_if(asked_, [&](const auto& entry) {
    return !entry.second.asking && !unresolved.contains(entry.first);
  });
  // An answer may come at once and change the book: only now that nobody walks over it.
  for (const std::string& id : due) {
    asked_[id].not_before = now + kAskEvery;
    base::spawn(parts_.executor, parts_.gate, "respond", ask(id));
  }
}

boost::asio::awaitable<void> Responder::ask(std::string id) {
  if (asked_[id].asking) co_return;
  const Question question(*this, id);
  co_await parts_.store_incidents();
  const incident::Incident* found = parts_.book.find(id);
  if (found == nullptr || stopped_ || !parts_.book.is_present(id)) co_return;
  incident::Incident copy = *found;
  const runbook::ResponseReport report = co_await engine_->respond(std::move(copy));
  hear(id, report);
}

void Responder::hear(const std::string& id, const runbook::ResponseReport& report) {
  Asked& asked = asked_[id];
  const base::Clock& clock = parts_.timers.clock();
  base::Duration wait = kAskEvery;
  if (report.retry_at.ns != 0) {
    wait = std::clamp(report.retry_at - clock.wall(), base::Duration(0), wait);
  }
  asked.not_before = clock.now() + wait;
  const bool refused = report.run.empty() && report.hold != Hold::kNone;
  if (!refused || !needs_person(report.hold)) {
    asked.refused_since = base::Instant();
  } else if (asked.refused_since.ns == 0) {
    asked.refused_since = clock.now();
  }
  const bool lasting = asked.refused_since.ns != 0 && clock.now() - asked.refused_since >= kLasting;
  // A stopping engine refuses everything; that is no news about the incident.
  if (lasting && !stopped_ && !is_told_elsewhere(id, report.hold)) tell(id, asked, report);
}

void Responder::tell(const std::string& id, Asked& asked, const runbook::ResponseReport& report) {
  if (asked.told.size() >= kReasons) return;
  if (!asked.told.insert(without_numbers(report.text)).second) return;
  base::log::warn("page", {{"incident", id}, {"text", report.text}});
  const incident::Moment at{parts_.timers.clock().now(), parts_.timers.clock().wall()};
  const std::string text = "A person is needed; mcguard does not act by itself: " + report.text;
  if (auto noted = parts_.book.note(id, "note", text, at); noted) parts_.changed(*noted);
}

// A run that only gathered evidence has called a person itself; shadow runs call nobody.
bool Responder::is_told_elsewhere(const std::string& id, Hold hold) const {
  if (hold != Hold::kHandedOver) return false;
  const std::vector<runbook::Run> runs = engine_->runs(id, 1);
  if (runs.empty()) return false;
  const runbook::Outcome outcome = runs.front().outcome;
  return outcome == runbook::Outcome::kCompleted || outcome == runbook::Outcome::kShadowed;
}

void Responder::run_ended() {
  for (auto& [id, asked] : asked_) asked.not_before = base::Instant();
}

void Responder::run_suspended() {
  runs_wanted_ = true;
  runs_pause_ = kShortestPause;
  runs_at_ = parts_.timers.clock().now() + runs_pause_;
}

bool Responder::may_take_up_runs() const {
  const base::Instant now = parts_.timers.clock().now();
  if (now < runs_at_) return false;
  return !parts_.is_measured || parts_.is_measured() || now >= figures_due_;
}

boost::asio::awaitable<void> Responder::take_up_runs() {
  runs_wanted_ = false;  // a run that is suspended meanwhile asks again
  const base::Result<> taken = co_await engine_->resume();
  taking_up_runs_ = false;
  if (taken) {
    history_known_ = true;
    runs_trouble_.clear();
    if (!runs_wanted_) runs_pause_ = base::Duration(0);
    co_return;
  }
  // One that is damaged, or whose locks are gone, does not keep the others from being known.
  history_known_ = history_known_ || taken.code() == base::ErrorCode::kInvalid ||
                   taken.code() == base::ErrorCode::kConflict;
  runs_wanted_ = true;
  runs_pause_ = std::clamp(base::Duration(runs_pause_ * 2), base::Duration(kShortestPause),
                           base::Duration(kLongestPause));
  runs_at_ = parts_.timers.clock().now() + runs_pause_;
  if (taken.error().context == runs_trouble_) co_return;
  runs_trouble_ = taken.error().context;
  base::log::error("runs_not_taken_up", {{"error", runs_trouble_}});
}

}  // namespace agent::app
