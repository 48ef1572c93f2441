#include "agent/app/watch.h"

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

incident::RunEvent::Kind book_kind(const runbook::RunEvent& event) {
  using Kind = incident::RunEvent::Kind;
  if (event.kind != runbook::RunEvent::Kind::kFinished) return Kind::kStep;
  switch (event.run->outcome) {
    case runbook::Outcome::kCompleted:
      return Kind::kVerified;
    case runbook::Outcome::kHandedOver:
      return Kind::kHandedOver;
    default:
      return Kind::kFailed;
  }
}

}  // namespace

incident::Moment Watch::moment() const {
  return incident::Moment{parts_.timers.clock().now(), parts_.timers.clock().wall()};
}

incident::Scope Watch::target_of(const runbook::Run& run) const {
  incident::Scope scope;
  scope.cluster = run.cluster;
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

  auto learned = co_await parts_.store.get(kLearned);
  if (!learned) co_return learned.error();
  if (learned->has_value()) {
    auto restored = parts_.detector.restore((*learned)->value, parts_.timers.clock().now());
    if (!restored) base::log::warn("learned_unreadable", {{"error", restored.error().context}});
  }
  co_return base::Done{};
}

void Watch::start(runbook::Engine& engine) {
  engine_ = &engine;
  base::spawn(parts_.executor, parts_.gate, "watch", beat());
  base::spawn(parts_.executor, parts_.gate, "watch-store", keep_stored());
}

void Watch::observe(const std::vector<series::Sample>& samples) {
  bool urgent = false;
  for (const series::Sample& sample : samples) {
    parts_.detector.observe(sample);
    urgent = urgent || (sample.value == 1 &&
                        (sample.key.name == "proxy_exited" || sample.key.name == "backend_exited"));
  }
  // The end of a process is proof: there is nothing to wait for.
  if (urgent && engine_ != nullptr) tick();
}

boost::asio::awaitable<void> Watch::beat() {
  base::Instant next = parts_.timers.clock().now();
  while (!parts_.gate.closed()) {
    tick();
    next = std::max(next + kTick, parts_.timers.clock().now());
    co_await parts_.timers.wait_until(next);
  }
}

void Watch::tick() {
  ++parts_.counters.rule_evaluations;
  apply_all(parts_.book.apply(parts_.detector.evaluate(parts_.timers.clock().now()), moment()));

  const base::WallTime now = parts_.timers.clock().wall();
  for (const incident::Incident* incident : parts_.book.unresolved()) {
    if (incident->state != incident::State::kOpen &&
        incident->state != incident::State::kMitigating) {
      continue;
    }
    const auto wait = ask_again_.find(incident->id);
    if (wait != ask_again_.end() && now < wait->second) continue;
    if (!responding_.insert(incident->id).second) continue;
    base::spawn(parts_.executor, parts_.gate, "respond", respond(incident->id));
  }
}

boost::asio::awaitable<void> Watch::respond(std::string id) {
  const incident::Incident* found = parts_.book.find(id);
  if (found != nullptr) {
    incident::Incident copy = *found;
    const runbook::ResponseReport report = co_await engine_->respond(std::move(copy));
    // Without a time of its own the answer stands until something changes; a second is soon enough.
    const base::WallTime soon = parts_.timers.clock().wall() + 1s;
    ask_again_[id] = report.retry_at.ns != 0 && report.retry_at < soon ? report.retry_at : soon;
    if (report.run.empty() && !report.text.empty() && last_answer_[id] != report.text) {
      last_answer_[id] = report.text;
      base::log::info("no_run", {{"incident", id}, {"why", report.text}});
      if (auto noted = parts_.book.note(id, "note", report.text, moment()); noted) apply(*noted);
    }
  }
  responding_.erase(id);
}

void Watch::on_run(const runbook::RunEvent& event) {
  const runbook::Run& run = *event.run;
  incident::RunEvent told;
  told.run = run.id;
  told.runbook = run.runbook;
  told.incident = run.incident;
  told.text = event.text;
  told.target = target_of(run);
  // A run that was taken up after a restart has no "started" of this process.
  if (started_runs_.insert(run.id).second) {
    told.kind = incident::RunEvent::Kind::kStarted;
    apply_all(parts_.book.run_event(told, moment()));
  }
  if (event.kind != runbook::RunEvent::Kind::kStarted) {
    told.kind = book_kind(event);
    apply_all(parts_.book.run_event(told, moment()));
  }
  if (event.kind == runbook::RunEvent::Kind::kFinished) {
    started_runs_.erase(run.id);
    const std::string outcome(runbook::to_string(run.outcome));
    ++parts_.counters.runs_finished[{run.runbook, outcome}];
    base::log::info("run_finished", {{"run", run.id},
                                     {"runbook", run.runbook},
                                     {"outcome", outcome},
                                     {"message", run.message}});
  }
  parts_.changed();
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
  if (about->state == incident::State::kResolved) {
    ask_again_.erase(about->id);
    last_answer_.erase(about->id);
  }
  if (change.notable) parts_.changed();
}

boost::asio::awaitable<void> Watch::keep_stored() {
  base::Instant learned_at = parts_.timers.clock().now() + kLearnedEvery;
  while (!parts_.gate.closed()) {
    co_await parts_.timers.wait_for(kStoreEvery);
    co_await store_dirty();
    if (parts_.timers.clock().now() >= learned_at) {
      co_await store_learned();
      learned_at = parts_.timers.clock().now() + kLearnedEvery;
    }
  }
}

boost::asio::awaitable<void> Watch::store_dirty() {
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
  if (written) co_return;
  base::log::error("incidents_not_stored", {{"error", written.error().context}});
  dirty_.insert(taken.begin(), taken.end());
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
  co_await store_dirty();
  co_await store_learned();
}

}  // namespace agent::app
