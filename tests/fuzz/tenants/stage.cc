#include "stage.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/core/check.h"
#include "base/memcache/stored_key.h"

namespace tenants {

using proxy::tenant::Cache;
using proxy::tenant::Credential;
using proxy::tenant::Directory;

namespace {

constexpr std::array<std::string_view, kEverybody> kUsers = {"ANNA01", "BERT02", "", "READ03"};
constexpr std::string_view kSalt = "0123456789abcdef";
constexpr size_t kLatencyGroups =
    base::telemetry::most_latency_groups(base::telemetry::kMaxBackends);
constexpr size_t kMostTurns = 100'000;  // a run that does not come to rest is a finding

std::string password_of(Who who) {
  return "PW" + std::to_string(size_t(who)) + "d2Vha2VzdCBsaW5r";
}

Credential credential_of(Who who) {
  const std::string password = password_of(who);
  std::array<unsigned char, 32> verifier{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), kSalt.data(), int(kSalt.size()),
       reinterpret_cast<const unsigned char*>(password.data()), password.size(), verifier.data(),
       &size);
  Credential credential;
  credential.user = user_of(who);
  credential.cache = cache_of(who);
  credential.salt = kSalt;
  credential.verifier.assign(verifier.begin(), verifier.end());
  credential.write = credential.flush = who != Who::kReader;
  return credential;
}

std::string login_of(Who who, bool binary) {
  const std::string user(user_of(who)), password = password_of(who);
  if (!binary) {
    return "set " + user + " 0 0 " + std::to_string(password.size()) + "\r\n" + password + "\r\n";
  }
  const std::string body = std::string("PLAIN") + '\0' + user + '\0' + password;
  std::string frame("\x80\x21\0\5", 4);
  frame.resize(24);
  frame[11] = static_cast<char>(body.size());
  return frame + body;
}

}  // namespace

base::CacheId cache_of(Who who) {
  constexpr std::array<base::CacheId, kEverybody> kCaches = {1, 2, 0, 3};
  return kCaches[size_t(who)];
}

std::string_view user_of(Who who) {
  return kUsers[size_t(who)];
}

std::string known_value(base::CacheId cache, std::string_view key) {
  if (key == "n") return std::to_string(cache);
  return "kept by cache " + std::to_string(cache) + " as " + std::string(key);
}

Stage::Stage()
    : cells_(std::make_unique<base::telemetry::WorkerBlock>()),
      details_(std::make_unique<base::telemetry::DetailBlock>()),
      latency_store_(kLatencyGroups),
      latencies_(latency_store_.data(), kLatencyGroups, kLatencyGroups, {}),
      world_(make_world()) {
  const proxy::WorkerParts parts{0,          clock_,    *cells_,      *details_,
                                 latencies_, accounts_, connections_, *this};
  auto worker = proxy::Worker::create(parts, world_);
  CHECK(worker.ok());
  worker_ = std::move(*worker);
  for (Backend& backend : backends_) backend.reset("1 0");
  worker_->router().start(clock_.now());
  for (size_t turns = 0; !worker_->router().is_connected(); ++turns) {
    CHECK(turns < kMostTurns);
    exchange();
  }
}

Stage::~Stage() = default;

proxy::World Stage::make_world() {
  auto directory = std::make_shared<Directory>();
  for (const Who who : kAll) {
    if (cache_of(who) == 0) continue;
    Cache cache;
    cache.id = cache_of(who);
    cache.cas_secret = {cache.id, 1};
    directory->put_cache(cache);
    directory->credentials.put(std::string(user_of(who)), credential_of(who));
  }
  base::EpochTable table;
  table.epoch = 1;
  std::vector<proxy::ring::BackendRef> refs;
  for (uint16_t i = 0; i < backends_.size(); ++i) {
    const std::string id = "b" + std::to_string(i);
    table.backends.push_back({id, 1});
    refs.push_back({id, "127.0.0.1", backends_[i].port(), i, base::memcache::owner_hash(id)});
  }
  table.since.assign(base::kSlotCount, 1);
  for (uint32_t s = 0; s < base::kSlotCount; ++s) {
    table.owner.push_back(static_cast<uint16_t>(s % backends_.size()));
  }
  proxy::World world;
  world.view = proxy::ring::compile_view(&table, nullptr, 1, std::move(refs));
  world.directory = std::move(directory);
  return world;
}

void Stage::reset() {
  for (Seat& seat : seats_) seat = {};
  settle();
  CHECK(cells_->connections.get() == 0 && pending_.empty());
  worker_->router().install(world_, clock_.now());
  for (Backend& backend : backends_) backend.reset("1 0");
  flushes_ = {};
  // Nobody is connected, so nobody holds an account: each play begins with none, as a new proxy does.
  std::destroy_at(&accounts_);
  std::construct_at(&accounts_, 1);
  for (const Who who : kAll) {
    const base::CacheId cache = cache_of(who);
    if (cache == 0) continue;
    for (const std::string_view key : kKnown) {
      Item item;
      item.value = known_value(cache, key);
      item.flags = cache;
      backends_[base::slot_of(cache, key) % backends_.size()].put(cache, key, std::move(item));
    }
  }
}

