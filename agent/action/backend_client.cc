#include "agent/action/backend_client.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <list>

#include "agent/action/text_peer.h"
#include "agent/coord/turn.h"
#include "base/core/check.h"
#include "base/core/text.h"
#include "base/memcache/fence_record.h"
#include "base/memcache/meta_reply.h"
#include "base/memcache/stored_key.h"

namespace agent::action {
namespace {

using base::memcache::MetaCode;
using base::memcache::MetaReply;
using base::memcache::MetaReplyParser;
using base::memcache::ParseState;
using coord::FenceRecord;

constexpr int kSwapTries = 3;
constexpr base::Duration kAnswersBeat = std::chrono::milliseconds(2);
constexpr base::Duration kLastBeat = std::chrono::milliseconds(64);
constexpr const char* kStatsRequest = "stats\r\n";

// One meta reply, with its value if it has one.
size_t one_reply(std::string_view input) {
  MetaReplyParser parser;
  MetaReply reply;
  const auto parsed = parser.parse(input, reply);
  if (parsed.state == ParseState::kNeedMore) return 0;
  return parsed.state == ParseState::kComplete ? parsed.consumed : std::string_view::npos;
}

MetaReply read_reply(std::string_view answer) {
  MetaReplyParser parser;
  MetaReply reply;
  parser.parse(answer, reply);
  return reply;
}

size_t two_replies(std::string_view input) {
  const size_t first = one_reply(input);
  if (first == 0 || first == std::string_view::npos) return first;
  const size_t second = one_reply(input.substr(first));
  return second == 0 || second == std::string_view::npos ? second : first + second;
}

// Both in one packet: the reconciler wants to know each second whether the record is still there, and a
// question of its own would cost as much as the probe.
std::string probe_request() {
  return "mg !mcguard/probe\r\nmg " + std::string(base::memcache::kFenceKey) + " v\r\n";
}

size_t statistics_end(std::string_view input) {
  const size_t end = input.find("END\r\n");
  return end == std::string_view::npos ? 0 : end + 5;
}

uint64_t statistic(std::string_view text, std::string_view name) {
  const std::string line = "STAT " + std::string(name) + " ";
  const size_t at = text.find(line);
  if (at == std::string_view::npos) return 0;
  const size_t from = at + line.size();
  const size_t end = text.find("\r\n", from);
  return base::parse_u64(text.substr(from, end - from)).value_or(0);
}

// A statistic is asked for by how it begins its line.
coord::BackendStats read_statistics(std::string_view text) {
  coord::BackendStats stats;
  stats.items = statistic(text, "curr_items");
  stats.bytes = statistic(text, "bytes");
  stats.limit_bytes = statistic(text, "limit_maxbytes");
  stats.connections = statistic(text, "curr_connections");
  stats.connection_limit = statistic(text, "max_connections");
  stats.uptime_seconds = statistic(text, "uptime");
  stats.evictions = statistic(text, "evictions");
  return stats;
}

base::Error strange(const std::string& backend, std::string_view answer) {
  return base::Error(base::ErrorCode::kInvalid,
                     backend + " answered \"" + base::printable(answer, 80) + "\"",
                     base::Origin::kBackend);
}

base::Error no_backend(const std::string& backend) {
  return base::Error(base::ErrorCode::kNotFound, "no backend is named " + backend,
                     base::Origin::kClient);
}

}  // namespace

class BackendClient::Connection {
 public:
  Connection(boost::asio::any_io_executor executor, const coord::BackendSpec& spec, uint16_t port,
             base::Timers& timers)
      : name_(spec.id),
        timers_(timers),
        turn_(executor),
        peer_(executor, spec.id, spec.address, port, timers) {}

  boost::asio::awaitable<coord::Turn::Held> take(base::Instant deadline) {
    co_return co_await coord::take_by(turn_, timers_, deadline);
  }

