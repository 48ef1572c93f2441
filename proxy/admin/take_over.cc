#include "proxy/admin/take_over.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "base/net/rpc.h"
#include "base/net/unix_socket.h"
#include "base/telemetry/log.h"

namespace proxy::admin {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;
using handover::Door;
using handover::Frame;
using handover::FrameType;

namespace {

constexpr base::Duration kCallPatience = std::chrono::seconds(1);
constexpr base::Duration kWarmPatience = std::chrono::seconds(3);
constexpr base::Duration kSettlePatience = std::chrono::seconds(3);
// The old process gives clients 3 s, and has its own patience with us.
constexpr base::Duration kNextPatience = std::chrono::seconds(10);
constexpr base::Duration kEndPatience = std::chrono::milliseconds(500);
constexpr base::Duration kReleasePatience = std::chrono::seconds(5);
constexpr base::Duration kAdoptPatience = std::chrono::milliseconds(100);
constexpr base::Duration kNamesPatience = std::chrono::milliseconds(500);
constexpr base::Duration kLook = std::chrono::milliseconds(1);

Result<json::object> parse_object(const std::string& text) {
  json::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) {
    return Error(ErrorCode::kInvalid, "hand-over: the old process said what is no JSON object");
  }
  return std::move(value.get_object());
}

std::vector<std::string> texts_of(const json::object& object, const char* key) {
  std::vector<std::string> texts;
  const json::value* const array = object.if_contains(key);
  if (array == nullptr || !array->is_array()) return texts;
  for (const json::value& each : array->get_array()) {
    if (each.is_string()) texts.emplace_back(each.get_string());
  }
  return texts;
}

// The connection that the old process makes.
Result<base::net::UniqueFd> accept_one(int listener, base::Duration patience) {
  pollfd ready{listener, POLLIN, 0};
  const timespec timeout{patience.count() / 1'000'000'000, patience.count() % 1'000'000'000};
  if (::ppoll(&ready, 1, &timeout, nullptr) <= 0) {
    return Error(ErrorCode::kTimeout, "hand-over: the old process does not connect");
  }
  base::net::UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) {
    return Error(ErrorCode::kIo, std::string("hand-over: accept: ") + std::strerror(errno));
  }
  return fd;
}

void pause() {
  const timespec look{0, kLook.count()};
  ::ppoll(nullptr, 0, &look, nullptr);
}

}  // namespace

Result<std::unique_ptr<TakeOver>> TakeOver::begin(const std::string& control_socket, uint64_t fence,
                                                  base::Clock& clock) {
  const std::string place = control_socket + ".next";
  auto listener = base::net::listen_unix(place);
  if (!listener) return listener.error();
  const base::net::SocketFile file = base::net::socket_file(place);
  base::net::RpcRequest request;
  request.verb = "handover";
  request.fence = fence;
  request.args["socket"] = place;
  const auto called = base::net::rpc_call_blocking(control_socket, request, kCallPatience);
  auto fd = called ? accept_one(listener->get(), kCallPatience)
                   : Result<base::net::UniqueFd>(called.error());
  base::net::remove_socket_file(place, file);
  if (!fd) return fd.error();
  auto peer = handover::Peer::of(fd->get());
  if (!peer) return peer.error();
  std::unique_ptr<TakeOver> made(
      new TakeOver(clock, handover::Channel(std::move(*fd)), std::move(*peer)));
  if (const auto introduced = made->expect_introduction(); !introduced) return introduced.error();
  return made;
}

Result<Frame> TakeOver::receive(base::Duration patience) {
  const base::Instant deadline = clock_.now() + patience;
  for (;;) {
    const Result<> exchanged = channel_.exchange();
    auto frame = channel_.next();
    if (!frame) return frame.error();
    if (*frame) return std::move(**frame);
    if (!exchanged) return exchanged.error();
    if (clock_.now() >= deadline) {
      return Error(ErrorCode::kTimeout, "hand-over: the old process says nothing");
    }
    channel_.wait(clock_, deadline);
  }
}

// kUnavailable: the old process will never hear it.
Result<> TakeOver::say(FrameType type, std::string_view body) {
  channel_.push(type, body);
  const base::Instant deadline = clock_.now() + kNextPatience;
  for (;;) {
    const Result<> exchanged = channel_.exchange();
    const bool is_for_good = !exchanged && exchanged.code() != ErrorCode::kUnavailable;
    if (!is_for_good && !channel_.has_output()) return base::Done{};
    if (!exchanged) return exchanged;
    if (clock_.now() >= deadline) {
      return Error(ErrorCode::kTimeout, "hand-over: the old process does not listen");
    }
    channel_.wait(clock_, deadline);
  }
}

