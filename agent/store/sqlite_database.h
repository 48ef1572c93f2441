// SqliteDatabase: the SQLite side of the store, without threads or coroutines.
//
// Idea: everything that knows SQLite stands here: opening and checking a file, upgrading its
// schema, reading entries, applying transactions inside a batch, and saying in one sentence what
// went wrong. The file is opened with locking_mode=EXCLUSIVE, so the lock is held for as long as
// the object lives and a second process is refused at open, not at its first write.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace agent::store {

struct SqliteOptions;

// Thread: one at a time; the writer's once it runs. Owner: SqliteStore::Writer.
// Invariant: outside a batch the revision in memory is the one in the file.
class SqliteDatabase {
 public:
  // See SqliteStore::open.
  static base::Result<std::unique_ptr<SqliteDatabase>> open(const SqliteOptions& options);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  base::Result<std::optional<Entry>> get(std::string_view key);
  base::Result<std::vector<Entry>> list(std::string_view prefix);

  // A batch: begin, any number of apply, then end. What apply() answered holds only once end() has
  // succeeded; when end() fails, nothing of the batch was written, unless it says kUnknown.
  base::Result<> begin();
  base::Result<Revision> apply(const Transaction& transaction);
  base::Result<> end();

  static constexpr int kSchemaVersion = 2;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  SqliteDatabase(std::string path, sqlite3* db);
  base::Result<> configure(const SqliteOptions& options);
  base::Result<> check_identity();
  base::Result<> upgrade();
  base::Result<> prepare_all();
  base::Result<> execute(const char* sql);
  base::Result<int64_t> number(const char* sql);
  base::Result<Statement> prepare(const char* sql);
  base::Result<Revision> modified(std::string_view key);
  base::Result<> write(const Transaction::Write& write, Revision revision);
  // The sentence for the last SQLite failure, with the remedy.
  base::Error failure(int code) const;

  const std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
  Statement get_, list_, put_, erase_, revision_;
  Revision revision_now_ = 0;   // of the file, or of the batch while one is open
  Revision revision_file_ = 0;  // of the last batch that ended
};

}  // namespace agent::store
