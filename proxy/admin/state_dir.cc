#include "proxy/admin/state_dir.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>

#include "base/core/file.h"

namespace proxy::admin {

namespace json = boost::json;
using base::Durability;
using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr unsigned kPrivate = 0600;  // verifiers are in there
constexpr size_t kLargestFile = 512u << 20;

Error log_error(const std::string& path) {
  return Error(ErrorCode::kIo, "cannot write " + path + "/changes.log: " + std::strerror(errno) +
                                   (errno == ENOSPC ? "; free some space" : ""));
}

// Nothing when the file is missing; damaged names it when it cannot be understood.
std::optional<json::object> load_object(SavedState& state, const std::string& path) {
  const Result<std::string> text = base::read_file(path, kLargestFile);
  if (!text) {
    if (text.code() != ErrorCode::kNotFound) state.damaged.push_back(text.error().context);
    return std::nullopt;
  }
  json::error_code failed;
  json::value parsed = json::parse(*text, failed);
  if (failed || !parsed.is_object()) {
    state.damaged.push_back(path + ": not a JSON object");
    return std::nullopt;
  }
  return std::move(parsed.get_object());
}

}  // namespace

Result<std::unique_ptr<StateDir>> StateDir::open(const std::string& path) {
  if (const auto made = base::make_directories(path, 0700); !made) return made.error();
  auto dir = std::unique_ptr<StateDir>(new StateDir(path));
  const std::string log = path + "/changes.log";
  dir->log_.reset(::open(log.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kPrivate));
  if (!dir->log_.valid()) {
    return Error(errno == EACCES ? ErrorCode::kPermission : ErrorCode::kIo,
                 "cannot open " + log + ": " + std::strerror(errno) +
                     "; make state_dir writable for this user");
  }
  return dir;
}

uint64_t StateDir::saved_fence() const {
  SavedState ignored;
  const auto fence = load_object(ignored, path_ + "/fence.json");
  const json::value* number = fence ? fence->if_contains("fence") : nullptr;
  json::error_code wrong;
  return number != nullptr && number->is_number() ? number->to_number<uint64_t>(wrong) : 0;
}

Result<SavedState> StateDir::load(bool owned) {
  SavedState state;
  state.directory = std::make_shared<tenant::Directory>();
  load_config(state);
  const Result<std::string> log = base::read_file(path_ + "/changes.log", kLargestFile);
  if (!log) return log.error();
  replay_log(state, *log, owned);
  state.committed = load_table(state, "committed.json");
  state.prepared = load_table(state, "prepared.json");
  if (const auto fence = load_object(state, path_ + "/fence.json")) {
    json::error_code wrong;
    const json::value* number = fence->if_contains("fence");
    const json::value* epoch = fence->if_contains("known_epoch");
    if (number != nullptr && number->is_number()) state.fence = number->to_number<uint64_t>(wrong);
    if (epoch != nullptr && epoch->is_number()) {
      state.known_epoch = epoch->to_number<base::Epoch>(wrong);
    }
  }
  return state;
}

void StateDir::load_config(SavedState& state) {
  const auto object = load_object(state, path_ + "/config.json");
  if (!object) return;
  const auto configuration = parse_configuration(*object);
  if (!configuration) {
    state.damaged.push_back(path_ + "/config.json: " + configuration.error().context);
    return;
  }
  state.directory = configured(*state.directory, *configuration);
  state.backends = configuration->backends;
}

