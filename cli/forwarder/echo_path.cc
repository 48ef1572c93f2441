#include "cli/forwarder/echo_path.h"

#include <sys/socket.h>

#include <algorithm>

namespace cli {
namespace {

constexpr size_t kLongest = 512;
constexpr int kAtOnce = 16;

// The next datagram; nothing when there is none.
std::optional<std::string> read_datagram(int fd, sockaddr_in* from) {
  std::string bytes(kLongest, '\0');
  socklen_t size = sizeof *from;
  const ssize_t count = ::recvfrom(fd, bytes.data(), bytes.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(from), from ? &size : nullptr);
  if (count < 0) return std::nullopt;
  bytes.resize(static_cast<size_t>(count));
  return bytes;
}

}  // namespace

std::optional<EchoPath> EchoPath::open(const LinkPlace& listen, const LinkPlace& echo) {
  auto asker = datagrams_at(listen);
  auto responder = datagrams_to(echo);
  if (!asker || !responder) return std::nullopt;
  return EchoPath(std::move(*asker), std::move(*responder));
}

void EchoPath::read_asker(const LinkName& link, FaultSet& faults, base::Instant now) {
  for (int i = 0; i < kAtOnce; ++i) {
    auto question = read_datagram(asker_.get(), &asked_by_);
    if (!question) return;
    const auto held = faults.draw_datagram(link);
    if (held && questions_.size() < kMostHeld) questions_.emplace(now + *held, *question);
  }
}

void EchoPath::read_responder(base::Instant now) {
  for (int i = 0; i < kAtOnce; ++i) {
    auto answer = read_datagram(responder_.get(), nullptr);
    if (!answer) return;
    if (answers_.size() < kMostHeld) answers_.emplace(now, *answer);
  }
}

void EchoPath::pass_on(base::Instant now) {
  while (!questions_.empty() && questions_.begin()->first <= now) {
    const std::string& bytes = questions_.begin()->second;
    (void)!::send(responder_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    questions_.erase(questions_.begin());
  }
  while (!answers_.empty() && answers_.begin()->first <= now) {
    const std::string& bytes = answers_.begin()->second;
    (void)!::sendto(asker_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&asked_by_), sizeof asked_by_);
    answers_.erase(answers_.begin());
  }
}

std::optional<base::Instant> EchoPath::due() const {
  std::optional<base::Instant> first;
  for (const Held* held : {&questions_, &answers_}) {
    if (held->empty()) continue;
    first = first ? std::min(*first, held->begin()->first) : held->begin()->first;
  }
  return first;
}

}  // namespace cli
