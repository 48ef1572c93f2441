#include "agent/app/watch.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "agent/incident/json.h"
#include "base/telemetry/log.h"

namespace agent::app {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr base::Duration kTick = 100ms;
constexpr base::Duration kStoreEvery = 200ms;
constexpr base::Duration kLearnedEvery = 60s;
constexpr size_t kStoredResolved = 200;
constexpr const char* kIncidents = "/incidents/";
constexpr const char* kLearned = "/learned";

incident::RunEvent::Kind ending(const runbook::Run& run) {
  using Kind = incident::RunEvent::Kind;
  switch (run.outcome) {
    case runbook::Outcome::kCompleted:
      return Kind::kVerified;
    case runbook::Outcome::kHandedOver:
      return Kind::kHandedOver;
    default:
      return Kind::kFailed;
  }
}

// Decided and written down, but nothing was done.
bool is_record_only(const runbook::Run& run) {
  return run.outcome == runbook::Outcome::kSuggested || run.outcome == runbook::Outcome::kShadowed;
}

}  // namespace

Watch::Watch(Parts parts)
    : parts_(std::move(parts)),
      responder_(Responder::Parts{parts_.executor, parts_.book, parts_.timers, parts_.gate,
                                  [this](const incident::Change& change) { apply(change); },
                                  [this] { return store_dirty(); }, parts_.is_measured}),
      storing_(parts_.executor) {}

incident::Moment Watch::moment() const {
  return incident::Moment{parts_.timers.clock().now(), parts_.timers.clock().wall()};
}

// Whose series prove nothing while the run acts upon it. One that only looks disturbs nobody.
incident::Scope Watch::target_of(const runbook::Run& run) const {
  incident::Scope scope;
  scope.cluster = run.cluster;
  if (!run.disruptive) return scope;
  if (parts_.region.proxy(run.target) != nullptr) scope.proxy = run.target;
  if (parts_.region.backend(run.target) != nullptr) scope.backend = run.target;
  return scope;
}

boost::asio::awaitable<base::Result<>> Watch::load() {
  auto stored = co_await parts_.store.list(kIncidents);
  if (!stored) co_return stored.error();
  std::vector<incident::Incident> known;
  for (const store::Entry& entry : *stored) {
    boost::system::error_code failed;
    const json::value document = json::parse(entry.value, failed);
    auto parsed =
        failed
            ? base::Result<incident::Incident>(base::Error(base::ErrorCode::kInvalid, "not JSON"))
            : incident::from_json(document);
    if (parsed) {
      known.push_back(*std::move(parsed));
    } else {
      base::log::warn("incident_unreadable",
                      {{"key", entry.key}, {"error", parsed.error().context}});
    }
  }
  parts_.book.restore(std::move(known), moment());
  parts_.alerts.restore(parts_.book.unresolved(), parts_.timers.clock().now());

  auto learned = co_await parts_.store.get(kLearned);
  if (!learned) co_return learned.error();
  if (learned->has_value()) {
    auto restored = parts_.detector.restore((*learned)->value, parts_.timers.clock().now());
    if (!restored) base::log::warn("learned_unreadable", {{"error", restored.error().context}});
  }
  co_return base::Done{};
}

void Watch::start(runbook::Engine& engine) {
  running_ = true;
  if (parts_.recorder != nullptr) parts_.recorder->start();
  responder_.start(engine);
  base::spawn(parts_.executor, parts_.gate, "watch", beat());
  base::spawn(parts_.executor, parts_.gate, "watch-store", keep_stored());
}

void Watch::stop() {
  running_ = false;
  responder_.stop();
}

void Watch::observe(const std::vector<series::Sample>& samples) {
  bool urgent = false;
  for (const series::Sample& sample : samples) {
    parts_.detector.observe(sample);
    if (parts_.recorder != nullptr) parts_.recorder->observe(sample);
    const std::string& name = sample.key.name;
    urgent = urgent || (sample.value == 1 && (name == "proxy_exited" || name == "backend_exited"));
    if (name == "canary_ok") {
      ++parts_.counters.canary_requests[{sample.key.cluster, sample.value == 1 ? "ok" : "failed"}];
    }
  }
  // The end of a process is proof: there is nothing to wait for.
  if (urgent) tick();
}

boost::asio::awaitable<void> Watch::beat() {
  while (!parts_.gate.closed()) {
    tick();
    co_await parts_.timers.wait_for_beat(kTick);
    // Behind the others of this beat: what the telemetry has read in it is judged now, not 100 ms later.
    co_await boost::asio::post(parts_.executor, boost::asio::use_awaitable);
  }
}

void Watch::tick() {
  if (!running_) return;
  ++parts_.counters.rule_evaluations;
  const base::Instant now = parts_.timers.clock().now();
  if (parts_.recorder != nullptr) parts_.recorder->tick(now);
  std::vector<incident::Verdict> verdicts = parts_.detector.evaluate(now);
  for (incident::Verdict& verdict : parts_.alerts.verdicts(now)) {
    verdicts.push_back(std::move(verdict));
  }
  apply_all(parts_.book.apply(verdicts, moment()));
  responder_.look();
}

