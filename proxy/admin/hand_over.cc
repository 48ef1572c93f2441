#include "proxy/admin/hand_over.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/core/text.h"
#include "base/net/unix_socket.h"
#include "base/telemetry/log.h"

namespace proxy::admin {

namespace asio = boost::asio;
namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using handover::FrameType;

namespace {

constexpr base::Duration kLook = std::chrono::microseconds(200);
// It reads the whole state and connects; nobody waits for it meanwhile.
constexpr base::Duration kWarmPatience = std::chrono::seconds(30);
constexpr base::Duration kCallsPatience = std::chrono::seconds(3);
constexpr base::Duration kReadyPatience = std::chrono::seconds(5);
// Beyond the patience with each client, when nobody leaves.
constexpr base::Duration kStuckPatience = std::chrono::seconds(2);
constexpr base::Duration kQuitPatience = std::chrono::milliseconds(500);
constexpr base::Duration kAnswerPatience = std::chrono::seconds(2);
constexpr base::Duration kKillPatience = std::chrono::seconds(10);
constexpr size_t kMostUnacknowledged = 8;  // batches
// Bytes of one client, which a frame must have room for beside those of a batch.
constexpr size_t kMostOfOneClient = handover::kMostBody / 2;
constexpr size_t kMostOfOneBatch = handover::kMostBody / 8;  // where no more are added
constexpr size_t kLookedAtOnce = 125;                        // clients of a worker

Error timed_out(const char* what) {
  return Error(ErrorCode::kTimeout, std::string("hand-over: ") + what);
}

}  // namespace

Result<std::unique_ptr<HandOver>> HandOver::begin(HandOverParts parts, const std::string& socket) {
  auto fd = base::net::connect_unix(socket);
  if (!fd) return fd.error();
  auto peer = handover::Peer::of(fd->get());
  if (!peer) return peer.error();
  std::unique_ptr<HandOver> made(
      new HandOver(std::move(parts), handover::Channel(std::move(*fd)), std::move(*peer)));
  made->introduce();
  return made;
}

void HandOver::introduce() {
  json::array fenced;
  for (const std::string& id : parts_.control.fenced_backends()) fenced.emplace_back(id);
  const json::object hello{
      {"version", 1}, {"fenced_backends", std::move(fenced)}, {"metrics", parts_.metrics}};
  channel_.push(FrameType::kHello, json::serialize(hello));
  channel_.push(FrameType::kListeners, handover::to_json(parts_.listening), parts_.sockets);
  if (parts_.lock >= 0) channel_.push(FrameType::kLock, {}, {parts_.lock});
  writes_at_hello_ = parts_.state.writes();
}

asio::awaitable<bool> HandOver::run() {
  const base::Instant begun = now();
  base::log::info("handover_begun", {{"pid", peer_.pid()}});
  Result<> done = co_await wait_for(FrameType::kWarm, kWarmPatience);
  const base::Instant sealed = now();
  if (done.ok()) done = co_await seal();
  if (done.ok()) done = co_await move_all();
  const base::Instant gone = now();
  if (done.ok()) done = co_await conclude();
  if (!done.ok()) co_return co_await resume(done.error());
  base::log::info("handed_over", {{"pid", peer_.pid()},
                                  {"connections", moved_},
                                  {"warm_seconds", base::to_seconds(sealed - begun)},
                                  {"move_seconds", base::to_seconds(gone - sealed)},
                                  {"sealed_seconds", base::to_seconds(now() - sealed)}});
  co_return true;
}

// Until the other side has said exactly this.
HandOver::Step HandOver::wait_for(FrameType type, base::Duration patience) {
  const base::Instant deadline = now() + patience;
  for (;;) {
    if (is_cancelled_ && !is_sealed_) {
      co_return Error(ErrorCode::kConflict, "hand-over: this process is to end");
    }
    const Result<> exchanged = channel_.exchange();
    auto frame = channel_.next();
    if (!frame) co_return frame.error();
    if (*frame) {
      if ((*frame)->type == type) co_return base::Done{};
      co_return Error(ErrorCode::kInvalid, "hand-over: the new process said something else");
    }
    if (!exchanged) co_return exchanged;
    if (now() >= deadline) co_return timed_out("the new process says nothing");
    co_await parts_.timers.wait_for(kLook);
  }
}

HandOver::Step HandOver::seal() {
  parts_.control.seal();
  is_sealed_ = true;
  const base::Instant deadline = now() + kCallsPatience;
  while (parts_.control.is_acting()) {
    if (now() >= deadline) co_return timed_out("a call does not end");
    co_await parts_.timers.wait_for(kLook);
  }
  if (!parts_.control.is_settled()) co_return timed_out("a worker does not take the new state");
  const base::Duration silence = parts_.patience + kStuckPatience + kAnswerPatience;
  const json::object sealed{{"changed", parts_.state.writes() != writes_at_hello_},
                            {"patience_ms", silence / std::chrono::milliseconds(1)}};
  channel_.push(FrameType::kSealed, json::serialize(sealed));
  co_return co_await wait_for(FrameType::kReady, kReadyPatience);
}

HandOver::Step HandOver::move_all() {
  is_moving_ = true;
  for (size_t i = 0; i < parts_.workers.size(); ++i) parts_.workers[i]->move_to(outboxes_[i]);
  uint64_t fewest = parts_.connections.total();
  for (base::Instant progress = now(); !is_all_gone();) {
    const uint64_t left = parts_.connections.total();
    if (left < fewest) {
      fewest = left;
      progress = now();
    }
    if (now() - std::max(progress, acknowledged_) > parts_.patience + kStuckPatience) {
      co_return timed_out("clients do not leave; a worker may be stuck");
    }
    if (unacknowledged_.size() < kMostUnacknowledged) {
      for (Worker* worker : parts_.workers) worker->look_on(kLookedAtOnce);
    }
    send_batches();
    const Result<> exchanged = channel_.exchange();
    if (const auto taken = take_acknowledgements(); !taken) co_return taken;
    if (!exchanged) co_return exchanged;
    if (!unacknowledged_.empty() &&
        now() - std::max(unacknowledged_.front().sent, acknowledged_) > kAnswerPatience) {
      co_return timed_out("the new process does not take clients");
    }
    co_await parts_.timers.wait_for(kLook);
  }
  co_return base::Done{};
}

// The order matters: a worker that has begun to move lets nobody in any more, and a client is put into
// an outbox before it is no longer counted.
bool HandOver::is_all_gone() {
  for (const Worker* worker : parts_.workers) {
    if (!worker->has_begun_to_move()) return false;
  }
  if (parts_.connections.total() > 0) return false;
  for (size_t i = 0; i < outboxes_.size(); ++i) {
    for (Departed& each : outboxes_[i]->take()) leftover_[i].push_back(std::move(each));
    if (!leftover_[i].empty()) return false;
  }
  return unacknowledged_.empty() && !channel_.has_output();
}

void HandOver::send_batches() {
  for (size_t i = 0; i < outboxes_.size(); ++i) {
    std::vector<Departed>& waiting = leftover_[i];
    for (Departed& each : outboxes_[i]->take()) {
      const size_t size = each.record.in.size() + each.record.out.size();
      if (size <= kMostOfOneClient) {
        waiting.push_back(std::move(each));
      } else {  // it closes, as everybody would if the hand-over failed for it
        base::log::warn("client_not_handed_over", {{"bytes", size}});
        parts_.workers[i]->settle(0, 1);
      }
    }
    while (!waiting.empty() && unacknowledged_.size() < kMostUnacknowledged) {
      Batch batch;
      batch.number = next_number_++;
      batch.worker = i;
      batch.sent = now();
      const size_t count = std::min(waiting.size(), handover::kMostDescriptors);
      std::string body;
      for (int shift = 0; shift < 32; shift += 8)
        body.push_back(static_cast<char>(batch.number >> shift & 0xff));
      std::vector<int> descriptors;
      size_t taken = 0;
      // At least one; more only while the frame stays within its bounds.
      for (; taken < count && (taken == 0 || body.size() < kMostOfOneBatch); ++taken) {
        handover::append_record(body, waiting[taken].record);
        descriptors.push_back(waiting[taken].fd.get());
        batch.clients.push_back(std::move(waiting[taken]));
      }
      waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(taken));
      channel_.push(FrameType::kClients, body, descriptors);
      unacknowledged_.push_back(std::move(batch));
    }
  }
}