  // For requests that may be sent twice: a kept connection that has died (a restarted backend) is
  // replaced once. The caller holds the turn.
  boost::asio::awaitable<base::Result<std::string>> ask(std::string request, AnswerEnd end,
                                                        base::Instant deadline,
                                                        Look look = Look::kAtOnce) {
    const bool kept = peer_.connected();
    if (kept) {
      std::string copy = request;
      auto answer = co_await peer_.exchange(std::move(copy), end, deadline, look);
      if (answer.ok() || answer.code() != base::ErrorCode::kUnavailable) co_return answer;
    }
    auto connected = co_await peer_.connect(deadline);
    if (!connected.ok()) co_return connected.error();
    co_return co_await peer_.exchange(std::move(request), std::move(end), deadline, look);
  }
  base::Duration took_since(base::Instant began) const { return peer_.took_since(began); }

  // The caller holds the turn and has just asked something with success.
  boost::asio::awaitable<base::Result<std::string>> send(std::string request, AnswerEnd end,
                                                         base::Instant deadline) {
    co_return co_await peer_.exchange(std::move(request), std::move(end), deadline);
  }

  base::Error busy() const {
    return base::Error(base::ErrorCode::kUnavailable,
                       name_ + " still owes an earlier answer; nothing was sent",
                       base::Origin::kBackend, base::Retry::kSafe);
  }

  // Sends when nobody else has the turn and there is a connection; else the result holds nothing.
  coord::Turn::Held send_now(std::string request) {
    coord::Turn::Held held = turn_.try_take();
    if (!held.holds() || !peer_.connected()) return coord::Turn::Held();
    peer_.send_now(std::move(request));
    return held;
  }
  // The caller holds the turn by send_now().
  boost::asio::awaitable<base::Result<std::string>> receive(AnswerEnd end, base::Instant deadline) {
    co_return co_await peer_.finish(std::move(end), deadline);
  }

  // As send_now(), for a question that another call ends; whether it was sent.
  bool ask_now(std::string request, base::Instant now) {
    if (question_) return false;
    coord::Turn::Held held = send_now(std::move(request));
    if (!held.holds()) return false;
    question_.emplace(std::move(held), now);
    return true;
  }
  bool has_answered(const AnswerEnd& end) { return peer_.has_answered(end); }
  // When what ask_now() has sent was sent; nullopt: there is no such question.
  std::optional<base::Instant> asked() const {
    return question_ ? std::optional(question_->asked) : std::nullopt;
  }
  // Ends what ask_now() began.
  boost::asio::awaitable<base::Result<std::string>> finish(AnswerEnd end, base::Instant deadline) {
    const Question question = std::move(*question_);
    question_.reset();
    co_return co_await peer_.finish(std::move(end), deadline);
  }

  void close() { peer_.close(); }

  void note_probe(coord::ReadFence read) { probed_ = read; }
  const std::optional<coord::ReadFence>& probed() const { return probed_; }

  // The record with its cas unique; the caller holds the turn.
  struct Present {
    std::optional<FenceRecord> record;
    bool exists = false;
    uint64_t cas = 0;
  };
  boost::asio::awaitable<base::Result<Present>> read_record(base::Instant deadline) {
    std::string request = "mg " + std::string(base::memcache::kFenceKey) + " v c\r\n";
    auto answer = co_await ask(std::move(request), one_reply, deadline);
    if (!answer.ok()) co_return answer.error();
    const MetaReply reply = read_reply(*answer);
    Present present;
    if (reply.code == MetaCode::kMiss) co_return present;
    if (reply.code != MetaCode::kValue) co_return strange(name_, *answer);
    present.exists = true;
    present.cas = reply.cas;
    present.record = base::memcache::parse_fence_record(reply.value);
    co_return present;
  }