void StateDir::replay_log(SavedState& state, const std::string& log, bool owned) {
  size_t at = 0;
  for (size_t end = 0; (end = log.find('\n', at)) != std::string::npos; at = end + 1) {
    json::error_code failed;
    const json::value line = json::parse(json::string_view(log.data() + at, end - at), failed);
    const json::object* object = failed ? nullptr : line.if_object();
    if (object == nullptr) {
      // Bytes in the middle that nobody wrote: what follows cannot be trusted either.
      state.damaged.push_back(path_ + "/changes.log: unreadable at byte " + std::to_string(at));
      break;
    }
    if (const json::value* flush = object->if_contains("flush"); flush && flush->is_object()) {
      if (const auto parsed = parse_flush(flush->get_object())) {
        state.directory->flush(parsed->cache, parsed->generation, parsed->sequence);
      }
    }
    if (const json::value* done = object->if_contains("complete"); done && done->is_object()) {
      if (const auto sequence = parse_completion(done->get_object())) {
        state.directory->complete_flushes(*sequence);
      }
    }
    if (const json::value* change = object->if_contains("change"); change && change->is_object()) {
      const auto parsed = parse_change(change->get_object());
      if (parsed && parsed->base == state.directory->generation) {
        state.directory = changed(*state.directory, *parsed);
      }
    }
  }
  log_size_ = at;
  if (owned && at < log.size() && ::ftruncate(log_.get(), static_cast<off_t>(at)) != 0) {
    state.damaged.push_back(log_error(path_).context);
  }
}

ring::TablePtr StateDir::load_table(SavedState& state, const char* name) {
  const std::string path = path_ + "/" + name;
  const Result<std::string> text = base::read_file(path, kLargestFile);
  if (!text) {
    if (text.code() != ErrorCode::kNotFound) state.damaged.push_back(text.error().context);
    return nullptr;
  }
  auto table = base::parse_table(*text);
  if (!table) {
    state.damaged.push_back(path + ": " + table.error().context);
    return nullptr;
  }
  return std::make_shared<const base::EpochTable>(std::move(*table));
}

Result<> StateDir::save_config(const tenant::Directory& directory,
                               const std::vector<BackendAddress>& backends) {
  ++writes_;
  const std::string text = json::serialize(to_json(directory, backends));
  const auto written =
      base::write_file_atomic(path_ + "/config.json", text, Durability::kFsync, kPrivate);
  if (!written) return written.error();
  // Not worth failing for: the lines are idempotent over what was just written.
  if (::ftruncate(log_.get(), 0) == 0) log_size_ = 0;
  return base::Done{};
}

Result<> StateDir::append_change(const json::object& args) {
  return append_line(json::serialize(json::object{{"change", args}}));
}

Result<> StateDir::append_flush(const Flush& flush) {
  const json::object args{
      {"cache", flush.cache}, {"generation", flush.generation}, {"sequence", flush.sequence}};
  return append_line(json::serialize(json::object{{"flush", args}}));
}

Result<> StateDir::append_completion(uint64_t sequence) {
  return append_line(
      json::serialize(json::object{{"complete", json::object{{"sequence", sequence}}}}));
}

Result<> StateDir::append_line(std::string line) {
  ++writes_;
  line.push_back('\n');
  std::string_view left = line;
  while (!left.empty()) {
    const ssize_t wrote = ::write(log_.get(), left.data(), left.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) break;
    left.remove_prefix(static_cast<size_t>(wrote));
  }
  if (!left.empty() || ::fdatasync(log_.get()) != 0) {
    const Error error = log_error(path_);
    // A part of a line must not swallow the next one.
    if (::ftruncate(log_.get(), static_cast<off_t>(log_size_)) != 0) return log_error(path_);
    return error;
  }
  log_size_ += line.size();
  return base::Done{};
}

Result<> StateDir::save_prepared(const base::EpochTable& table) {
  ++writes_;
  return base::write_file_atomic(path_ + "/prepared.json", base::to_json(table),
                                 Durability::kFsync);
}

Result<> StateDir::save_committed(const base::EpochTable& table) {
  ++writes_;
  return base::write_file_atomic(path_ + "/committed.json", base::to_json(table),
                                 Durability::kFsync);
}

Result<> StateDir::remove_prepared() {
  ++writes_;
  const std::string path = path_ + "/prepared.json";
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return base::Done{};
  return Error(ErrorCode::kIo, "cannot remove " + path + ": " + std::strerror(errno));
}

Result<> StateDir::save_fence(uint64_t fence, base::Epoch known_epoch) {
  ++writes_;
  const json::object object{{"fence", fence}, {"known_epoch", known_epoch}};
  return base::write_file_atomic(path_ + "/fence.json", json::serialize(object),
                                 Durability::kFsync);
}

}  // namespace proxy::admin