Result<> HandOver::take_acknowledgements() {
  for (;;) {
    auto frame = channel_.next();
    if (!frame) return frame.error();
    if (!*frame) return base::Done{};
    if ((*frame)->type == FrameType::kConfirm && unacknowledged_.empty()) {
      is_confirmed_ = true;
      continue;
    }
    if ((*frame)->type != FrameType::kTaken) {
      return Error(ErrorCode::kInvalid, "hand-over: the new process said something else");
    }
    if (const auto done = acknowledge((*frame)->body); !done) return done;
  }
}

// From here on its clients are not ours; their descriptors close here.
Result<> HandOver::acknowledge(std::string_view number) {
  if (unacknowledged_.empty() ||
      base::parse_u64(number) != std::optional<uint64_t>(unacknowledged_.front().number)) {
    return Error(ErrorCode::kInvalid, "hand-over: the new process took what it was not given");
  }
  const Batch& batch = unacknowledged_.front();
  moved_ += batch.clients.size();
  const auto is_counted = [](const Departed& each) { return !each.record.is_greeting; };
  const auto clients = std::count_if(batch.clients.begin(), batch.clients.end(), is_counted);
  parts_.workers[batch.worker]->settle(static_cast<uint64_t>(clients), 0);
  unacknowledged_.pop_front();
  acknowledged_ = now();
  return base::Done{};
}