 private:
  const std::string name_;
  base::Timers& timers_;
  coord::Turn turn_;
  TextPeer peer_;
  struct Question {
    Question(coord::Turn::Held h, base::Instant at) : held(std::move(h)), asked(at) {}
    coord::Turn::Held held;
    base::Instant asked;
  };
  std::optional<Question> question_;
  std::optional<coord::ReadFence> probed_;  // by the last probe that was answered
};

// A backend that owes its statistics. When nobody waits for them any more its connection is closed:
// they would be taken for the next answer.
class BackendClient::Owing {
 public:
  Owing(size_t at, std::weak_ptr<Connection> peer, coord::Turn::Held held)
      : place(at), peer_(std::move(peer)), held_(std::move(held)) {}
  Owing(const Owing&) = delete;
  ~Owing() {
    // The client may have ended before the coroutines of its callers.
    if (const auto peer = peer_.lock(); peer != nullptr && !settled_) peer->close();
  }
  bool has_answered() const { return peer_.lock()->has_answered(statistics_end); }
  // Waits for nothing once it has answered, or the deadline has passed.
  boost::asio::awaitable<base::Result<std::string>> settle(base::Instant deadline) {
    auto answer = co_await peer_.lock()->receive(statistics_end, deadline);
    settled_ = true;
    co_return answer;
  }

  const size_t place;  // among those that were asked

