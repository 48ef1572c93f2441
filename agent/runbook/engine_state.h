// Inside of the engine: its books of live and finished runs, and who drives what.
//
// engine.cc has the public face, start.cc plans and starts, resume.cc takes up after a restart.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "agent/runbook/cooldown.h"
#include "agent/runbook/engine.h"
#include "agent/runbook/execution.h"
#include "agent/runbook/guard.h"
#include "agent/runbook/journal.h"
#include "agent/runbook/pause.h"

namespace agent::runbook {

// Thread: the executor's. Owner: Engine. Invariant: a run is in live_ or in finished_, never in both;
// a run in live_ with `driven` has exactly one coroutine.
class Engine::State {
 public:
  explicit State(EngineParts parts)
      : parts_(std::move(parts)),
        journal_(parts_.store, parts_.timers, parts_.journal_hook),
        pauses_(parts_.store, parts_.timers.clock()) {}

  using Awaitable = boost::asio::awaitable<base::Result<std::string>>;

  // start.cc
  boost::asio::awaitable<base::Result<Plan>> plan(const Runbook& book, boost::json::object params,
                                                  RunRequest request);
  Awaitable start(Plan plan, RunRequest request);
  boost::asio::awaitable<ResponseReport> respond(incident::Incident incident);
  boost::asio::awaitable<base::Result<>> approve(std::string id, std::string who);
  boost::asio::awaitable<base::Result<>> abort(std::string id, std::string who);
  boost::asio::awaitable<base::Result<Pause>> pause(PauseWish wish);

  // resume.cc
  boost::asio::awaitable<base::Result<>> resume();

  // engine.cc
  base::Result<> load(const std::vector<SourceText>& runbooks, const SourceText& policy);
  const Run* find(std::string_view id) const;
  std::vector<Run> runs(std::string_view incident, size_t limit) const;

  // Constant after construction.
  const EngineParts parts_;

  std::shared_ptr<const Library> library_ = std::make_shared<Library>();
  std::shared_ptr<const Policy> policy_ = std::make_shared<Policy>();
  Journal journal_;
  Pauses pauses_;
  std::map<std::string, std::shared_ptr<LiveRun>, std::less<>> live_;
  std::deque<Run> finished_;  // newest first
  bool stopping_ = false;
  base::Gate gate_;

 private:
  // start.cc
  boost::asio::awaitable<base::Result<>> judge(Plan& plan, RunRequest request);
  boost::asio::awaitable<base::Result<CooldownAnswer>> ask_cooldown(const Plan& plan,
                                                                    RunRequest request);
  boost::asio::awaitable<base::Result<std::string>> lock_holder(const Plan& plan);
  base::Result<> refuse(const Plan& plan, const RunRequest& request) const;
  std::shared_ptr<LiveRun> make_run(Plan plan, const RunRequest& request);
  std::string new_id(const std::string& runbook) const;
  void add_locks(const LiveRun& live, store::Transaction& transaction) const;
  Awaitable begin(std::shared_ptr<LiveRun> live);
  boost::asio::awaitable<base::Error> not_begun(std::shared_ptr<LiveRun> live, Written how);
  Awaitable record_only(std::shared_ptr<LiveRun> live, Outcome outcome);
  boost::asio::awaitable<base::Error> explain(Written how, Plan plan);
  std::optional<ResponseReport> wait_before(const incident::Incident& incident,
                                            const Response& response, RunRequest& request) const;

  // engine.cc: what moves runs on.
  void drive(std::shared_ptr<LiveRun> live);
  boost::asio::awaitable<void> drive_to_end(std::shared_ptr<LiveRun> live);
  void wait_for_approval(std::shared_ptr<LiveRun> live);
  boost::asio::awaitable<void> approval_timeout(std::shared_ptr<LiveRun> live);
  boost::asio::awaitable<void> end(std::shared_ptr<LiveRun> live, Outcome outcome, std::string why);
  boost::asio::awaitable<void> retire(std::shared_ptr<LiveRun> live);
  ExecutionParts execution_parts();
  BudgetUse budget(const std::string& cluster, std::string_view except) const;
  GuardContext context(const Plan& plan, double confidence) const;
  void tell(RunEvent::Kind kind, const Run& run, std::string text) const;

  // resume.cc
  boost::asio::awaitable<base::Result<>> take_up(Run run, std::vector<store::Entry> entries);
  base::Result<> restore(LiveRun& live, const std::vector<store::Entry>& entries) const;
  boost::asio::awaitable<base::Result<>> find_locks(LiveRun& live);
};

}  // namespace agent::runbook
