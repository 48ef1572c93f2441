// StateDir: what the proxy must still know after it is killed, on disk before it is acknowledged.
//
//   config.json      the last configuration, whole
//   changes.log      changes and flushes since then, one JSON line each, synced one by one
//   committed.json   the committed epoch table      prepared.json   the prepared one, if any
//   fence.json       the highest fence of a caller, and the newest epoch told of
//
// Lines of the log are idempotent over config.json (flushes only raise, a change applies only to its
// base), so that a crash between writing config.json and emptying the log loses and repeats nothing.
// A last line without its end was never acknowledged and is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"
#include "base/net/fd.h"
#include "proxy/admin/codec.h"
#include "proxy/ring/ring.h"

namespace proxy::admin {

struct SavedState {
  std::shared_ptr<tenant::Directory> directory;  // never null
  std::vector<BackendAddress> backends;
  ring::TablePtr committed, prepared;  // null: none
  uint64_t fence = 0;
  base::Epoch known_epoch = 0;
  // Files that could not be understood; the controller has to configure anew.
  std::vector<std::string> damaged;
};

// Thread: admin. Owner: app.
class StateDir {
 public:
  // Makes the directory if need be; kPermission and kIo with the path.
  static base::Result<std::unique_ptr<StateDir>> open(const std::string& path);
  // `owned`: nobody else writes here, and what a crash has left of a line is removed. A process that
  // will take over reads what the old one goes on writing.
  base::Result<SavedState> load(bool owned = true);
  // The highest fence on disk; 0: none.
  uint64_t saved_fence() const;

  // Each is durable when it returns success, and changed nothing when it fails.
  base::Result<> save_config(const tenant::Directory& directory,
                             const std::vector<BackendAddress>& backends);
  base::Result<> append_change(const boost::json::object& args);
  base::Result<> append_flush(const Flush& flush);
  base::Result<> append_completion(uint64_t sequence);
  base::Result<> save_prepared(const base::EpochTable& table);
  base::Result<> save_committed(const base::EpochTable& table);
  base::Result<> remove_prepared();
  base::Result<> save_fence(uint64_t fence, base::Epoch known_epoch);

  // How often something was written here by this object.
  uint64_t writes() const { return writes_; }

  // The log has grown enough to be worth a new config.json.
  bool wants_compaction() const { return log_size_ > kLongLog; }

 private:
  static constexpr uint64_t kLongLog = 8u << 20;

  explicit StateDir(std::string path) : path_(std::move(path)) {}
  base::Result<> append_line(std::string line);
  void load_config(SavedState& state);
  void replay_log(SavedState& state, const std::string& log, bool owned);
  ring::TablePtr load_table(SavedState& state, const char* name);

  const std::string path_;
  base::net::UniqueFd log_;
  uint64_t log_size_ = 0;  // of complete lines
  uint64_t writes_ = 0;
};

}  // namespace proxy::admin
