#include "agent/dns/file_switch.h"

#include <fcntl.h>
#include <sys/file.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>

#include "agent/dns/change.h"
#include "agent/dns/state_json.h"
#include "base/core/file.h"
#include "base/core/json.h"

namespace agent::dns {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::net::UniqueFd;

constexpr base::Duration kLockPause = std::chrono::milliseconds(2);

Error unusable(std::string what) {
  return Error(ErrorCode::kUnavailable, std::move(what));
}

// The object of the file, {"names":{…}}; a file that is not there is an empty zone.
base::Result<json::object> load(const std::string& path) {
  auto text = base::read_file(path);
  json::object root;
  root["names"] = json::object();
  if (!text) {
    if (text.code() == ErrorCode::kNotFound) return root;
    return unusable(text.error().context);
  }
  auto value = base::parse_json(*text);
  if (!value) return unusable(path + ": " + value.error().context);
  const json::value* names =
      value->is_object() ? value->get_object().if_contains("names") : nullptr;
  if (names == nullptr || !names->is_object()) return unusable(path + ": expected {\"names\":{…}}");
  return value->get_object();
}

base::Result<NameState> state_in(const json::object& root, const std::string& name,
                                 const std::string& path) {
  const json::value* state = root.at("names").get_object().if_contains(name);
  if (state == nullptr) return NameState();
  auto parsed = parse_state(*state, name);
  if (!parsed) return unusable(path + ": " + parsed.error().context);
  return parsed;
}

}  // namespace

FileSwitch::FileSwitch(base::Timers& timers, FileOptions options)
    : timers_(timers),
      options_(std::move(options)),
      path_(options_.directory + "/" + options_.zone + ".json") {}

boost::asio::awaitable<base::Result<UniqueFd>> FileSwitch::lock(base::Instant deadline) {
  const std::string path = options_.directory + "/" + options_.zone + ".lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) co_return unusable(path + ": " + std::strerror(errno));
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const base::Instant next = timers_.clock().now() + kLockPause;
    if (next >= deadline) co_return unusable(path + " is held by another process");
    co_await timers_.wait_until(next);
  }
  co_return fd;
}

boost::asio::awaitable<base::Result<std::vector<ServerView>>> FileSwitch::read(std::string name,
                                                                               base::Instant) {
  const auto normal = name_in_zone(name, options_.zone);
  if (!normal) co_return normal.error();
  const auto root = load(path_);
  std::vector<ServerView> views;
  views.push_back({path_, root ? state_in(*root, *normal, path_) : root.error()});
  co_return views;
}

boost::asio::awaitable<base::Result<Changed>> FileSwitch::change(Change change,
                                                                 base::Instant deadline) {
  const base::Result<Change> checked = check_change(std::move(change), options_.zone);
  if (!checked) co_return checked.error();
  const base::Result<UniqueFd> held = co_await lock(deadline);
  if (!held) co_return held.error();
  auto root = load(path_);
  if (!root) co_return root.error();
  const auto standing = state_in(*root, checked->name, path_);
  if (!standing) co_return standing.error();
  Changed changed;
  changed.state = wanted_state(*checked);
  if (already_done(*standing, *checked)) co_return changed;
  if (auto same = compare(*standing, *checked); !same) co_return same.error();
  root->at("names").get_object()[checked->name] = state_json(changed.state);
  const auto written =
      base::write_file_atomic(path_, json::serialize(*root) + "\n", base::Durability::kFsync);
  if (!written) {
    // The new file may stand there although the directory could not be synced.
    co_return Error(ErrorCode::kUnknown, written.error().context);
  }
  co_return changed;
}

boost::asio::awaitable<base::Result<>> FileSwitch::check(base::Instant deadline) {
  const base::Result<UniqueFd> held = co_await lock(deadline);
  if (!held) co_return held.error();
  const auto root = load(path_);
  if (!root) co_return root.error();
  co_return base::Done{};
}

}  // namespace agent::dns
