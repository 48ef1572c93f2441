#include "agent/action/process_provider.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <filesystem>
#include <initializer_list>

#include "agent/action/child_process.h"
#include "agent/action/forwarder_links.h"
#include "agent/action/own_certificate.h"
#include "agent/action/proxy_file.h"
#include "agent/coord/turn.h"
#include "base/core/check.h"
#include "base/core/file.h"
#include "base/core/rng.h"
#include "base/telemetry/log.h"

namespace agent::action {
namespace {

using coord::Kind;
using Descriptor = boost::asio::posix::stream_descriptor;

constexpr base::Duration kRestOfWatch = std::chrono::minutes(1);
constexpr base::Duration kPidPatience = std::chrono::seconds(1);
constexpr base::Duration kPidLook = std::chrono::milliseconds(10);
constexpr base::Duration kStopGrace = std::chrono::seconds(2);
constexpr base::Duration kKillPatience = std::chrono::seconds(5);
constexpr base::Duration kForwarderLook = std::chrono::milliseconds(100);
constexpr base::Duration kForwarderBackoff = std::chrono::seconds(2);
constexpr base::Duration kSuccessorLook = std::chrono::milliseconds(5);
constexpr const char* kTakeOver = "--take-over";
constexpr const char* kMemcachedUser = "nobody";  // where the agent is root
constexpr const char* kConnectionsPerBackend = "4096";

bool has_ended(int pidfd) {
  pollfd ended{pidfd, POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

// Invariant: pid != 0 exactly while the process is taken to run; `pidfd` is then open.
struct ProcessProvider::Entry {
  Entry(boost::asio::any_io_executor executor, const coord::Process& process)
      : kind(process.kind), cluster(process.cluster), ended(std::move(executor)) {}
  const Kind kind;
  const std::string cluster;
  pid_t pid = 0;
  base::net::UniqueFd pidfd;
  uint64_t life = 0;
  bool is_succeeded = false;  // a successor is taking over: succeed() sees to what ends
  coord::Signal ended;
};

ProcessProvider::ProcessProvider(boost::asio::any_io_executor executor, coord::Region& region,
                                 base::Timers& timers, base::Gate& gate,
                                 std::function<base::CacheId(std::string_view)> open_cache)
    : executor_(std::move(executor)),
      region_(region),
      timers_(timers),
      gate_(gate),
      open_cache_(std::move(open_cache)) {
  for (const coord::Process* process : region.processes()) {
    entries_.emplace(process->id, std::make_unique<Entry>(executor_, *process));
  }
}

ProcessProvider::~ProcessProvider() = default;

void ProcessProvider::listen(std::function<void(const ProcessEvent&)> listener) {
  listeners_.push_back(std::move(listener));
}

ProcessProvider::Entry& ProcessProvider::entry(std::string_view id) const {
  const auto at = entries_.find(id);
  CHECK(at != entries_.end());
  return *at->second;
}

bool ProcessProvider::running(const std::string& id) const {
  return entry(id).pid != 0;
}

std::string ProcessProvider::token_on_disk(const std::string& id) const {
  auto token = base::read_file(region_.spec().run_path(id, ".token"), 4096);
  return token.ok() ? *token : std::string();
}

std::string ProcessProvider::running_token(const std::string& id) const {
  return running(id) ? region_.process(id)->token : std::string();
}

base::Result<> ProcessProvider::make_places() const {
  const coord::RegionSpec& spec = region_.spec();
  for (const char* name : {"/run", "/log", "/state"}) {
    auto made = base::make_directories(spec.dir + name, 0700);
    if (!made.ok()) return made;
  }
  // memcached runs as another user and only needs its inherited descriptors.
  return base::make_directories(parent_of(spec.telemetry_path("x")), 0700);
}

std::vector<std::string> ProcessProvider::arguments(const std::string& id) const {
  const coord::RegionSpec& spec = region_.spec();
  if (entry(id).kind == Kind::kForwarder) {
    return std::vector<std::string>{spec.programs.tool, "forwarder", "--socket",
                                    spec.forwarder_socket()};
  }
  const coord::ClusterSpec& cluster = *region_.cluster_of(id);
  if (region_.proxy(id) != nullptr) {
    return std::vector<std::string>{spec.programs.proxy, "--config", proxy_file_path(spec, id)};
  }
  const coord::BackendSpec& backend = *region_.backend(id);
  std::vector<std::string> argv{spec.programs.memcached};
  const auto add = [&argv](std::initializer_list<std::string> more) {
    argv.insert(argv.end(), more);
  };
  if (backend.is_unix()) {
    add({"-s", backend.address, "-a", "0660"});
  } else {
    add({"-l", backend.address, "-p", std::to_string(cluster.ports.backend), "-U", "0"});
  }
  add({"-m", std::to_string(std::max<uint64_t>(backend.memory >> 20, 1)), "-t", "1", "-c",
       kConnectionsPerBackend});
  if (::geteuid() == 0) add({"-u", kMemcachedUser});
  return argv;
}

// memcached makes its socket after it has become its user, and makes no folder.
base::Result<> ProcessProvider::prepare_backend(const coord::BackendSpec& backend) const {
  if (!backend.is_unix()) return base::Done{};
  const std::string folder = parent_of(backend.address);
  if (::access(folder.c_str(), F_OK) == 0) return base::Done{};
  auto made = base::make_directories(folder, 0755);
  if (!made.ok()) return made;
  const passwd* const user = ::geteuid() == 0 ? ::getpwnam(kMemcachedUser) : nullptr;
  if (user != nullptr && ::chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0) {
    return base::Error(
        base::ErrorCode::kPermission,
        "cannot give " + folder + " to " + kMemcachedUser + ": " + std::strerror(errno));
  }
  return base::Done{};
}

// Its configuration file, and what that names.
base::Result<> ProcessProvider::prepare_proxy(const coord::ProxySpec& proxy) const {
  const coord::RegionSpec& spec = region_.spec();
  const coord::ClusterSpec& cluster = *region_.cluster_of(proxy.id);
  const base::CacheId open_cache = open_cache_ ? open_cache_(cluster.name) : 0;
  auto made = base::make_directories(spec.state_dir(proxy.id), 0700);
  if (!made.ok()) return made;
  if (cluster.ports.tls != 0) {
    auto ensured = ensure_certificate(spec);
    if (!ensured.ok()) return ensured.error();
  }
  return base::write_file_atomic(proxy_file_path(spec, proxy.id),
                                 proxy_file(spec, cluster, proxy, open_cache),
                                 base::Durability::kRenameOnly, 0600);
}

boost::asio::awaitable<base::Result<pid_t>> ProcessProvider::start(std::string id,
                                                                   std::string token) {
  const coord::RegionSpec& spec = region_.spec();
  if (running(id)) {
    co_return base::Error(base::ErrorCode::kExists,
                          id + " runs already as process " + std::to_string(entry(id).pid));
  }
  if (stopping_) co_return base::Error(base::ErrorCode::kRefused, "the region is being stopped");
  if (const coord::ProxySpec* proxy = region_.proxy(id)) {
    auto prepared = prepare_proxy(*proxy);
    if (!prepared.ok()) co_return prepared.error();
  }
  if (const coord::BackendSpec* backend = region_.backend(id)) {
    auto prepared = prepare_backend(*backend);
    if (!prepared.ok()) co_return prepared.error();
  }
  ChildPlan plan;
  plan.argv = arguments(id);
  plan.log_file =
      region_.proxy(id) != nullptr ? spec.dir + "/log/" + id + ".out.log" : spec.log_path(id);
  plan.lock_file = spec.run_path(id, ".lock");
  plan.token_file = spec.run_path(id, ".token");
  plan.token = token;
  auto pid = spawn_child(plan);
  if (!pid.ok() && pid.code() == base::ErrorCode::kExists) {
    // Somebody else's hand, or our own before a crash: take it over.
    auto adopted = co_await adopt_one(id);
    if (!adopted.ok()) co_return adopted.error();
    co_return pid.error();
  }
  if (!pid.ok()) co_return pid.error();
  auto pidfd = open_pidfd(*pid);
  if (!pidfd.ok()) co_return pidfd.error();
  begin_watch(id, *pid, std::move(*pidfd), std::move(token), "started");
  co_return *pid;
}

void ProcessProvider::begin_watch(const std::string& id, pid_t pid, base::net::UniqueFd pidfd,
                                  std::string token, const char* how) {
  Entry& each = entry(id);
  each.pid = pid;
  each.pidfd = std::move(pidfd);
  ++each.life;
  region_.started(id, pid, std::move(token), timers_.clock().wall());
  ProcessEvent event;
  event.kind = each.kind;
  event.id = id;
  event.cluster = each.cluster;
  event.running = true;
  event.pid = pid;
  event.how = how;
  event.at = timers_.clock().now();
  base::spawn(executor_, gate_, "watch process", watch(id, each.life));
  for (const auto& listener : listeners_) listener(event);
}

// Until the process has ended; one that has a successor ends soon, too. The alarm is for the agent's end,
// at which all alarms ring. The descriptor is a copy, so that whoever closes the entry's does not pull it
// away from under the wait.
boost::asio::awaitable<void> ProcessProvider::watch(std::string id, uint64_t life) {
  Descriptor descriptor(executor_, ::fcntl(entry(id).pidfd.get(), F_DUPFD_CLOEXEC, 0));
  while (!gate_.closed()) {
    boost::system::error_code failed;
    const auto end =
        timers_.alarm(timers_.clock().now() + kRestOfWatch, [&descriptor] { descriptor.cancel(); });
    co_await descriptor.async_wait(Descriptor::wait_read,
                                   boost::asio::redirect_error(boost::asio::use_awaitable, failed));
    if (entry(id).life != life) co_return;
    if (!failed) break;
  }
  if (!gate_.closed() && !entry(id).is_succeeded) on_end(id);
}

void ProcessProvider::on_end(const std::string& id) {
  Entry& each = entry(id);
  ProcessEvent event;
  event.kind = each.kind;
  event.id = id;
  event.cluster = each.cluster;
  event.pid = each.pid;
  event.how = reap(each.pidfd);
  event.at = timers_.clock().now();
  each.pid = 0;
  each.pidfd.reset();
  ++each.life;
  region_.ended(id, event.how, timers_.clock().wall());
  each.ended.notify();
  for (const auto& listener : listeners_) listener(event);
}

// True when there was something to adopt.
boost::asio::awaitable<base::Result<bool>> ProcessProvider::adopt_one(std::string id) {
  if (running(id)) co_return true;
  const std::string lock = region_.spec().run_path(id, ".lock");
  const base::Instant patience = timers_.clock().now() + kPidPatience;
  while (true) {
    auto holder = lock_holder(lock);
    if (!holder.ok()) co_return holder.error();
    if (!holder->has_value()) co_return false;
    const pid_t pid = **holder;
    const std::vector<std::string> expected = arguments(id);
    if (pid != 0) {
      auto pidfd = open_pidfd(pid);
      // The pid is right only if the lock is still held now that we hold a pidfd, and the process is what
      // we would have started (the arguments name the member).
      auto again = lock_holder(lock);
      if (pidfd.ok() && again.ok() && *again == *holder) {
        const auto seen = command_line(pid);
        // One that succeeded another has been told whom, behind the rest.
        const bool succeeded =
            seen.size() == expected.size() + 2 && seen[expected.size()] == kTakeOver;
        const auto end = succeeded ? seen.end() - 2 : seen.end();
        const bool same = seen.size() > 1 &&
                          std::equal(seen.begin() + 1, end, expected.begin() + 1, expected.end());
        if (same) {
          begin_watch(id, pid, std::move(*pidfd), token_on_disk(id), "adopted");
          co_return true;
        }
      }
    }
    if (timers_.clock().now() >= patience) break;
    co_await timers_.wait_for(kPidLook);
  }
  co_return base::Error(base::ErrorCode::kConflict,
                        lock + " is held by a process that is not " + id +
                            " as agent.yaml describes it; stop that process (its number is in the "
                            "file), then start again");
}

boost::asio::awaitable<base::Result<std::vector<std::string>>> ProcessProvider::adopt() {
  std::vector<std::string> missing;
  for (const coord::Process* process : region_.processes()) {
    auto adopted = co_await adopt_one(process->id);
    if (!adopted.ok()) co_return adopted.error();
    if (!*adopted) missing.push_back(process->id);
  }
  co_return missing;
}

boost::asio::awaitable<base::Result<>> ProcessProvider::start_region() {
  auto places = make_places();
  if (!places.ok()) co_return places;
  auto missing = co_await adopt();
  if (!missing.ok()) co_return missing.error();
  const std::string marker = region_.spec().run_path("starting", "");
  const bool nothing_ran = missing->size() == entries_.size();
  const bool interrupted = ::access(marker.c_str(), F_OK) == 0;
  const std::string forwarder(coord::kForwarderId);
  if (nothing_ran || interrupted) {
    auto marked = base::write_file_atomic(marker, "", base::Durability::kRenameOnly, 0600);
    if (!marked.ok()) co_return marked;
    const std::string token = "start-" + base::random_hex(8);
    for (const std::string& id : *missing) {
      auto started = co_await start(id, token);
      if (!started.ok()) co_return started.error();
    }
    ::unlink(marker.c_str());
  } else {
    for (const std::string& id : *missing) {
      if (id != forwarder) region_.ended(id, "ended without an agent", timers_.clock().wall());
    }
  }
  if (region_.spec().gameday) {
    base::spawn(executor_, gate_, "keep forwarder", keep_forwarder());
  }
  co_return base::Done{};
}

// The forwarder only exists on game days; no runbook is about it, so it is simply kept, and told its
// links whenever it is another process than the one that was told.
boost::asio::awaitable<void> ProcessProvider::keep_forwarder() {
  const std::string id(coord::kForwarderId);
  uint64_t told = 0;
  while (!gate_.closed() && !stopping_) {
    base::Result<> done;
    if (!running(id)) {
      const std::string token = "keep-" + base::random_hex(8);
      auto started = co_await start(id, token);
      if (!started.ok()) done = started.error();
    }
    const uint64_t life = entry(id).life;
    if (done.ok() && told != life) {
      done = co_await set_forwarder_links(region_, timers_);
      if (done.ok()) told = life;
    }
    if (!done.ok() && !running(id)) {
      base::log::warn("forwarder_not_started", {{"error", done.error()}});
      co_await timers_.wait_for(kForwarderBackoff);
    }
    co_await timers_.wait_for_beat(kForwarderLook);
  }
}

boost::asio::awaitable<bool> ProcessProvider::wait_end(std::string id, base::Instant deadline) {
  Entry& each = entry(id);
  const uint64_t life = each.life;
  while (each.life == life && each.pid != 0 && !gate_.closed() &&
         timers_.clock().now() < deadline) {
    co_await coord::wait_signal(each.ended, timers_, deadline);
  }
  co_return each.life != life || each.pid == 0;
}

boost::asio::awaitable<base::Result<>> ProcessProvider::kill(std::string id,
                                                             base::Duration timeout) {
  if (!running(id)) co_return base::Done{};
  auto sent = send_signal(entry(id).pidfd, SIGKILL);
  if (!sent.ok()) co_return sent;
  const bool ended = co_await wait_end(id, timers_.clock().now() + timeout);
  if (ended) co_return base::Done{};
  co_return base::Error(base::ErrorCode::kTimeout,
                        id + " (process " + std::to_string(entry(id).pid) +
                            ") was killed but has not ended: it waits in the kernel");
}

boost::asio::awaitable<base::Result<pid_t>> ProcessProvider::succeed(std::string id,
                                                                     std::string token,
                                                                     base::Duration patience) {
  const coord::RegionSpec& spec = region_.spec();
  const coord::ProxySpec* const proxy = region_.proxy(id);
  Entry& each = entry(id);
  if (proxy == nullptr || each.pid == 0 || each.is_succeeded || stopping_) {
    co_return base::Error(base::ErrorCode::kConflict, id + " has nothing to hand over now");
  }
  const base::Instant deadline = timers_.clock().now() + patience;
  auto prepared = prepare_proxy(*proxy);
  if (!prepared.ok()) co_return prepared.error();
  ChildPlan plan;
  plan.argv = arguments(id);
  plan.argv.push_back(kTakeOver);
  plan.argv.push_back(spec.run_path(id, ".sock"));
  plan.log_file = spec.dir + "/log/" + id + ".out.log";
  auto pid = spawn_child(plan);
  if (!pid.ok()) co_return pid.error();
  auto pidfd = open_pidfd(*pid);
  if (!pidfd.ok()) co_return pidfd.error();
  each.is_succeeded = true;
  const uint64_t life = each.life;
  auto done = co_await wait_successor(id, *pid, pidfd->get(), deadline);
  each.is_succeeded = false;
  if (gate_.closed()) co_return base::Error(base::ErrorCode::kUnavailable, "the agent is ending");
  if (!done.ok()) {
    static_cast<void>(send_signal(*pidfd, SIGKILL));
    co_await see_off(id, std::move(*pidfd));
    // Nobody has watched it meanwhile.
    if (each.life == life && has_ended(each.pidfd.get())) on_end(id);
    co_return done.error();
  }
  auto written = base::write_file_atomic(spec.run_path(id, ".token"), token,
                                         base::Durability::kRenameOnly, 0644);
  if (!written.ok()) co_return written.error();
  base::net::UniqueFd old = std::move(each.pidfd);
  begin_watch(id, *pid, std::move(*pidfd), std::move(token), "took over");
  base::spawn(executor_, gate_, "see off", see_off(id, std::move(old)));
  co_return *pid;
}

// Until the lock is the new process's: it has everything then.
boost::asio::awaitable<base::Result<>> ProcessProvider::wait_successor(std::string id, pid_t pid,
                                                                       int pidfd,
                                                                       base::Instant deadline) {
  const std::string lock = region_.spec().run_path(id, ".lock");
  while (timers_.clock().now() < deadline && !gate_.closed() && !stopping_) {
    if (has_ended(pidfd)) {
      co_return base::Error(
          base::ErrorCode::kUnavailable,
          "the new process of " + id +
              " could not take over; its log says why: " + region_.spec().log_path(id));
    }
    auto holder = lock_holder(lock);
    if (holder.ok() && *holder == std::optional<pid_t>(pid)) co_return base::Done{};
    co_await timers_.wait_for(kSuccessorLook);
  }
  co_return base::Error(base::ErrorCode::kTimeout,
                        "the new process of " + id + " has not taken over in time");
}

// A process that has nothing left to do ends, or is made to, and is reaped.
boost::asio::awaitable<void> ProcessProvider::see_off(std::string id, base::net::UniqueFd pidfd) {
  const base::Instant deadline = timers_.clock().now() + kKillPatience;
  while (!has_ended(pidfd.get()) && !gate_.closed()) {
    if (timers_.clock().now() >= deadline) static_cast<void>(send_signal(pidfd, SIGKILL));
    co_await timers_.wait_for(kPidLook);
  }
  const std::string how = reap(pidfd);
  base::log::info("process_seen_off", {{"id", id}, {"how", how}});
}

boost::asio::awaitable<base::Result<>> ProcessProvider::stop(std::string id, base::Duration grace) {
  if (!running(id)) co_return base::Done{};
  auto sent = send_signal(entry(id).pidfd, SIGTERM);
  if (!sent.ok()) co_return sent;
  const bool ended = co_await wait_end(id, timers_.clock().now() + grace);
  if (ended) co_return base::Done{};
  co_return co_await kill(id, kKillPatience);
}

base::Result<> ProcessProvider::signal(const std::string& id, int signal_number) {
  if (region_.process(id) == nullptr) {
    return base::Error(base::ErrorCode::kNotFound, "no proxy or backend is named " + id,
                       base::Origin::kClient);
  }
  if (!running(id)) {
    return base::Error(base::ErrorCode::kConflict, id + " does not run", base::Origin::kClient);
  }
  return send_signal(entry(id).pidfd, signal_number);
}

boost::asio::awaitable<void> ProcessProvider::stop_one(std::string id) {
  auto stopped = co_await stop(id, kStopGrace);
  if (!stopped.ok()) {
    base::log::error("not_stopped", {{"id", id}, {"error", stopped.error()}});
  }
}

boost::asio::awaitable<void> ProcessProvider::stop_region() {
  stopping_ = true;
  for (const Kind kind : {Kind::kProxy, Kind::kForwarder, Kind::kBackend}) {
    std::vector<boost::asio::awaitable<void>> works;
    for (const auto& [id, each] : entries_) {
      if (each->kind == kind) works.push_back(stop_one(id));
    }
    co_await coord::run_all(executor_, std::move(works));
  }
  const std::string telemetry = parent_of(region_.spec().telemetry_path("x"));
  if (telemetry.starts_with("/dev/shm/mcguard-")) {
    std::error_code ignored;
    std::filesystem::remove_all(telemetry, ignored);
  }
}

}  // namespace agent::action