 private:
  const std::weak_ptr<Connection> peer_;
  const coord::Turn::Held held_;
  bool settled_ = false;
};

// What one stats_all() has come to. Shared: who is asked alone may outlive a caller that is
// cancelled.
struct BackendClient::Round {
  std::vector<std::string> backends;
  std::vector<std::optional<coord::BackendStats>> all;
  std::list<Owing> owing;
  std::vector<size_t> unasked;  // who had no connection, or whose turn was somebody else's
};

BackendClient::BackendClient(boost::asio::any_io_executor executor, const coord::Region& region,
                             base::Timers& timers)
    : timers_(timers) {
  for (const coord::ClusterSpec& cluster : region.spec().clusters) {
    for (const coord::BackendSpec& backend : cluster.backends) {
      connections_.emplace(backend.id, std::make_shared<Connection>(
                                           executor, backend, cluster.port_of(backend), timers));
    }
  }
}

BackendClient::~BackendClient() = default;

BackendClient::Connection* BackendClient::connection(const std::string& backend) {
  const auto at = connections_.find(backend);
  return at == connections_.end() ? nullptr : at->second.get();
}

base::Result<base::Duration> BackendClient::read_probe(Connection& peer, const std::string& backend,
                                                       base::Instant asked,
                                                       const std::string& answer) {
  if (read_reply(answer).code != MetaCode::kMiss) return strange(backend, answer);
  const MetaReply fence = read_reply(std::string_view(answer).substr(one_reply(answer)));
  coord::ReadFence read;
  read.asked = asked;
  if (fence.code == MetaCode::kValue) {
    read.record = base::memcache::parse_fence_record(fence.value);
  }
  peer.note_probe(read);
  return peer.took_since(asked);
}

boost::asio::awaitable<base::Result<base::Duration>> BackendClient::probe(std::string backend,
                                                                          base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  co_return co_await probe_by(*peer, backend, timers_.clock().now() + timeout);
}

boost::asio::awaitable<base::Result<base::Duration>> BackendClient::probe_by(
    Connection& peer, std::string backend, base::Instant deadline) {
  const auto held = co_await peer.take(deadline);
  if (!held.holds()) co_return peer.busy();
  const base::Instant asked = timers_.clock().now();
  auto answer = co_await peer.ask(probe_request(), two_replies, deadline, Look::kAtBeats);
  if (!answer.ok()) co_return answer.error();
  co_return read_probe(peer, backend, asked, *answer);
}

boost::asio::awaitable<base::Result<base::Duration>> BackendClient::finish_probe(
    std::string backend, base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  const base::Instant asked = peer->asked().value_or(timers_.clock().now());
  if (peer->asked()) {
    auto answer = co_await peer->finish(two_replies, asked + timeout);
    if (answer.ok()) co_return read_probe(*peer, backend, asked, *answer);
    // A kept connection that has died is replaced once.
    if (answer.code() != base::ErrorCode::kUnavailable) co_return answer.error();
  }
  co_return co_await probe_by(*peer, backend, asked + timeout);
}

boost::asio::awaitable<std::vector<coord::BackendControl::Probed>> BackendClient::probe_all(
    std::vector<std::string> backends) {
  std::vector<Probed> answers(backends.size());
  std::vector<std::pair<size_t, Connection*>> waiting;
  const base::Instant began = timers_.clock().now();
  for (size_t i = 0; i < backends.size(); ++i) {
    Connection* peer = connection(backends[i]);
    if (peer != nullptr && peer->ask_now(probe_request(), began)) waiting.emplace_back(i, peer);
  }
  if (waiting.empty()) co_return answers;
  co_await timers_.wait_for_beat(kAnswersBeat);
  for (const auto& [i, peer] : waiting) {
    // Somebody else may have taken the question over by finish_probe().
    if (peer->asked() != began || !peer->has_answered(two_replies)) continue;
    auto answer = co_await peer->finish(two_replies, began);
    if (answer.ok()) answers[i] = read_probe(*peer, backends[i], began, *answer);
  }
  co_return answers;
}

std::optional<coord::ReadFence> BackendClient::probed_fence(std::string_view backend) const {
  const auto at = connections_.find(backend);
  return at == connections_.end() ? std::nullopt : at->second->probed();
}

boost::asio::awaitable<base::Result<std::optional<FenceRecord>>> BackendClient::read_fence(
    std::string backend, base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  const base::Instant deadline = timers_.clock().now() + timeout;
  const auto held = co_await peer->take(deadline);
  if (!held.holds()) co_return peer->busy();
  auto present = co_await peer->read_record(deadline);
  if (!present.ok()) co_return present.error();
  co_return present->record;
}

boost::asio::awaitable<base::Result<>> BackendClient::raise_fence(std::string backend,
                                                                  coord::FenceSource& source,
                                                                  base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  const base::Instant deadline = timers_.clock().now() + timeout;
  const auto held = co_await peer->take(deadline);
  if (!held.holds()) co_return peer->busy();
  for (int i = 0; i < kSwapTries; ++i) {
    auto present = co_await peer->read_record(deadline);
    if (!present.ok()) {
      // Nothing was written so far: the caller may count on it.
      co_return base::Error(base::ErrorCode::kUnavailable, present.error().context,
                            base::Origin::kBackend, base::Retry::kSafe);
    }
    FenceRecord wanted = source.claim();
    if (present->record) {
      source.saw(*present->record);
      if (present->record->covers(wanted)) co_return base::Done{};
      wanted.epoch = std::max(wanted.epoch, present->record->epoch);
      wanted.flush_sequence = std::max(wanted.flush_sequence, present->record->flush_sequence);
    }
    const std::string value = base::memcache::to_text(wanted);
    std::string request =
        "ms " + std::string(base::memcache::kFenceKey) + " " + std::to_string(value.size()) +
        (present->exists ? " C" + std::to_string(present->cas) : " ME") + "\r\n" + value + "\r\n";
    auto answer = co_await peer->send(std::move(request), one_reply, deadline);
    if (!answer.ok()) {
      co_return base::Error(base::ErrorCode::kTimeout,
                            answer.error().context + "; the record may have been written",
                            base::Origin::kBackend);
    }
    const MetaCode code = read_reply(*answer).code;
    if (code == MetaCode::kHeader) co_return base::Done{};
    const bool lost_race =
        code == MetaCode::kExists || code == MetaCode::kNotFound || code == MetaCode::kNotStored;
    if (!lost_race) co_return strange(backend, *answer);
  }
  co_return base::Error(base::ErrorCode::kUnavailable,
                        backend + ": somebody else keeps writing the fence record",
                        base::Origin::kBackend, base::Retry::kSafe);
}

boost::asio::awaitable<base::Result<>> BackendClient::flush_all(std::string backend,
                                                                base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  const base::Instant deadline = timers_.clock().now() + timeout;
  const auto held = co_await peer->take(deadline);
  if (!held.holds()) co_return peer->busy();
  std::string request = "flush_all\r\n";
  auto answer = co_await peer->ask(std::move(request), one_line, deadline);
  if (!answer.ok()) co_return answer.error();
  if (*answer != "OK\r\n") co_return strange(backend, *answer);
  co_return base::Done{};
}

boost::asio::awaitable<base::Result<coord::BackendStats>> BackendClient::stats(
    std::string backend, base::Duration timeout) {
  Connection* peer = connection(backend);
  if (peer == nullptr) co_return no_backend(backend);
  const base::Instant deadline = timers_.clock().now() + timeout;
  const auto held = co_await peer->take(deadline);
  if (!held.holds()) co_return peer->busy();
  std::string request = kStatsRequest;
  auto answer = co_await peer->ask(std::move(request), statistics_end, deadline);
  if (!answer.ok()) co_return answer.error();
  co_return read_statistics(*answer);
}

void BackendClient::ask_together(Round& round) {
  for (size_t i = 0; i < round.backends.size(); ++i) {
    const auto at = connections_.find(round.backends[i]);
    if (at == connections_.end()) continue;
    coord::Turn::Held held = at->second->send_now(kStatsRequest);
    if (held.holds()) {
      round.owing.emplace_back(i, at->second, std::move(held));
    } else {
      round.unasked.push_back(i);
    }
  }
}

// Gives back the turns of those that have answered, and after the deadline everybody's.
boost::asio::awaitable<void> BackendClient::settle(std::shared_ptr<Round> round,
                                                   base::Instant deadline) {
  const bool late = timers_.clock().now() >= deadline;
  for (auto at = round->owing.begin(); at != round->owing.end();) {
    if (!late && !at->has_answered()) {
      ++at;
      continue;
    }
    auto answer = co_await at->settle(deadline);
    if (answer.ok()) {
      round->all[at->place] = read_statistics(*answer);
    } else if (answer.code() == base::ErrorCode::kUnavailable) {
      round->unasked.push_back(at->place);  // a kept connection that has died is replaced once
    }
    at = round->owing.erase(at);
  }
}

boost::asio::awaitable<void> BackendClient::ask_alone(std::shared_ptr<Round> round, size_t place,
                                                      base::Duration timeout) {
  std::string backend = round->backends[place];
  auto answer = co_await stats(std::move(backend), timeout);
  if (answer.ok()) round->all[place] = *answer;
}

boost::asio::awaitable<std::vector<std::optional<coord::BackendStats>>> BackendClient::stats_all(
    std::vector<std::string> backends, base::Duration timeout) {
  const auto round = std::make_shared<Round>();
  round->all.resize(backends.size());
  round->backends = std::move(backends);
  const base::Instant deadline = timers_.clock().now() + timeout;
  ask_together(*round);
  base::Duration beat = kAnswersBeat;
  while (!round->owing.empty()) {
    const base::Instant next = base::next_beat(timers_.clock().now() + beat / 2, beat);
    co_await timers_.wait_until(std::min(next, deadline));
    beat = std::min(2 * beat, kLastBeat);
    co_await settle(round, deadline);
  }
  // Not before: whoever is asked alone is waited for, and nobody's turn may be kept meanwhile.
  std::vector<boost::asio::awaitable<void>> works;
  for (const size_t place : round->unasked) works.push_back(ask_alone(round, place, timeout));
  const auto executor = co_await boost::asio::this_coro::executor;
  co_await coord::run_all(executor, std::move(works));
  co_return std::move(round->all);
}

}  // namespace agent::action