Result<> TakeOver::expect_introduction() {
  auto hello = receive(kCallPatience);
  if (!hello) return hello.error();
  const auto said = parse_object(hello->body);
  if (!said) return said.error();
  const json::value* const version = said->if_contains("version");
  if (hello->type != FrameType::kHello || version == nullptr || *version != 1) {
    return Error(ErrorCode::kInvalid, "hand-over: the old process speaks another version");
  }
  fenced_there_ = texts_of(*said, "fenced_backends");
  const json::value* const metrics = said->if_contains("metrics");
  if (metrics != nullptr && metrics->is_string()) metrics_there_ = metrics->get_string();
  auto sockets = receive(kCallPatience);
  if (!sockets) return sockets.error();
  auto listening = handover::parse_listening(sockets->body);
  if (!listening) return listening.error();
  if (sockets->type != FrameType::kListeners || listening->size() != sockets->descriptors.size()) {
    return Error(ErrorCode::kInvalid, "hand-over: the old process gives no sockets");
  }
  listening_ = std::move(*listening);
  sockets_ = std::move(sockets->descriptors);
  return base::Done{};
}

base::net::UniqueFd TakeOver::take_socket(const handover::Listening& wanted) {
  for (size_t i = 0; i < listening_.size(); ++i) {
    const bool same = listening_[i].door == wanted.door && listening_[i].path == wanted.path;
    if (same && sockets_[i].valid()) return std::move(sockets_[i]);
  }
  return {};
}

// Until every backend that the old process serves from is served here too.
Result<> TakeOver::wait_warm(const Control& control) {
  const base::Instant deadline = clock_.now() + kWarmPatience;
  for (;;) {
    std::string missing;
    for (const std::string& id : control.fenced_backends()) {
      const bool there =
          std::find(fenced_there_.begin(), fenced_there_.end(), id) == fenced_there_.end();
      if (there) missing = id;
    }
    if (missing.empty()) return base::Done{};
    if (clock_.now() >= deadline) {
      return Error(ErrorCode::kUnavailable,
                   "hand-over: the old process serves from " + missing + " and this one cannot");
    }
    pause();
  }
}

Result<> TakeOver::take_state(Control& control, StateDir& state, bool changed) {
  if (!changed) return base::Done{};  // the workers serve by it already
  auto saved = state.load();
  if (!saved) return saved.error();
  if (!saved->damaged.empty()) return Error(ErrorCode::kIo, saved->damaged.front());
  if (const auto restored = control.restore(std::move(*saved)); !restored) return restored;
  const base::Instant deadline = clock_.now() + kSettlePatience;
  while (!control.is_settled()) {
    if (clock_.now() >= deadline) {
      return Error(ErrorCode::kTimeout, "hand-over: a worker does not take the new state");
    }
    pause();
  }
  return wait_warm(control);
}

Result<> TakeOver::take_all(Control& control, StateDir& state, std::vector<Worker*> workers,
                            base::CacheId open_cache) {
  if (const auto warm = wait_warm(control); !warm) return warm;
  if (const auto said = say(FrameType::kWarm, {}); !said) return said;
  auto frame = receive(kNextPatience);
  if (frame && frame->type == FrameType::kLock && frame->descriptors.size() == 1) {
    lock_ = std::move(frame->descriptors.front());
    frame = receive(kNextPatience);
  }
  if (!frame) return frame.error();
  if (frame->type != FrameType::kSealed) {
    return Error(ErrorCode::kInvalid, "hand-over: the old process said something else");
  }
  const auto sealed = parse_object(frame->body);
  if (!sealed) return sealed.error();
  const json::value* const changed = sealed->if_contains("changed");
  const auto taken =
      take_state(control, state, changed == nullptr || *changed != json::value(false));
  if (!taken) return taken;
  if (const auto said = say(FrameType::kReady, {}); !said) return said;
  // It may wait for one client's answer for longer than for anything else.
  const json::value* const silence = sealed->if_contains("patience_ms");
  const bool is_said = silence != nullptr && silence->is_int64() && silence->get_int64() > 0;
  const base::Duration patience =
      is_said
          ? std::max<base::Duration>(kNextPatience, std::chrono::milliseconds(silence->get_int64()))
          : kNextPatience;
  given_.assign(workers.size(), 0);
  for (Worker* worker : workers) worker->open_doors();
  for (;;) {
    auto next = receive(patience);
    if (!next && next.code() == ErrorCode::kUnavailable && peer_.ends_within(kEndPatience)) {
      // It died; its state is on disk and what it had not sent died with it.
      is_alone_ = true;
      return base::Done{};
    }
    if (!next) return next.error();
    if (next->type == FrameType::kEnd) {
      const auto end = parse_object(next->body);
      if (!end) return end.error();
      promises_ = texts_of(*end, "promises");
      return base::Done{};
    }
    if (next->type != FrameType::kClients) {
      return Error(ErrorCode::kInvalid, "hand-over: the old process said something else");
    }
    if (const auto done = take_clients(std::move(*next), workers, open_cache); !done) return done;
  }
}