HandOver::Step HandOver::conclude() {
  json::array promises;
  for (const std::string& promise : parts_.flushes.promises()) promises.emplace_back(promise);
  const json::object end{{"promises", std::move(promises)}};
  channel_.push(FrameType::kEnd, json::serialize(end));
  co_return co_await wait_for(FrameType::kConfirm, kAnswerPatience);
}

asio::awaitable<void> HandOver::pass_on_quit() {
  channel_.push(FrameType::kEnd, json::serialize(json::object{{"quit", true}}));
  const base::Instant deadline = now() + kQuitPatience;
  while (channel_.exchange().ok() && channel_.has_output() && now() < deadline) {
    co_await parts_.timers.wait_for(kLook);
  }
}

asio::awaitable<bool> HandOver::resume(Error why) {
  // After this it can take nothing more, and everything that it has taken is there to be read.
  channel_.shut();
  static_cast<void>(channel_.exchange());
  static_cast<void>(take_acknowledgements());
  if (is_confirmed_) co_return true;
  base::log::error("not_handed_over", {{"error", why.context}, {"pid", peer_.pid()}});
  // It has the sockets of those who come back, and clients that it may still serve by a state that
  // ours is about to leave behind.
  peer_.kill();
  const base::Instant deadline = now() + kKillPatience;
  while (!peer_.has_ended() && now() < deadline) co_await parts_.timers.wait_for(kLook);
  // The kernel lets it run no further, though it may not let it end yet.
  if (!peer_.has_ended()) base::log::error("handover_peer_lives", {{"pid", peer_.pid()}});
  if (is_moving_) take_back();
  while (!peer_.has_ended()) co_await parts_.timers.wait_for(kLook * 100);
  if (is_sealed_) parts_.control.unseal();
  co_return false;
}

// Who has not been acknowledged goes on here.
void HandOver::take_back() {
  std::vector<std::vector<Departed>> returned(parts_.workers.size());
  for (Batch& batch : unacknowledged_) {
    for (Departed& each : batch.clients) returned[batch.worker].push_back(std::move(each));
  }
  unacknowledged_.clear();
  size_t count = 0;
  for (size_t i = 0; i < parts_.workers.size(); ++i) {
    for (Departed& each : leftover_[i]) returned[i].push_back(std::move(each));
    leftover_[i].clear();
    count += returned[i].size();
    parts_.workers[i]->stay(outboxes_[i], std::move(returned[i]));
  }
  base::log::warn("handover_undone", {{"returned", count}, {"gone", moved_}});
}

}  // namespace proxy::admin