void Watch::on_run(const runbook::RunEvent& event) {
  using Kind = runbook::RunEvent::Kind;
  const runbook::Run& run = *event.run;
  switch (event.kind) {
    case Kind::kAwaitingApproval:
      // Nobody acts yet: the incident stays open, and a person is called.
      base::log::warn("page", {{"run", run.id}, {"text", event.text}});
      note(run.incident, run.runbook + " waits for a person: `mcguard runbook approve " + run.id +
                             "` or `abort`.");
      break;
    case Kind::kSuspended:
      base::log::error("run_suspended", {{"run", run.id}, {"why", event.text}});
      note(run.incident, run.id + " stands still and will be taken up again: " + event.text);
      started_.erase(run.id);  // it is started again when it is taken up
      responder_.run_suspended();
      break;
    case Kind::kFinished:
      if (!is_record_only(run)) {
        tell_book(event);
      } else if (run.outcome == runbook::Outcome::kSuggested) {
        note(run.incident, "Suggested, not done: " + run.runbook + " (" + run.id + ").");
      }
      on_finished(run);
      break;
    default:
      tell_book(event);
      break;
  }
  parts_.changed();
}

void Watch::tell_book(const runbook::RunEvent& event) {
  const runbook::Run& run = *event.run;
  const bool ends = event.kind == runbook::RunEvent::Kind::kFinished;
  // An approved run begins by being approved; one that nobody approved has acted upon nothing.
  const bool begins = !ends && started_.insert(run.id).second;
  incident::RunEvent told;
  told.run = run.id;
  told.runbook = run.runbook;
  told.incident = run.incident;
  told.text = event.text;
  if (!ends || started_.contains(run.id)) told.target = target_of(run);
  told.kind = ends     ? ending(run)
              : begins ? incident::RunEvent::Kind::kStarted
                       : incident::RunEvent::Kind::kStep;
  apply_all(parts_.book.run_event(told, moment()));
}

void Watch::on_finished(const runbook::Run& run) {
  started_.erase(run.id);
  const std::string outcome(runbook::to_string(run.outcome));
  ++parts_.counters.runs_finished[{run.runbook, outcome}];
  base::log::info(
      "run_finished",
      {{"run", run.id}, {"runbook", run.runbook}, {"outcome", outcome}, {"message", run.message}});
  responder_.run_ended();
}

void Watch::note(const std::string& incident, const std::string& text) {
  if (incident.empty()) return;  // a person's own run
  if (auto noted = parts_.book.note(incident, "note", text, moment()); noted) apply(*noted);
}

void Watch::apply_all(const std::vector<incident::Change>& changes) {
  for (const incident::Change& change : changes) apply(change);
}

void Watch::apply(const incident::Change& change) {
  const incident::Incident* about = parts_.book.find(change.incident);
  if (about == nullptr) return;
  dirty_.insert(change.incident);
  const std::string state(incident::to_string(about->state));
  switch (change.kind) {
    case incident::Change::Kind::kOpened:
      ++parts_.counters.incidents_opened[std::string(incident::to_string(about->type))];
      [[fallthrough]];
    case incident::Change::Kind::kResolved:
      base::log::warn("incident",
                      {{"incident", about->id}, {"state", state}, {"title", about->title}});
      break;
    default:
      break;
  }
  if (change.notable) parts_.changed();
}

boost::asio::awaitable<void> Watch::keep_stored() {
  base::Instant learned_at = parts_.timers.clock().now() + kLearnedEvery;
  while (!parts_.gate.closed()) {
    co_await parts_.timers.wait_for_beat(kStoreEvery);
    co_await store_dirty();
    if (parts_.timers.clock().now() >= learned_at) {
      co_await store_learned();
      learned_at = parts_.timers.clock().now() + kLearnedEvery;
    }
  }
}

boost::asio::awaitable<void> Watch::store_dirty() {
  // Whoever comes while a write is under way waits for it: what it needs may be in there.
  const coord::Turn::Held held = co_await storing_.take();
  if (dirty_.empty()) co_return;
  store::Transaction transaction;
  const std::set<std::string> taken = std::exchange(dirty_, {});
  for (const std::string& id : taken) {
    const incident::Incident* about = parts_.book.find(id);
    if (about == nullptr) {
      transaction.erase(kIncidents + id);
    } else {
      transaction.put(kIncidents + id, json::serialize(incident::to_json(*about)));
    }
  }
  auto written = co_await parts_.store.commit(std::move(transaction));
  if (!written) dirty_.insert(taken.begin(), taken.end());
  note_stored(written ? base::Result<>() : base::Result<>(written.error()));
}

// Said once when it begins and once when it is over; the writes themselves go on.
void Watch::note_stored(const base::Result<>& written) {
  if (written.ok() == stores_) return;
  stores_ = written.ok();
  if (stores_) {
    base::log::info("incidents_stored_again");
  } else {
    base::log::error("incidents_not_stored", {{"error", written.error().context}});
  }
}

boost::asio::awaitable<void> Watch::store_learned() {
  store::Transaction transaction;
  transaction.put(kLearned, parts_.detector.save());
  // What the book has forgotten, the store forgets too.
  auto stored = co_await parts_.store.list(kIncidents);
  if (stored && stored->size() > kStoredResolved) {
    for (const store::Entry& entry : *stored) {
      const std::string id = entry.key.substr(std::string_view(kIncidents).size());
      if (parts_.book.find(id) == nullptr) transaction.erase(entry.key);
    }
  }
  auto written = co_await parts_.store.commit(std::move(transaction));
  if (!written) base::log::error("learned_not_stored", {{"error", written.error().context}});
}

boost::asio::awaitable<void> Watch::flush() {
  if (parts_.recorder != nullptr) parts_.recorder->flush();
  co_await store_dirty();
  co_await store_learned();
}

}  // namespace agent::app
