#include "agent/runbook/pause.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace agent::runbook {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using base::WallTime;
using boost::asio::awaitable;

namespace {

constexpr std::string_view kPauses = "/pauses/";

std::string pause_key(std::string_view id) {
  return std::string(kPauses) + std::string(id);
}

// 2026-11-28T21:45:00.017Z → pause-20261128-214500-017
std::string id_at(WallTime at) {
  std::string id = "pause-";
  for (const char c : at.to_rfc3339()) {
    if (c >= '0' && c <= '9') id += c;
    if (c == 'T' || c == '.') id += '-';
  }
  return id;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

// As it was meant, should a clock have been wrong when it was written, or be now.
Pause within_reason(Pause pause, WallTime now) {
  const base::Duration length =
      std::clamp(pause.until - pause.from, base::Duration(0), base::Duration(Pause::kLongest));
  const bool own = pause.owner == Pause::kOwnOwner;
  if (pause.from > now && (own || pause.from > now + Pause::kFurthestAhead)) pause.from = now;
  pause.until = std::min(pause.until, std::max(pause.from, now) + length);
  return pause;
}

Error wrong(const std::string& what) {
  return Error(ErrorCode::kInvalid, what, base::Origin::kClient);
}

std::string days(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::hours>(d).count() / 24) + " days";
}

}  // namespace

bool Pause::covers(std::string_view runbook_name, std::string_view cluster_name) const {
  const bool here = cluster.empty() || cluster_name.empty() || cluster == cluster_name;
  return here && (runbook.empty() || runbook == runbook_name);
}

json::object to_document(const Pause& pause) {
  json::object out;
  out["id"] = pause.id;
  out["cluster"] = pause.cluster;
  out["runbook"] = pause.runbook;
  out["owner"] = pause.owner;
  out["reason"] = pause.reason;
  out["from"] = pause.from.to_rfc3339();
  out["until"] = pause.until.to_rfc3339();
  return out;
}

Result<Pause> pause_from_document(std::string_view text) {
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed);
  const json::object* object = failed ? nullptr : value.if_object();
  bool whole = object != nullptr;
  const auto field = [&](std::string_view key) {
    const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
    whole = whole && found != nullptr && found->is_string();
    return whole ? std::string(found->get_string()) : std::string();
  };
  const auto time = [&](std::string_view key) {
    const std::optional<WallTime> at = WallTime::from_rfc3339(field(key));
    whole = whole && at.has_value();
    return at.value_or(WallTime{});
  };
  Pause pause;
  pause.id = field("id");
  pause.cluster = field("cluster");
  pause.runbook = field("runbook");
  pause.owner = field("owner");
  pause.reason = field("reason");
  pause.from = time("from");
  pause.until = time("until");
  if (!whole) return Error(ErrorCode::kInvalid, "is not the record of a pause");
  return pause;
}

std::string words_of(const Pause& pause) {
  return "paused until " + pause.until.to_rfc3339() + " by " + pause.owner + " (" + pause.reason +
         ")";
}

// --- Pauses ---------------------------------------------------------------------------------------

awaitable<Result<>> Pauses::load() {
  if (loaded_) co_return Result<>();
  const Result<std::vector<store::Entry>> stored = co_await store_.list(std::string(kPauses));
  if (!stored.ok()) co_return stored.error();
  loaded_ = true;
  std::optional<Error> damaged;
  store::Transaction over;
  for (const store::Entry& entry : *stored) {
    Result<Pause> read = pause_from_document(entry.value);
    if (!read.ok()) {
      damaged = Error(ErrorCode::kInvalid, entry.key + " " + read.error().context);
      // Somebody wanted something paused; what, only a person can say.
      Pause unknown;
      unknown.id = entry.key.substr(kPauses.size());
      unknown.owner = "somebody";
      unknown.reason = "its record is damaged; lift it when it is no longer wanted";
      unknown.from = clock_.wall();
      unknown.until = clock_.wall() + Pause::kLongest;
      remember(std::move(unknown));
    } else if (read->until <= clock_.wall()) {
      over.erase(entry.key);
    } else if (!known_.contains(read->id)) {
      remember(within_reason(std::move(*read), clock_.wall()));
    }
  }
  // A failure leaves them to the next start.
  if (!over.writes.empty()) (void)co_await store_.commit(std::move(over));
  if (damaged.has_value()) co_return *damaged;
  co_return Result<>();
}

