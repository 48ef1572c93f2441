#include "agent/action/canary.h"

#include <algorithm>
#include <utility>

#include "agent/coord/turn.h"
#include "base/core/check.h"
#include "base/core/secret.h"
#include "base/core/text.h"

namespace agent::action {
namespace {

constexpr size_t kMostTries = 200'000;  // of key names, to find some for every backend
constexpr const char* kLifetime = "60";
constexpr uint64_t kRequestsOfAKey = 2;  // a set and a get
constexpr std::string_view kStored = "STORED\r\n";

// The answer to a get of one key.
size_t get_end(std::string_view input) {
  if (!input.starts_with("VALUE ")) return one_line(input);
  const size_t end = input.find("\r\nEND\r\n");
  return end == std::string_view::npos ? 0 : end + 7;
}

// The answers to a set and a get that were sent together.
size_t set_and_get_end(std::string_view input) {
  const size_t set = one_line(input);
  if (set == 0 || set == std::string_view::npos) return set;
  const size_t get = get_end(input.substr(set));
  return get == 0 || get == std::string_view::npos ? get : set + get;
}

std::string first_line(std::string_view answer) {
  return base::printable(answer.substr(0, answer.find("\r\n")), 80);
}

std::string set_request(const std::string& key, const std::string& value, const char* lifetime) {
  return "set " + key + " 0 " + lifetime + " " + std::to_string(value.size()) + "\r\n" + value +
         "\r\n";
}

// Both leave in one packet, and are answered in their order: half the work for everybody.
std::string set_and_get_request(const std::string& key, const std::string& value) {
  return set_request(key, value, kLifetime) + "get " + key + "\r\n";
}

std::string get_hit(const std::string& key, const std::string& value) {
  return "VALUE " + key + " 0 " + std::to_string(value.size()) + "\r\n" + value + "\r\nEND\r\n";
}

// Not by a proxy whose connection was gone: what its last process may have counted went with it.
bool is_counted(const base::Result<>& asked) {
  return asked.ok() || asked.code() != base::ErrorCode::kUnavailable;
}

base::Error wrong(std::string what) {
  return base::Error(base::ErrorCode::kInvalid, std::move(what), base::Origin::kBackend);
}

}  // namespace

std::map<std::string, std::vector<std::string>> keys_by_backend(const base::EpochTable& table,
                                                                base::CacheId cache,
                                                                std::string_view prefix,
                                                                size_t count) {
  std::map<std::string, std::vector<std::string>> keys;
  if (table.epoch == 0) return keys;
  std::vector<bool> owns(table.backends.size(), false);
  for (const uint16_t owner : table.owner) {
    if (owner != base::EpochTable::kNoOwner) owns[owner] = true;
  }
  size_t missing = 0;
  for (size_t i = 0; i < owns.size(); ++i) {
    if (!owns[i]) continue;
    keys[table.backends[i].id];
    missing += count;
  }
  for (size_t n = 0; missing > 0 && n < kMostTries; ++n) {
    std::string key = std::string(prefix) + "-" + std::to_string(n);
    const uint16_t owner = table.owner[base::slot_of(cache, key)];
    if (owner == base::EpochTable::kNoOwner) continue;
    std::vector<std::string>& own = keys[table.backends[owner].id];
    if (own.size() >= count) continue;
    own.push_back(std::move(key));
    --missing;
  }
  return keys;
}

class Canary::Connection {
 public:
  Connection(boost::asio::any_io_executor executor, const coord::ProxySpec& proxy, uint16_t port,
             base::Timers& timers)
      : timers_(timers), turn_(executor), peer_(executor, proxy.id, proxy.address, port, timers) {}

  boost::asio::awaitable<coord::Turn::Held> take(base::Instant deadline) {
    co_return co_await coord::take_by(turn_, timers_, deadline);
  }

  // The caller holds the turn, here and below.
  boost::asio::awaitable<base::Result<>> log_in(std::string user, base::Secret password,
                                                base::Instant deadline) {
    auto connected = co_await peer_.connect(deadline);
    if (!connected.ok()) co_return connected;
    std::string request = set_request(user, std::string(password.reveal()), "0");
    auto answer = co_await peer_.exchange(std::move(request), one_line, deadline);
    if (!answer.ok() || *answer != kStored) {
      close();
      co_return answer.ok() ? wrong("set answered " + first_line(*answer)) : answer.error();
    }
    user_ = std::move(user);
    co_return base::Done{};
  }

  boost::asio::awaitable<base::Result<>> set_and_get(std::string key, std::string value,
                                                     base::Instant deadline, Look look) {
    std::string request = set_and_get_request(key, value);
    auto answer = co_await peer_.exchange(std::move(request), set_and_get_end, deadline, look);
    if (!answer.ok()) co_return answer.error();
    if (!answer->starts_with(kStored)) co_return wrong("set answered " + first_line(*answer));
    const std::string got = answer->substr(kStored.size());
    if (got == get_hit(key, value)) co_return base::Done{};
    if (got == "END\r\n") co_return wrong("get missed what was just set");
    co_return wrong("get answered " + first_line(got));
  }

