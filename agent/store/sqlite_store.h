// SqliteStore: the Store of one machine, in one SQLite file.
//
// Idea: one thread owns the database. Calls are queued to it and their answers posted back to the
// caller's executor, so that no io_context ever waits for a disk. Everything queued while one fsync
// ran is written by the next one (group commit): each transaction keeps its own savepoint and its
// own answer, and none is answered before the commit that holds it is on the disk.
//
// WAL with synchronous=FULL: what commit() called done survives power loss. The file is locked
// exclusively for as long as the store lives, so that two agents can never run on one directory.
//
// Leaves out: what the values mean, and watching for changes (there is one writer; it knows).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "agent/store/store.h"

namespace agent::store {

struct SqliteOptions {
  std::string path;                 // agent.db; -wal and -shm stand beside it
  size_t queue_limit = 1024;        // calls waiting; further ones are refused with kExhausted
  uint64_t max_bytes = 4ull << 30;  // the file never grows beyond this

  SqliteOptions() = default;
  explicit SqliteOptions(std::string file) : path(std::move(file)) {}
};

// Thread: calls from `executor`'s thread; the database lives on a thread of its own.
// Owner: app. Invariant: an answer is posted to `executor` for every call, until destruction.
class SqliteStore final : public Store {
 public:
  // Opens or creates the file, upgrades an older schema in one transaction, and checks the file.
  // kConflict: another process has it; kInvalid: not ours, newer than this program, or damaged;
  // kPermission, kIo: the system said no. Each is one sentence with the remedy.
  static base::Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options,
                                                         boost::asio::any_io_executor executor);
  // Finishes what is queued, then closes. No call may be waiting for its answer on the executor.
  ~SqliteStore() override;

  boost::asio::awaitable<base::Result<std::optional<Entry>>> get(std::string key) override;
  boost::asio::awaitable<base::Result<std::vector<Entry>>> list(std::string prefix) override;
  boost::asio::awaitable<base::Result<Revision>> commit(Transaction transaction) override;

 private:
  class Writer;
  SqliteStore(std::unique_ptr<Writer> writer, boost::asio::any_io_executor executor);

  std::unique_ptr<Writer> writer_;
  boost::asio::any_io_executor executor_;
};

}  // namespace agent::store
