#include "agent/dns/rfc2136_switch.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <optional>

#include "agent/dns/change.h"
#include "base/core/check.h"
#include "base/core/text.h"

namespace agent::dns {
namespace {

namespace asio = boost::asio;
using namespace boost::asio::experimental::awaitable_operators;
using base::Error;
using base::ErrorCode;

// How soon a server that does not show a change yet is asked again, and at last.
constexpr base::Duration kFirstLook = std::chrono::milliseconds(4);
constexpr base::Duration kLastLook = std::chrono::milliseconds(500);

Error unreadable(const std::string& server, const std::string& what) {
  return Error(ErrorCode::kUnavailable, server + ": " + what, base::Origin::kBackend,
               base::Retry::kSafe);
}

// Whether records can be taken from it; a name that does not exist has none.
base::Result<> usable(const Answer& answer, const std::string& server, const std::string& zone) {
  if (answer.code != AnswerCode::kNoError && answer.code != AnswerCode::kNoSuchName) {
    return unreadable(server, "answered " + std::string(to_string(answer.code)) +
                                  " to a question about zone " + zone);
  }
  if (!answer.authoritative) return unreadable(server, "is not authoritative for zone " + zone);
  return base::Done{};
}

// Those of `name` itself: a CNAME's answer may go on with what it leads to.
void add_target(const Answer& answer, const std::string& name, NameState& state) {
  for (const Record& record : answer.records) {
    if (record.owner != name) continue;
    if (record.type == RecordType::kCname) {
      state.target.alias = record.value;
    } else if (record.type == RecordType::kA || record.type == RecordType::kAaaa) {
      state.target.addresses.push_back(record.value);
    } else {
      continue;
    }
    state.ttl = std::chrono::seconds(record.ttl);
  }
  std::sort(state.target.addresses.begin(), state.target.addresses.end());
}

base::Result<> add_generation(const Answer& answer, const std::string& name, NameState& state) {
  const std::string beside = generation_name(name);
  for (const Record& record : answer.records) {
    if (record.owner != beside) continue;
    const auto generation = parse_generation(record.value);
    if (!generation || state.generation != 0) {
      return Error(ErrorCode::kUnavailable,
                   "TXT " + beside + " is not one record like \"gen=7 run=run-1\": '" +
                       base::printable(record.value, 64) + "'; repair it by hand");
    }
    state.generation = generation->number;
    state.run = generation->run;
  }
  return base::Done{};
}

base::Result<NameState> state_of(const std::vector<Answer>& answers, const std::string& name,
                                 const std::string& server, const std::string& zone) {
  NameState state;
  for (const Answer& answer : answers) {
    if (auto good = usable(answer, server, zone); !good) return good.error();
    if (auto good = add_generation(answer, name, state); !good) return good.error();
    add_target(answer, name, state);
  }
  return state;
}

struct Question {
  std::string name;
  RecordType type;
};
base::Result<std::vector<std::string>> encode_all(const std::vector<Question>& questions) {
  std::vector<std::string> messages;
  for (const Question& question : questions) {
    auto message = encode_question(question.name, question.type);
    if (!message) return message.error();
    messages.push_back(std::move(*message));
  }
  return messages;
}

// Whatever is asked for, a CNAME is the answer where there is one.
std::vector<RecordType> all_types() {
  return {RecordType::kA, RecordType::kAaaa};
}

// Enough to see `target`: with its generation nothing else stands there.
std::vector<RecordType> types_of(const Target& target) {
  if (!target.alias.empty()) return {RecordType::kCname};
  const auto& all = target.addresses;
  const auto four = std::count_if(all.begin(), all.end(), is_ipv4);
  std::vector<RecordType> types;
  if (four > 0) types.push_back(RecordType::kA);
  if (static_cast<size_t>(four) < all.size()) types.push_back(RecordType::kAaaa);
  return types;
}

std::string generation_of(const NameState& state) {
  if (state.generation == 0) return "no generation";
  return "generation " + std::to_string(state.generation) + " of " + state.run;
}

// The generation came without its records: a server ignores in silence what it may not add.
bool half_done(const NameState& state, const Change& change) {
  return state.generation == change.fence && state.run == change.run &&
         state.target != change.target;
}

Error half_done_error(const std::string& server, const NameState& state, const Change& change) {
  return Error(ErrorCode::kUnknown,
               server + " made the change of " + change.name + " in part: it is at " +
                   to_string(state) + ", but " + to_string(change.target) +
                   " was wanted; does a record of another type stand there? "
                   "Repair it by hand",
               base::Origin::kBackend);
}

}  // namespace

struct Rfc2136Switch::Sight {
  bool shown = false;
  std::optional<NameState> half;  // what it shows is half_done()
  std::string why = "was not asked in time";
};

Rfc2136Switch::Rfc2136Switch(asio::any_io_executor executor, base::Timers& timers,
                             Rfc2136Options options)
    : timers_(timers),
      options_(std::move(options)),
      courier_(std::move(executor), timers, options_.key) {
  CHECK(!options_.servers.empty());
}

asio::awaitable<base::Result<NameState>> Rfc2136Switch::glance(ServerPlace server, std::string name,
                                                               std::vector<RecordType> types,
                                                               base::Instant deadline) {
  std::vector<Question> questions = {{generation_name(name), RecordType::kTxt}};
  for (const RecordType type : types) questions.push_back({name, type});
  auto messages = encode_all(questions);
  if (!messages) co_return messages.error();
  const auto answers = co_await courier_.ask(server, std::move(*messages), deadline);
  if (!answers) co_return answers.error();
  co_return state_of(*answers, name, to_string(server), options_.zone);
}

asio::awaitable<base::Result<uint64_t>> Rfc2136Switch::read_generation(ServerPlace server,
                                                                       std::string name,
                                                                       base::Instant deadline,
                                                                       std::string& run) {
  const std::vector<Question> question = {{generation_name(name), RecordType::kTxt}};
  auto messages = encode_all(question);
  if (!messages) co_return messages.error();
  const auto answers = co_await courier_.ask(server, std::move(*messages), deadline);
  if (!answers) co_return answers.error();
  const auto state = state_of(*answers, name, to_string(server), options_.zone);
  if (!state) co_return state.error();
  run = state->run;
  co_return state->generation;
}

// Generations only grow: what lay between two equal ones belongs to them.
asio::awaitable<base::Result<NameState>> Rfc2136Switch::read_one(ServerPlace server,
                                                                 std::string name,
                                                                 base::Instant deadline) {
  std::string run;
  base::Result<uint64_t> before = co_await read_generation(server, name, deadline, run);
  while (before.ok()) {
    const base::Result<NameState> state = co_await glance(server, name, all_types(), deadline);
    if (!state) co_return state.error();
    const base::Result<uint64_t> after = co_await read_generation(server, name, deadline, run);
    if (!after) co_return after.error();
    const bool together = *before == *after && state->generation == *after;
    if (together && state->run == run) co_return *state;
    before = after;
  }
  co_return before.error();
}

asio::awaitable<void> Rfc2136Switch::read_from(size_t index, std::string name,
                                               base::Instant deadline,
                                               std::vector<ServerView>& views) {
  if (index + 1 < views.size()) {
    asio::awaitable<void> rest = read_from(index + 1, name, deadline, views);
    asio::awaitable<base::Result<NameState>> own =
        read_one(options_.servers[index], name, deadline);
    auto both = std::move(own) && std::move(rest);
    views[index].state = co_await std::move(both);
  } else {
    views[index].state = co_await read_one(options_.servers[index], name, deadline);
  }
}

asio::awaitable<base::Result<std::vector<ServerView>>> Rfc2136Switch::read(std::string name,
                                                                           base::Instant deadline) {
  const auto normal = name_in_zone(name, options_.zone);
  if (!normal) co_return normal.error();
  std::vector<ServerView> views;
  for (const ServerPlace& server : options_.servers) {
    views.push_back({to_string(server), Error(ErrorCode::kUnavailable, "not asked")});
  }
  co_await read_from(0, *normal, deadline, views);
  co_return views;
}

// A prerequisite did not hold. If that is because this very change was made before, which is so when
// the answer to its first copy was lost, then it is done; so once it was sent only a look at the name
// tells that it was not.
asio::awaitable<base::Result<>> Rfc2136Switch::resolve_conflict(Change change,
                                                                std::optional<AnswerCode> said,
                                                                base::Instant deadline) {
  const ServerPlace& primary = options_.servers.front();
  const base::Result<NameState> now = co_await read_one(primary, change.name, deadline);
  if (!now && !said) {
    co_return Error(ErrorCode::kConflict,
                    change.name + ": another one changed it; what stands there is not known: " +
                        now.error().context);
  }
  if (!now) {
    co_return Error(
        ErrorCode::kUnknown,
        to_string(primary) + " answered " + std::string(to_string(*said)) + " to the change of " +
            change.name +
            ", perhaps to a copy of one that it made; whether it happened is unknown: " +
            now.error().context,
        base::Origin::kBackend, base::Retry::kIfUnsent);
  }
  if (already_done(*now, change)) co_return base::Done{};
  if (half_done(*now, change)) co_return half_done_error(to_string(primary), *now, change);
  if (auto same = compare(*now, change); !same) co_return same.error();
  if (!said) {
    co_return Error(ErrorCode::kConflict, change.name + " has just come to " + to_string(*now));
  }
  co_return Error(ErrorCode::kConflict,
                  change.name + " is at " + to_string(*now) + ", yet the server answers " +
                      std::string(to_string(*said)) +
                      ": it has records of another type, or comes from a wildcard");
}

asio::awaitable<base::Result<>> Rfc2136Switch::update(Change change, NameState standing,
                                                      base::Instant deadline) {
  const ServerPlace& primary = options_.servers.front();
  auto message = encode_update(options_.zone, change.name, standing, wanted_state(change));
  if (!message) co_return message.error();
  const base::Result<Answer> answer =
      co_await courier_.tell(primary, std::move(*message), deadline);
  if (!answer) co_return answer.error();
  const std::string said =
      to_string(primary) + " answered " + std::string(to_string(answer->code)) + " to the change";
  const std::string with_key = " of " + change.name + " with key " + options_.key.name;
  switch (answer->code) {
    case AnswerCode::kNoError:
      co_return base::Done{};
    case AnswerCode::kNameInUse:
    case AnswerCode::kRecordMissing:
    case AnswerCode::kNoSuchName:
      break;
    case AnswerCode::kRefused:
      co_return Error(ErrorCode::kRefused,
                      said + with_key + ": does its update-policy allow that?");
    case AnswerCode::kNotAuthorized:
      co_return Error(ErrorCode::kRefused, said + with_key + ": is it the primary of zone " +
                                               options_.zone + ", and are the clocks the same?");
    case AnswerCode::kServerFailure:  // it may have passed it on to another one
    case AnswerCode::kOther:
      co_return Error(ErrorCode::kUnknown, said + with_key + "; whether it happened is unknown",
                      base::Origin::kBackend, base::Retry::kIfUnsent);
    default:
      co_return Error(ErrorCode::kUnavailable, said + with_key, base::Origin::kBackend);
  }
  const base::Result<> resolved = co_await resolve_conflict(change, answer->code, deadline);
  co_return resolved;
}

asio::awaitable<void> Rfc2136Switch::watch(ServerPlace server, Change change,
                                           base::Instant deadline, Sight& sight) {
  const NameState wanted = wanted_state(change);
  const std::vector<RecordType> types = types_of(change.target);
  base::Duration pause = kFirstLook;
  while (true) {
    base::Result<NameState> state = co_await glance(server, change.name, types, deadline);
    if (state && half_done(*state, change)) {
      // Unless it saw the generation before the next change and the records after it.
      sight.half = *state;
      state = co_await read_one(server, change.name, deadline);
    }
    sight.shown = state.ok() && *state == wanted;
    if (sight.shown) co_return;
    sight.why = state ? "is at " + generation_of(*state) : state.error().context;
    if (state) sight.half.reset();
    if (state && half_done(*state, change)) {
      sight.half = *state;
      sight.why = "is at " + to_string(*state);
    }
    // Somebody went on from there.
    if (state && state->generation > change.fence) co_return;
    const base::Instant next = timers_.clock().now() + pause;
    if (next >= deadline) co_return;
    co_await timers_.wait_until(next);
    pause = std::min(2 * pause, kLastLook);
  }
}

asio::awaitable<void> Rfc2136Switch::watch_from(size_t index, Change change, base::Instant deadline,
                                                std::vector<Sight>& sights) {
  if (index + 1 < sights.size()) {
    asio::awaitable<void> rest = watch_from(index + 1, change, deadline, sights);
    asio::awaitable<void> own = watch(options_.servers[index], change, deadline, sights[index]);
    auto both = std::move(own) && std::move(rest);
    co_await std::move(both);
  } else {
    co_await watch(options_.servers[index], change, deadline, sights[index]);
  }
}

asio::awaitable<base::Result<Changed>> Rfc2136Switch::change(Change change,
                                                             base::Instant deadline) {
  const base::Result<Change> checked = check_change(std::move(change), options_.zone);
  if (!checked) co_return checked.error();
  const base::Result<NameState> standing =
      co_await glance(options_.servers.front(), checked->name, all_types(), deadline);
  if (!standing) co_return standing.error();
  if (!already_done(*standing, *checked)) {
    base::Result<> updated;
    if (compare(*standing, *checked)) {
      updated = co_await update(*checked, *standing, deadline);
    } else {
      updated = co_await resolve_conflict(*checked, std::nullopt, deadline);
    }
    if (!updated) co_return updated.error();
  }
  std::vector<Sight> sights(options_.servers.size());
  co_await watch_from(0, *checked, deadline, sights);
  const Sight& first = sights.front();
  if (!first.shown && first.half) {
    co_return half_done_error(to_string(options_.servers.front()), *first.half, *checked);
  }
  Changed changed;
  changed.state = wanted_state(*checked);
  for (size_t i = 0; i < sights.size(); ++i) {
    if (sights[i].shown) continue;
    Behind behind;
    behind.server = to_string(options_.servers[i]);
    behind.why = sights[i].why;
    changed.behind.push_back(std::move(behind));
  }
  co_return changed;
}

asio::awaitable<base::Result<>> Rfc2136Switch::check(base::Instant deadline) {
  for (const ServerPlace& server : options_.servers) {
    const std::vector<Question> question = {{options_.zone, RecordType::kSoa}};
    auto messages = encode_all(question);
    if (!messages) co_return messages.error();
    const auto answers = co_await courier_.ask(server, std::move(*messages), deadline);
    if (!answers) co_return answers.error();
    const Answer& answer = answers->front();
    if (auto good = usable(answer, to_string(server), options_.zone); !good) co_return good.error();
    const bool has_zone =
        std::any_of(answer.records.begin(), answer.records.end(), [this](const Record& record) {
          return record.type == RecordType::kSoa && record.owner == options_.zone;
        });
    if (!has_zone) co_return unreadable(to_string(server), "has no zone " + options_.zone);
  }
  co_return base::Done{};
}

}  // namespace agent::dns