  // Whether exactly `wanted` comes. The first byte that differs ends it.
  boost::asio::awaitable<base::Result<>> ask_for(std::string request, std::string wanted,
                                                 base::Instant deadline) {
    AnswerEnd end = [&wanted](std::string_view input) -> size_t {
      if (!std::string_view(wanted).starts_with(input)) return std::string_view::npos;
      return input.size() == wanted.size() ? input.size() : 0;
    };
    auto answer =
        co_await peer_.exchange(std::move(request), std::move(end), deadline, Look::kAtTicks);
    if (!answer.ok()) co_return answer.error();
    co_return base::Done{};
  }

  base::Duration took_since(base::Instant began) const { return peer_.took_since(began); }
  void close() {
    peer_.close();
    user_.clear();
  }
  bool connected() const { return peer_.connected(); }
  bool is_logged_in(std::string_view user) const { return connected() && user == user_; }

 private:
  base::Timers& timers_;
  coord::Turn turn_;
  TextPeer peer_;
  std::string user_;
};

Canary::Canary(boost::asio::any_io_executor executor, const coord::Region& region,
               const coord::TableJournal& journal, const coord::Tenants& tenants,
               base::Timers& timers)
    : executor_(std::move(executor)),
      region_(region),
      journal_(journal),
      tenants_(tenants),
      timers_(timers) {}

Canary::~Canary() = default;

Canary::Connection& Canary::connection(const std::string& proxy, const std::string& backend) {
  std::unique_ptr<Connection>& slot = connections_[{proxy, backend}];
  if (slot == nullptr) {
    const uint16_t port = region_.cluster_of(proxy)->ports.memcache;
    slot = std::make_unique<Connection>(executor_, *region_.proxy(proxy), port, timers_);
  }
  return *slot;
}

const Canary::Identity& Canary::identity(const std::string& cluster) {
  const auto [at, is_new] = identities_.try_emplace(cluster);
  Identity& known = at->second;
  const uint64_t change = tenants_.change_count();
  if (!is_new && known.change == change) return known;
  known = Identity();
  known.change = change;
  if (const coord::Cache* cache = tenants_.canary_cache(cluster)) {
    known.cache = cache->id;
    const coord::Credential* credential = tenants_.primary_credential(cache->id);
    if (credential != nullptr) known.user = credential->user;
  }
  return known;
}

void Canary::renew(Keys& keys, const std::string& proxy, const std::string& prefix, size_t count) {
  const std::string& cluster = region_.cluster_of(proxy)->name;
  const base::EpochTable& table = journal_.at(cluster).committed;
  const base::CacheId id = identity(cluster).cache;
  if (keys.epoch == table.epoch && keys.cache == id && keys.count >= count) return;
  keys.epoch = table.epoch;
  keys.cache = id;
  keys.count = count;
  keys.by_backend = keys_by_backend(table, id, prefix, count);
}

const Canary::Keys& Canary::keys_for(const std::string& proxy, size_t count) {
  Keys& keys = keys_[proxy];
  renew(keys, proxy, "canary-" + proxy, count);
  return keys;
}

Canary::Together& Canary::together(const std::string& proxy) {
  Together& known = together_.try_emplace(proxy, proxy).first->second;
  renew(known.keys, proxy, known.prefix, 1);
  return known;
}

boost::asio::awaitable<std::vector<CanaryAnswer>> Canary::probe(std::string proxy,
                                                                size_t keys_per_backend,
                                                                base::Duration timeout) {
  const base::Instant deadline = timers_.clock().now() + timeout;
  co_return co_await probe_each(std::move(proxy), keys_per_backend, deadline, Look::kAtOnce);
}

boost::asio::awaitable<CanaryLook> Canary::look(std::string proxy, base::Duration timeout,
                                                std::function<void()> doubted) {
  CHECK(region_.proxy(proxy) != nullptr);
  Together& all = together(proxy);
  CanaryLook result;
  Tried tried;
  const bool was_trusted = all.trusted;
  if (was_trusted) {
    tried = co_await probe_together(proxy, timers_.clock().now() + all.patience);
    if (tried.done.ok()) {
      result.answers = std::move(tried.answers);
      result.together = true;
      if (!result.answers.empty() && result.answers.front().took < all.patience / 4) {
        all.patience = std::max(all.patience / 2, kLeastPatience);
      }
      co_return result;
    }
    all.trusted = false;
    doubted();
  }
  const base::Instant deadline = timers_.clock().now() + timeout;
  result.answers = co_await probe_each(proxy, 1, deadline, Look::kAtBeats);
  // What the first try had sent may have been obeyed, and is the canary's too.
  for (CanaryAnswer& answer : result.answers) {
    for (const CanaryAnswer& first : tried.answers) {
      if (first.backend == answer.backend) answer.requests += first.requests;
    }
  }
  const bool well = std::all_of(result.answers.begin(), result.answers.end(),
                                [](const CanaryAnswer& answer) { return answer.ok; });
  const base::Instant now = timers_.clock().now();
  if (!well || (was_trusted && !is_explained(all, tried))) all.doubted_until = now + kDoubt;
  if (well && !tried.done.ok() && tried.done.code() == base::ErrorCode::kTimeout) {
    all.patience = std::min(2 * all.patience, kMostPatience);
  }
  all.trusted = well && now >= all.doubted_until;
  co_return result;
}

// Whether all may be asked together the next time although they have just not answered so: they were
// given less time than they can be, or the connection was one to the proxy's last process.
bool Canary::is_explained(const Together& all, const Tried& failed) {
  if (failed.done.code() == base::ErrorCode::kTimeout) return all.patience < kMostPatience;
  return failed.done.code() == base::ErrorCode::kUnavailable && failed.was_kept;
}

// All are ok, or it is not known which of them are not.
boost::asio::awaitable<Canary::Tried> Canary::probe_together(std::string proxy,
                                                             base::Instant deadline) {
  const std::map<std::string, std::vector<std::string>> keys = together(proxy).keys.by_backend;
  Connection& peer = connection(proxy, "");
  const std::string user = identity(region_.cluster_of(proxy)->name).user;
  const base::Instant began = timers_.clock().now();
  base::Result<> done;
  bool asked = false;
  const bool was_kept = peer.is_logged_in(user);
  if (!was_kept) done = co_await log_in(peer, user, deadline);
  if (done.ok()) {
    asked = true;
    const std::string value = proxy + " " + std::to_string(++probes_);
    std::string request;
    std::string wanted;
    for (const auto& [backend, its] : keys) {
      if (its.empty()) continue;  // its slots are too few to find a key for
      request += set_and_get_request(its.front(), value);
      wanted += std::string(kStored) + get_hit(its.front(), value);
    }
    if (!request.empty()) {
      done = co_await peer.ask_for(std::move(request), std::move(wanted), deadline);
    }
  }
  const base::Duration took = peer.took_since(began);
  std::vector<CanaryAnswer> answers(keys.size());
  size_t i = 0;
  for (const auto& [backend, its] : keys) {
    CanaryAnswer& answer = answers[i++];
    answer.proxy = proxy;
    answer.backend = backend;
    answer.ok = done.ok();
    answer.logged_in = asked;
    answer.took = took;
    if (asked && is_counted(done)) answer.requests = kRequestsOfAKey;
    if (!done.ok()) answer.what = done.error().context;
  }
  Tried tried;
  tried.answers = std::move(answers);
  tried.done = std::move(done);
  tried.was_kept = was_kept;
  co_return tried;
}

boost::asio::awaitable<std::vector<CanaryAnswer>> Canary::probe_each(std::string proxy,
                                                                     size_t count,
                                                                     base::Instant deadline,
                                                                     Look look) {
  CHECK(region_.proxy(proxy) != nullptr);
  const std::map<std::string, std::vector<std::string>> keys = keys_for(proxy, count).by_backend;
  std::vector<CanaryAnswer> answers(keys.size());
  std::vector<boost::asio::awaitable<void>> works;
  size_t i = 0;
  for (const auto& [backend, all] : keys) {
    CanaryAnswer& answer = answers[i++];
    answer.proxy = proxy;
    answer.backend = backend;
    std::vector<std::string> some(
        all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), count)));
    works.push_back(probe_one(connection(proxy, backend), std::move(some), deadline, look, answer));
  }
  co_await coord::run_all(executor_, std::move(works));
  co_return answers;
}