void Stage::connect(Who who, bool binary) {
  Seat& seat = seats_[size_t(who)];
  if (seat.fd.valid()) drain(seat);
  seat.fd.reset();
  seat.unsent.clear();
  int ends[2] = {-1, -1};
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  seat.fd.reset(ends[0]);
  worker_->admit(base::net::UniqueFd(ends[1]), {0, size_t(who) + 1}, {});
  if (cache_of(who) != 0) seat.unsent = login_of(who, binary);
}

void Stage::send(Who who, std::string_view bytes) {
  Seat& seat = seats_[size_t(who)];
  seat.unsent += bytes;
  push(seat);
}

// What the socket takes. Bytes for a connection that the proxy has closed are lost.
void Stage::push(Seat& seat) {
  while (!seat.unsent.empty()) {
    const ssize_t wrote =
        ::send(seat.fd.get(), seat.unsent.data(), seat.unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) return seat.unsent.clear();
    seat.unsent.erase(0, static_cast<size_t>(wrote));
  }
}

bool Stage::drain(Seat& seat) {
  bool any = false;
  char bytes[16 * 1024];
  for (ssize_t got = 1; seat.fd.valid() && got > 0; any = any || got > 0) {
    got = ::recv(seat.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) seat.heard.append(bytes, static_cast<size_t>(got));
  }
  return any;
}

bool Stage::serve() {
  bool any = false;
  for (size_t i = 0; i < backends_.size(); ++i) {
    any = backends_[i].serve(cells_->backends[i].bytes_sent.get()) || any;
  }
  return any;
}

void Stage::take_answers() {
  for (size_t i = 0; i < backends_.size(); ++i) {
    for (size_t turns = 0; cells_->backends[i].bytes_received.get() != backends_[i].answered();
         ++turns) {
      CHECK(turns < kMostTurns);
      turn();
    }
  }
}

void Stage::exchange() {
  turn();
  serve();
  take_answers();
}

uint64_t Stage::moved() const {
  uint64_t sum = cells_->bytes_read.get() + cells_->bytes_written.get();
  for (size_t i = 0; i < backends_.size(); ++i) {
    sum += cells_->backends[i].bytes_sent.get() + cells_->backends[i].bytes_received.get();
  }
  return sum + cells_->connections_closed.get();
}

uint64_t Stage::in_flight() const {
  return cells_->backends[0].in_flight.get() + cells_->backends[1].in_flight.get();
}

void Stage::settle() {
  bool idle = false;
  for (size_t turns = 0; !idle; ++turns) {
    CHECK(turns < kMostTurns);
    const uint64_t before = moved();
    turn();
    bool any = serve();
    take_answers();
    for (Seat& seat : seats_) {
      if (!seat.fd.valid()) continue;
      any = drain(seat) || any;
      push(seat);
    }
    idle = !any && moved() == before && in_flight() == 0;
    if (idle && !pending_.empty()) {
      apply_flushes();
      turn();  // whose news may be no more than that its clients are read again
      idle = false;
    }
  }
  // No client's bytes may cost others the connection they share.
  for (size_t i = 0; i < backends_.size(); ++i) {
    CHECK(cells_->backends[i].connected.get() == 1 && cells_->backends[i].connects.get() == 1);
  }
}

void Stage::request_flush(proxy::FlushRequest request) {
  for (const Who who : {Who::kAnna, Who::kBert}) {
    if (request.credential != user_of(who)) continue;
    CHECK(request.cache == cache_of(who));
    return pending_.push_back(std::move(request));
  }
  CHECK(!"a flush by a credential that may not");
}

// The agent's part; a delayed flush is not due while time stands still.
void Stage::apply_flushes() {
  std::vector<proxy::FlushRequest> due;
  due.swap(pending_);
  for (const proxy::FlushRequest& request : due) {
    if (request.delay_s == 0) {
      const Directory& now = *worker_->world().directory;
      auto next = std::make_shared<Directory>(now);
      const base::Generation generation = now.caches.find(request.cache)->generation + 1;
      next->flush(request.cache, generation, now.flush_sequence() + 1);
      next->complete_flushes(next->flush_sequence());
      proxy::World world = worker_->world();
      world.directory = std::move(next);
      worker_->router().install(std::move(world), clock_.now());
    }
    ++flushes_[request.cache];
    request.done("OK\r\n");
  }
}

Items Stage::items(base::CacheId cache) const {
  Items all = backends_[0].items_of(cache);
  all.merge(backends_[1].items_of(cache));
  return all;
}

std::array<uint64_t, 2> Stage::commands(base::CacheId cache) const {
  return {backends_[0].heard_of(cache), backends_[1].heard_of(cache)};
}

void Stage::may_hear(const CacheSet& caches) {
  for (Backend& backend : backends_) backend.may_hear(caches);
}

}  // namespace tenants
