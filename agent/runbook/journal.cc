#include "agent/runbook/journal.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "agent/runbook/digest.h"

namespace agent::runbook {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::Result;
using boost::asio::awaitable;
using namespace std::chrono_literals;

// Together about three seconds: longer than a slow disk, shorter than a person's patience.
constexpr base::Duration kPauses[] = {20ms, 100ms, 400ms, 1s, 1500ms};

std::string numbered(const char* format, uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, format, static_cast<unsigned long long>(number));
  return text;
}

// Over everything but the hash itself.
std::string hash_of(json::object entry) {
  entry.erase("hash");
  return sha256_hex(json::serialize(entry));
}

}  // namespace

std::string run_key(std::string_view run) {
  return "/runs/" + std::string(run);
}
std::string plan_key(std::string_view run) {
  return run_key(run) + "/plan";
}
std::string step_key(std::string_view run, size_t index) {
  return run_key(run) + numbered("/steps/%03llu", index);
}
std::string audit_key(std::string_view run, uint64_t number) {
  return run_key(run) + numbered("/audit/%06llu", number);
}
std::string lock_key(std::string_view name) {
  return "/locks/" + std::string(name);
}

bool Journal::point(const LiveRun& live, const StepRecord* step, const std::string& what,
                    bool durable) {
  if (halted_) return false;
  if (!hook_) return true;
  JournalPoint at;
  at.run = live.run.id;
  if (step != nullptr) at.step = step->id;
  at.what = what;
  at.durable = durable;
  halted_ = !hook_(at);
  return !halted_;
}

bool Journal::pass(const LiveRun& live, const StepRecord* step, const char* what) {
  return point(live, step, what, false);
}

store::Transaction Journal::compose(LiveRun& live, const Move& move) {
  Run& run = live.run;
  json::object entry;
  entry["number"] = run.audit_count + 1;
  entry["at"] = run.updated.to_rfc3339();
  entry["what"] = move.what;
  if (move.step != nullptr) entry["step"] = move.step->id;
  entry["text"] = move.text;
  entry["previous"] = run.audit_head;
  run.audit_head = hash_of(entry);
  entry["hash"] = run.audit_head;
  ++run.audit_count;

  store::Transaction transaction = move.extra;
  transaction.expect(run_key(run.id), live.modified);
  for (const std::string& lock : live.held) transaction.expect(lock_key(lock), run.fence);
  transaction.put(run_key(run.id), json::serialize(to_document(run)));
  if (move.step != nullptr) {
    transaction.put(step_key(run.id, move.index), json::serialize(to_document(*move.step)));
  }
  transaction.put(audit_key(run.id, run.audit_count), json::serialize(entry));
  return transaction;
}

awaitable<bool> Journal::was_written(LiveRun& live) {
  std::string key = run_key(live.run.id);
  const Result<std::optional<store::Entry>> entry = co_await store_.get(std::move(key));
  if (!entry.ok() || !entry->has_value()) co_return false;
  const Result<Run> stored = run_from_document((*entry)->value);
  if (!stored.ok() || stored->audit_head != live.run.audit_head) co_return false;
  live.modified = (*entry)->modified;
  co_return true;
}

awaitable<Written> Journal::write(LiveRun& live, Move move) {
  if (!point(live, move.step, move.what, false)) co_return Written::kHalted;
  live.run.updated = timers_.clock().wall();
  const store::Transaction transaction = compose(live, move);
  bool maybe_written = false;
  for (size_t attempt = 0;; ++attempt) {
    store::Transaction copy = transaction;
    const Result<store::Revision> done = co_await store_.commit(std::move(copy));
    if (halted_) co_return Written::kHalted;
    bool written = done.ok();
    if (written) live.modified = *done;
    if (!written) {
      trouble_ = done.error().to_string();
      maybe_written = maybe_written || done.code() == ErrorCode::kUnknown;
      if (maybe_written) written = co_await was_written(live);
      if (halted_) co_return Written::kHalted;
    }
    if (written) {
      const bool alive = point(live, move.step, move.what, true);
      co_return alive ? Written::kYes : Written::kHalted;
    }
    if (done.code() == ErrorCode::kConflict) co_return Written::kRefused;
    if (attempt == std::size(kPauses)) co_return Written::kNot;
    co_await timers_.wait_for(kPauses[attempt]);
    if (halted_) co_return Written::kHalted;
  }
}

Journal::Audit Journal::check(const std::vector<store::Entry>& entries, const Run& run) {
  Audit audit;
  std::string previous;
  const std::string prefix = run_key(run.id) + "/audit/";
  for (const store::Entry& stored : entries) {
    if (!stored.key.starts_with(prefix)) continue;
    boost::system::error_code failed;
    const json::value value = json::parse(stored.value, failed);
    const json::object* entry = failed ? nullptr : value.if_object();
    const json::value* hash = entry == nullptr ? nullptr : entry->if_contains("hash");
    const json::value* before = entry == nullptr ? nullptr : entry->if_contains("previous");
    if (hash == nullptr || !hash->is_string() || before == nullptr ||
        *before != json::value(previous) ||
        hash_of(*entry) != std::string_view(hash->get_string())) {
      audit.intact = false;
    }
    if (hash != nullptr && hash->is_string()) previous = std::string(hash->get_string());
    audit.entries.push_back(value);
  }
  if (previous != run.audit_head) audit.intact = false;
  return audit;
}

}  // namespace agent::runbook