Result<> TakeOver::take_clients(Frame frame, std::vector<Worker*>& workers,
                                base::CacheId open_cache) {
  std::string_view text = frame.body;
  uint32_t number = 0;
  if (text.size() < sizeof number) return Error(ErrorCode::kInvalid, "hand-over: no number");
  for (size_t i = sizeof number; i > 0; --i) {
    number = number << 8 | static_cast<unsigned char>(text[i - 1]);
  }
  text.remove_prefix(sizeof number);
  std::vector<Departed> clients;
  for (base::net::UniqueFd& fd : frame.descriptors) {
    auto record = handover::take_record(text);
    if (!record) return record.error();
    clients.push_back({std::move(fd), std::move(*record)});
  }
  if (!text.empty()) return Error(ErrorCode::kInvalid, "hand-over: more clients than sockets");
  // First it hears that they are ours: unheard, they would be its and ours.
  const Result<> said = say(FrameType::kTaken, std::to_string(number));
  const bool is_deaf = !said && said.code() == ErrorCode::kUnavailable;
  if (!said && !(is_deaf && peer_.ends_within(kEndPatience))) return said;
  // Served without authentication there, and not here.
  for (Departed& client : clients) {
    const uint64_t cache = client.record.open_cache;
    if (cache != 0 && cache != open_cache) client.fd.reset();
    if (client.fd.valid()) ++connections_;
  }
  const auto least = std::min_element(given_.begin(), given_.end());
  *least += clients.size();
  Worker& worker = *workers[static_cast<size_t>(least - given_.begin())];
  worker.adopt(std::move(clients));
  // One batch at a time: thousands at once, all busy, would keep it from reading the fence records.
  // Those who wait are served by the old process.
  const base::Instant deadline = clock_.now() + kAdoptPatience;
  while (!worker.has_adopted() && clock_.now() < deadline) pause();
  return base::Done{};
}

Result<> TakeOver::confirm() {
  if (!is_alone_) {
    const Result<> said = say(FrameType::kConfirm, {});
    // Once it is on its way, whatever else fails, the proxy is this process.
    if (!said && channel_.has_output() && !peer_.ends_within(kEndPatience)) return said;
  }
  // It closes the conversation when its names are free.
  const base::Instant deadline = clock_.now() + kReleasePatience;
  while (!is_alone_ && channel_.exchange().ok() && clock_.now() < deadline) {
    channel_.wait(clock_, deadline);
  }
  hear_last_words();
  if (clock_.now() >= deadline) {
    base::log::warn("handover_old_process_lingers", {{"pid", peer_.pid()}});
    peer_.kill();
    if (!peer_.ends_within(kReleasePatience)) {
      base::log::error("handover_peer_lives", {{"pid", peer_.pid()}});
    }
  }
  return base::Done{};
}

void TakeOver::hear_last_words() {
  for (auto frame = channel_.next(); frame && *frame; frame = channel_.next()) {
    const auto said = parse_object((*frame)->body);
    const json::value* const quit = said ? said->if_contains("quit") : nullptr;
    if ((*frame)->type == FrameType::kEnd && quit != nullptr && *quit == json::value(true)) {
      is_quit_wanted_ = true;
    }
  }
}

Result<> TakeOver::insist(const std::function<Result<>()>& attempt) {
  const base::Instant deadline = clock_.now() + kNamesPatience;
  for (;;) {
    const Result<> done = attempt();
    if (done.ok() || clock_.now() >= deadline) return done;
    pause();
  }
}

}  // namespace proxy::admin