boost::asio::awaitable<base::Result<>> Canary::log_in(Connection& connection,
                                                      const std::string& user,
                                                      base::Instant deadline) {
  auto password = tenants_.reveal(user);
  if (!password.ok()) co_return password.error();
  std::string name = user;
  co_return co_await connection.log_in(std::move(name), std::move(*password), deadline);
}

boost::asio::awaitable<void> Canary::probe_one(Connection& connection,
                                               std::vector<std::string> keys,
                                               base::Instant deadline, Look look,
                                               CanaryAnswer& answer) {
  const auto held = co_await connection.take(deadline);
  if (!held.holds()) {
    answer.what = "an earlier probe is still under way";
    co_return;
  }
  const std::string user = identity(region_.cluster_of(answer.proxy)->name).user;
  if (user.empty()) {
    answer.what = "the canary has no credential";
    co_return;
  }
  base::Result<> done;
  // A kept connection may have died with the proxy's last process: that alone is no failure.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool kept = connection.connected();
    const base::Instant began = timers_.clock().now();
    done = base::Done{};
    if (!connection.is_logged_in(user)) done = co_await log_in(connection, user, deadline);
    answer.logged_in = done.ok();
    const std::string value = answer.proxy + " " + std::to_string(++probes_);
    for (const std::string& key : keys) {
      if (!done.ok()) break;
      done = co_await connection.set_and_get(key, value, deadline, look);
      if (is_counted(done)) answer.requests += kRequestsOfAKey;
    }
    answer.took = connection.took_since(began);
    if (done.ok() || !kept || done.code() != base::ErrorCode::kUnavailable) break;
  }
  answer.ok = done.ok();
  if (!done.ok()) answer.what = done.error().context;
}

}  // namespace agent::action
