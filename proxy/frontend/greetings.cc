#include "proxy/frontend/greetings.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/telemetry/log.h"
#include "proxy/frontend/proxy_header.h"
#include "proxy/frontend/worker.h"

namespace proxy {

using base::telemetry::Failure;

void Greetings::add(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                    const Entrance& entrance) {
  begin(std::move(fd), peer, entrance);
}

void Greetings::take_over(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                          const Entrance& entrance, std::string head) {
  Greeting* const greeting = begin(std::move(fd), peer, entrance);
  if (greeting == nullptr) return;
  greeting->head_ = std::move(head);
  greeting->shares_socket_ = true;
}

// Null: it was turned away.
Greetings::Greeting* Greetings::begin(base::net::UniqueFd fd, const admission::ClientAddress& peer,
                                      const Entrance& entrance) {
  if (waiting_.size() >= kMost) {
    worker_.refuse(fd.get(), entrance, Failure::kStrangerLimit);
    return nullptr;
  }
  const int raw = fd.get();
  const base::Instant deadline = worker_.now() + worker_.world().settings.timeouts.authenticate;
  auto greeting = std::make_unique<Greeting>(*this, std::move(fd), peer, entrance, deadline);
  if (!worker_.loop().watch(raw, *greeting, EPOLLIN).ok()) return nullptr;
  return waiting_.emplace(raw, std::move(greeting)).first->second.get();
}

void Greetings::Greeting::on_ready(uint32_t) {
  if (!fd_.valid()) return;
  char* const scratch = all_.worker_.scratch();
  const size_t most = kLongestProxyHeader - head_.size();
  const ssize_t seen = ::recv(fd_.get(), scratch, most, MSG_PEEK);
  if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (seen <= 0) return all_.fail(*this, "it closed");
  const std::string_view fresh(scratch, static_cast<size_t>(seen));
  const size_t before = head_.size();
  head_.append(fresh);
  const ProxyHeader header = parse_proxy_header(head_);
  if (header.state == ProxyHeader::State::kMalformed || head_.size() >= kLongestProxyHeader) {
    if (header.state != ProxyHeader::State::kDone) return all_.fail(*this, "malformed");
  }
  // Exactly the header leaves the socket: what follows is the client's.
  const size_t ours =
      header.state == ProxyHeader::State::kDone ? header.size - before : fresh.size();
  if (::recv(fd_.get(), scratch, ours, 0) != static_cast<ssize_t>(ours)) {
    return all_.fail(*this, "it broke");
  }
  if (header.state == ProxyHeader::State::kNeedMore) return;
  const admission::ClientAddress client = header.client.value_or(peer_);
  Worker& worker = all_.worker_;
  worker.loop().forget(fd_.get());
  const int raw = fd_.get();
  base::net::UniqueFd fd = std::move(fd_);
  all_.ended_.push_back(std::move(all_.waiting_.at(raw)));
  all_.waiting_.erase(raw);
  Client* const admitted = worker.admit(std::move(fd), client, entrance_);
  if (admitted != nullptr && shares_socket_) admitted->note_shared_socket();
}

void Greetings::end(Greeting& greeting) {
  const int raw = greeting.fd_.get();
  ended_.push_back(std::move(waiting_.at(raw)));
  waiting_.erase(raw);
  // Another process may still hold the socket, and then closing it here would not end its events.
  worker_.loop().forget(raw);
  greeting.fd_.reset();
}

void Greetings::fail(Greeting& greeting, const char* why) {
  base::log::warn("proxy_header_refused", {{"reason", why}});
  worker_.cells().connections_refused.add();
  worker_.cells().failure(Failure::kProxyHeader).add();
  end(greeting);
}

void Greetings::tick(base::Instant now) {
  std::vector<Greeting*> late;
  for (const auto& [fd, greeting] : waiting_) {
    if (greeting->deadline_ <= now) late.push_back(greeting.get());
  }
  for (Greeting* const greeting : late) fail(*greeting, "it did not come in time");
}

void Greetings::move_to(Outbox& outbox) {
  for (auto& [raw, greeting] : waiting_) {
    worker_.loop().forget(raw);
    Departed departed;
    departed.record.is_greeting = true;
    departed.record.is_tls = greeting->entrance_.tls;
    departed.record.open_cache = greeting->entrance_.open_cache;
    departed.record.address = greeting->peer_;
    departed.record.in = greeting->head_;
    departed.fd = std::move(greeting->fd_);
    outbox.put(std::move(departed));
    ended_.push_back(std::move(greeting));
  }
  waiting_.clear();
}

void Greetings::close_all() {
  for (auto& [fd, greeting] : waiting_) {
    worker_.loop().forget(fd);
    ended_.push_back(std::move(greeting));
  }
  waiting_.clear();
  for (const auto& greeting : ended_) greeting->fd_.reset();
}

}  // namespace proxy