Result<Pause> Pauses::made_of(const PauseWish& wish) const {
  const WallTime now = clock_.wall();
  Pause pause;
  pause.from = wish.from.value_or(now);
  pause.until = pause.from + wish.length;
  if (wish.reason.empty()) return wrong("reason: expected a sentence for whoever finds the pause");
  if (wish.reason.size() > Pause::kLongestReason) {
    return wrong("reason: expected at most " + std::to_string(Pause::kLongestReason) + " bytes");
  }
  if (wish.length < Pause::kShortest || wish.length > Pause::kLongest) {
    return wrong("for: expected between 1s and 7 days; a pause that stays is policy's mode");
  }
  if (pause.until <= now) return wrong("from: expected a time at which the pause is not over yet");
  if (pause.from > now + Pause::kFurthestAhead) {
    return wrong("from: expected at most " + days(Pause::kFurthestAhead) + " ahead");
  }
  pause.cluster = wish.cluster;
  pause.runbook = wish.runbook;
  pause.owner = one_line(wish.owner.substr(0, Pause::kLongestOwner));
  pause.reason = one_line(wish.reason);
  pause.id = new_id(wish);
  // The agent's own is not made shorter by a new reason.
  if (const auto own = known_.find(pause.id); own != known_.end()) {
    pause.until = std::max(pause.until, now + (own->second.until - clock_.now()));
  }
  return pause;
}

std::string Pauses::new_id(const PauseWish& wish) const {
  if (wish.owner == Pause::kOwnOwner) return std::string(Pause::kOwnId);
  const std::string stem = id_at(clock_.wall());
  std::string id = stem;
  for (int n = 2; known_.contains(id); ++n) id = stem + "-" + std::to_string(n);
  return id;
}

void Pauses::remember(Pause pause) {
  const auto in_time = [this](WallTime at) { return clock_.now() + (at - clock_.wall()); };
  const Known known{pause, in_time(pause.from), in_time(pause.until)};
  known_[pause.id] = known;
  ++changes_;
}

void Pauses::forget_over(store::Transaction& transaction) {
  // Each has been counted as begun and as over; change_count() counts what is there.
  changes_ += 2 * std::erase_if(known_, [&](const auto& one) {
                if (!is_over(one.second)) return false;
                transaction.erase(pause_key(one.first));
                return true;
              });
}

awaitable<Result<Pause>> Pauses::add(PauseWish wish) {
  store::Transaction transaction;
  forget_over(transaction);
  if (known_.size() >= kMost && wish.owner != Pause::kOwnOwner) {
    co_return Error(ErrorCode::kExhausted, "there are " + std::to_string(kMost) +
                                               " pauses already; lift some, or pause more at once");
  }
  Result<Pause> made = made_of(wish);
  if (!made.ok()) co_return made.error();
  const Pause pause = std::move(*made);
  remember(pause);
  transaction.put(pause_key(pause.id), json::serialize(to_document(pause)));
  const Result<store::Revision> written = co_await store_.commit(std::move(transaction));
  if (written.ok()) co_return pause;
  co_return Error(written.code(),
                  pause.id +
                      " is in force, but only while this agent lives, since it could "
                      "not be stored: " +
                      written.error().context);
}

awaitable<Result<>> Pauses::lift(std::string id) {
  store::Transaction transaction;
  forget_over(transaction);
  if (!known_.contains(id)) {
    co_return Error(ErrorCode::kNotFound, "no pause " + id + "; see mcguard pause list");
  }
  transaction.erase(pause_key(id));
  const Result<store::Revision> written = co_await store_.commit(std::move(transaction));
  if (!written.ok()) {
    co_return Error(written.code(),
                    id + " stays in force, since that it is lifted could not be stored: " +
                        written.error().context);
  }
  changes_ += 2 * known_.erase(id);
  co_return Result<>();
}

bool Pauses::is_in_force(const Pause& pause) const {
  const auto at = known_.find(pause.id);
  return at != known_.end() && clock_.now() >= at->second.from && !is_over(at->second);
}

base::Duration Pauses::left(const Pause& pause) const {
  const auto at = known_.find(pause.id);
  if (at == known_.end()) return base::Duration(0);
  return std::max(at->second.until - clock_.now(), base::Duration(0));
}

std::optional<Pause> Pauses::holding(const Runbook& book, std::string_view cluster) const {
  if (book.cls == Class::kObserve) return std::nullopt;
  const Known* longest = nullptr;
  for (const auto& [id, known] : known_) {
    if (!known.pause.covers(book.name, cluster) || !is_in_force(known.pause)) continue;
    if (longest == nullptr || known.until > longest->until) longest = &known;
  }
  if (longest == nullptr) return std::nullopt;
  return longest->pause;
}

std::vector<Pause> Pauses::list() const {
  std::vector<Pause> shown;
  for (const auto& [id, known] : known_) {
    if (!is_over(known)) shown.push_back(known.pause);
  }
  std::sort(shown.begin(), shown.end(),
            [](const Pause& a, const Pause& b) { return a.from < b.from; });
  return shown;
}

json::array Pauses::to_json() const {
  json::array shown;
  for (const Pause& pause : list()) {
    json::object one = to_document(pause);
    one["in_force"] = is_in_force(pause);
    shown.push_back(std::move(one));
  }
  return shown;
}

uint64_t Pauses::change_count() const {
  uint64_t begun_or_over = 0;
  for (const auto& [id, known] : known_) {
    begun_or_over += (clock_.now() >= known.from ? 1 : 0) + (is_over(known) ? 1 : 0);
  }
  return changes_ + begun_or_over;
}

}  // namespace agent::runbook
