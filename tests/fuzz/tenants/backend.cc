#include "backend.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "base/core/check.h"
#include "base/core/hash.h"
#include "base/memcache/word.h"
#include "command.h"

namespace tenants {
namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
constexpr std::string_view kFence = "!mcguard/fence";
constexpr size_t kPrefix = 14, kDigest = 22, kLongestKey = 250, kLongestLine = 2048;
constexpr size_t kMostWords = 19;  // and the end, which memcached counts too
constexpr int kPatience = 2000;    // ms, for bytes that are under way on loopback

uint64_t read_number(std::string_view digits) {
  uint64_t number = 0;
  for (const char digit : digits) {
    const size_t at = kDigits.find(digit);
    CHECK(at != std::string_view::npos);
    number = number << 6 | at;
  }
  return number;
}

std::string write_number(uint64_t number, size_t width) {
  std::string text(width, '0');
  for (; width > 0; number >>= 6) text[--width] = kDigits[number & 63];
  return text;
}

void await(int fd, short events) {
  pollfd waits{fd, events, 0};
  CHECK(::poll(&waits, 1, kPatience) == 1);
}

}  // namespace

base::CacheId cache_of(std::string_view stored) {
  CHECK(stored.size() >= kPrefix && stored.size() <= kLongestKey);
  CHECK(stored[0] == 'k' || stored[0] == 'd');
  for (const char c : stored) CHECK(static_cast<uint8_t>(c) > 0x20 && c != 0x7f);
  read_number(stored.substr(5, 9));
  if (stored[0] == 'd') {
    CHECK(stored.size() == kPrefix + kDigest);
    read_number(stored.substr(kPrefix));
  }
  return static_cast<base::CacheId>(read_number(stored.substr(1, 4)));
}

std::string stored_key(base::CacheId cache, base::Generation generation, std::string_view key) {
  return "k" + write_number(cache, 4) + write_number(generation, 5) + write_number(1, 4) +
         std::string(key);
}

Backend::Backend() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  CHECK(::bind(listener_.get(), generic, size) == 0 && ::listen(listener_.get(), 1) == 0);
  CHECK(::getsockname(listener_.get(), generic, &size) == 0);
  port_ = ::ntohs(address.sin_port);
}

void Backend::reset(std::string fence_record) {
  CHECK(in_.empty() && out_.empty());
  fence_record_ = std::move(fence_record);
  items_.clear();
  cas_ = heard_ = {};
}

void Backend::put(base::CacheId cache, std::string_view key, Item item) {
  item.cas = ++cas_[cache];
  items_[stored_key(cache, 1, key)] = std::move(item);
}

Items Backend::items_of(base::CacheId cache) const {
  Items found;
  for (const auto& [key, item] : items_) {
    if (cache_of(key) == cache) found[key] = item;
  }
  return found;
}

bool Backend::serve(uint64_t sent) {
  if (sent == received_ && out_.empty()) return false;
  if (!fd_.valid()) fd_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  receive(sent);
  size_t used = 0;
  for (size_t taken = 1; taken > 0 && used < in_.size(); used += taken) {
    taken = obey_one(std::string_view(in_).substr(used));
  }
  in_.erase(0, used);
  send();
  return true;
}

// What was sent on loopback may be a moment under way: comparing runs needs all of it.
void Backend::receive(uint64_t sent) {
  while (received_ < sent) {
    char bytes[64 * 1024];
    await(fd_.get(), POLLIN);
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    CHECK(got > 0);
    received_ += static_cast<uint64_t>(got);
    in_.append(bytes, static_cast<size_t>(got));
  }
}

// The bytes of one command; 0 when it is not whole.
size_t Backend::obey_one(std::string_view input) {
  const size_t end = input.find('\n');
  CHECK(std::min(end, input.size()) < kLongestLine);
  if (end == std::string_view::npos) return 0;
  CHECK(end > 0 && input[end - 1] == '\r');
  std::string_view rest = input.substr(0, end - 1);
  std::vector<std::string_view> words;
  for (auto word = base::memcache::take_word(rest); !word.empty();) {
    words.push_back(word);
    word = base::memcache::take_word(rest);
  }
  CHECK(words.size() >= 2 && words.size() <= kMostWords);
  const std::string_view verb = words[0], key = words[1];
  if (key == kFence) {
    CHECK(input.substr(0, end + 1) == "mg " + std::string(kFence) + " v\r\n");
    out_ += "VA " + std::to_string(fence_record_.size()) + "\r\n" + fence_record_ + "\r\n";
    return end + 1;
  }
  CHECK(verb == "mg" || verb == "ms" || verb == "md" || verb == "ma" || verb == "me");
  const base::CacheId cache = cache_of(key);
  CHECK(cache < kMostCaches && may_hear_[cache]);  // a key outside of the prefix of whoever spoke
  size_t whole = end + 1, size = 0;
  if (verb == "ms") {
    CHECK(words.size() >= 3);
    size = std::stoul(std::string(words[2]));
    if (input.size() < whole + size + 2) return 0;
    CHECK(input.substr(whole + size, 2) == "\r\n");
  }
  const std::string_view value = input.substr(whole, size);
  if (verb == "ms") whole += size + 2;
  heard_[cache] = base::hash64(input.substr(0, whole), heard_[cache]);
  out_ += Command(words).obey(items_, value, cas_[cache]);
  return whole;
}

// What the socket takes; the rest with the next call.
void Backend::send() {
  while (!out_.empty()) {
    const ssize_t wrote = ::send(fd_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote < 0 && errno == EAGAIN) return;
    CHECK(wrote > 0);
    answered_ += static_cast<uint64_t>(wrote);
    out_.erase(0, static_cast<size_t>(wrote));
  }
}

}  // namespace tenants
