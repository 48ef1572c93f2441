#include "agent/store/sqlite_database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/store/sqlite_store.h"
#include "base/core/check.h"

namespace agent::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// In the header of every file of ours, so that another program's database is never "upgraded".
constexpr int kApplicationId = 0x6d636764;  // "mcgd"

// upgrades[v] takes a file from version v to v + 1. Never edited once released; new ones are added.
constexpr std::array<const char*, SqliteDatabase::kSchemaVersion> kUpgrades = {
    "CREATE TABLE entries(key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL,"
    " modified INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    // The revision outlives the entries that carried it: fences must grow even when all locks are
    // gone.
    "CREATE TABLE meta(name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta SELECT 'revision', coalesce(max(modified), 0) FROM entries;",
};

void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

std::string text_of(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return std::string(text == nullptr ? "" : text,
                     static_cast<size_t>(sqlite3_column_bytes(statement, column)));
}

Entry entry_of(sqlite3_stmt* statement) {
  Entry entry;
  entry.key = text_of(statement, 0);
  entry.value = text_of(statement, 1);
  entry.created = static_cast<Revision>(sqlite3_column_int64(statement, 2));
  entry.modified = static_cast<Revision>(sqlite3_column_int64(statement, 3));
  return entry;
}

// The first key after all keys with this prefix; empty: there is none (an empty prefix).
std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

void SqliteDatabase::Close::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}
void SqliteDatabase::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteDatabase::SqliteDatabase(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
SqliteDatabase::~SqliteDatabase() = default;

Error SqliteDatabase::failure(int code) const {
  const std::string said = sqlite3_errmsg(db_.get());
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::kIo, path_ +
                                  ": the disk or the file's limit is full; nothing was written. "
                                  "Free space and try again"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kConflict, path_ +
                                        ": another process has this store open; stop that agent "
                                        "(mcguard down) or use another --dir"};
    case SQLITE_CORRUPT:
      return {ErrorCode::kInvalid, path_ + ": the file is damaged (" + said +
                                       "); move it and its "
                                       "-wal away and restore a backup, or start with a new one"};
    case SQLITE_NOTADB:
      return {ErrorCode::kInvalid, path_ +
                                       ": this is not an mcguard store; move the file away or "
                                       "use another --dir"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::kIo, path_ + ": cannot be opened or created (" + said +
                                  "); check that the "
                                  "directory exists and that this user may write there"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kPermission, path_ +
                                          ": this user may not write it; check the owner of the "
                                          "file and of its directory"};
    case SQLITE_IOERR:
      return {ErrorCode::kIo, path_ + ": the disk failed (" + said + "); nothing was written"};
    case SQLITE_NOMEM:
      return {ErrorCode::kIo, path_ + ": out of memory; nothing was written"};
    default:
      return {ErrorCode::kInternal, path_ + ": " + said};
  }
}

Result<> SqliteDatabase::execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<SqliteDatabase::Statement> SqliteDatabase::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return Statement(statement);
}

Result<int64_t> SqliteDatabase::number(const char* sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement.ok()) return statement.error();
  const int code = sqlite3_step(statement->get());
  if (code != SQLITE_ROW) return failure(code);
  return static_cast<int64_t>(sqlite3_column_int64(statement->get(), 0));
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const SqliteOptions& options) {
  sqlite3* raw = nullptr;
  // 0600 from the start: the store holds sealed secrets. Only when it is new: closing a descriptor
  // of a file that SQLite has open in this process would drop its locks.
  const int created = ::open(options.path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (created >= 0) ::close(created);
  const int code =
      sqlite3_open_v2(options.path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(options.path, raw));
  Result<> done = code == SQLITE_OK ? database->configure(options) : database->failure(code);
  if (done.ok()) done = database->check_identity();
  if (done.ok()) done = database->upgrade();
  if (done.ok()) done = database->prepare_all();
  if (!done.ok()) return done.error();
  return database;
}

Result<> SqliteDatabase::configure(const SqliteOptions& options) {
  sqlite3_extended_result_codes(db_.get(), 1);
  // EXCLUSIVE before the journal mode: the WAL index then lives on the heap, no -shm file is
  // needed, and the lock taken by the first access is kept until close.
  for (const char* sql :
       {"PRAGMA busy_timeout=0", "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=1000", "PRAGMA trusted_schema=OFF",
        "PRAGMA cell_size_check=ON", "BEGIN IMMEDIATE; COMMIT"}) {
    if (Result<> done = execute(sql); !done.ok()) return done;
  }
  const Result<int64_t> page = number("PRAGMA page_size");
  if (!page.ok()) return page.error();
  const auto pages = static_cast<int64_t>(options.max_bytes) / *page;
  return execute(("PRAGMA max_page_count=" + std::to_string(pages)).c_str());
}

Result<> SqliteDatabase::check_identity() {
  const Result<int64_t> id = number("PRAGMA application_id");
  if (!id.ok()) return id.error();
  const Result<int64_t> tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.error();
  if (*id != kApplicationId && !(*id == 0 && *tables == 0)) {
    return Error(ErrorCode::kInvalid, path_ +
                                          ": this database belongs to another program; move it "
                                          "away or use another --dir");
  }
  Result<Statement> check = prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.error();
  if (const int code = sqlite3_step(check->get()); code != SQLITE_ROW) return failure(code);
  if (const std::string answer = text_of(check->get(), 0); answer != "ok") {
    return Error(ErrorCode::kInvalid, path_ + ": the file is damaged (" + answer +
                                          "); move it and its -wal away and restore a backup, or "
                                          "start with a new one");
  }
  return {};
}

Result<> SqliteDatabase::upgrade() {
  const Result<int64_t> version = number("PRAGMA user_version");
  if (!version.ok()) return version.error();
  if (*version > kSchemaVersion) {
    return Error(ErrorCode::kInvalid, path_ + ": written by a newer mcguard (schema " +
                                          std::to_string(*version) + ", this program knows " +
                                          std::to_string(kSchemaVersion) +
                                          "); install that version or use another --dir");
  }
  if (*version == kSchemaVersion) return {};
  std::string sql = "BEGIN IMMEDIATE;";
  for (int64_t v = *version; v < kSchemaVersion; ++v) sql += kUpgrades[static_cast<size_t>(v)];
  sql += "PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
  sql += "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";COMMIT;";
  return execute(sql.c_str());
}

Result<> SqliteDatabase::prepare_all() {
  struct Wanted {
    Statement* statement;
    const char* sql;
  };
  for (const Wanted& wanted :
       {Wanted{&get_, "SELECT key, value, created, modified FROM entries WHERE key = ?1"},
        Wanted{&list_,
               "SELECT key, value, created, modified FROM entries WHERE key >= ?1"
               " AND (?2 = '' OR key < ?2) ORDER BY key"},
        Wanted{&put_,
               "INSERT INTO entries VALUES (?1, ?2, ?3, ?3) ON CONFLICT(key) DO UPDATE"
               " SET value = excluded.value, modified = excluded.modified"},
        Wanted{&erase_, "DELETE FROM entries WHERE key = ?1"},
        Wanted{&revision_, "UPDATE meta SET number = ?1 WHERE name = 'revision'"}}) {
    Result<Statement> statement = prepare(wanted.sql);
    if (!statement.ok()) return statement.error();
    *wanted.statement = std::move(*statement);
  }
  const Result<int64_t> revision = number("SELECT number FROM meta WHERE name = 'revision'");
  if (!revision.ok()) return revision.error();
  revision_file_ = revision_now_ = static_cast<Revision>(*revision);
  return {};
}

Result<std::optional<Entry>> SqliteDatabase::get(std::string_view key) {
  sqlite3_reset(get_.get());
  bind_text(get_.get(), 1, key);
  const int code = sqlite3_step(get_.get());
  std::optional<Entry> entry;
  if (code == SQLITE_ROW) entry = entry_of(get_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failure(code);
  sqlite3_reset(get_.get());
  return entry;
}

Result<std::vector<Entry>> SqliteDatabase::list(std::string_view prefix) {
  const std::string after = after_prefix(std::string(prefix));
  sqlite3_reset(list_.get());
  bind_text(list_.get(), 1, prefix);
  bind_text(list_.get(), 2, after);
  std::vector<Entry> entries;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(list_.get())) == SQLITE_ROW) entries.push_back(entry_of(list_.get()));
  sqlite3_reset(list_.get());
  if (code != SQLITE_DONE) return failure(code);
  return entries;
}

Result<> SqliteDatabase::begin() {
  return execute("BEGIN IMMEDIATE");
}

Result<Revision> SqliteDatabase::modified(std::string_view key) {
  Result<std::optional<Entry>> entry = get(key);
  if (!entry.ok()) return entry.error();
  return entry->has_value() ? (*entry)->modified : Revision{0};
}

Result<> SqliteDatabase::write(const Transaction::Write& write, Revision revision) {
  sqlite3_stmt* statement = write.value.has_value() ? put_.get() : erase_.get();
  sqlite3_reset(statement);
  bind_text(statement, 1, write.key);
  if (write.value.has_value()) {
    bind_text(statement, 2, *write.value);
    sqlite3_bind_int64(statement, 3, static_cast<sqlite3_int64>(revision));
  }
  const int code = sqlite3_step(statement);
  if (code != SQLITE_DONE) return failure(code);
  sqlite3_reset(statement);
  return {};
}

Result<Revision> SqliteDatabase::apply(const Transaction& transaction) {
  for (const Transaction::Compare& compare : transaction.compares) {
    const Result<Revision> present = modified(compare.key);
    if (!present.ok()) return present.error();
    if (*present != compare.modified) {
      return Error(ErrorCode::kConflict, compare.key + ": is at revision " +
                                             std::to_string(*present) + ", expected " +
                                             std::to_string(compare.modified) + "; read it again");
    }
  }
  const Revision revision = revision_now_ + 1;
  if (Result<> done = execute("SAVEPOINT one"); !done.ok()) return done.error();
  Result<> done;
  for (const Transaction::Write& one : transaction.writes) {
    if (done = write(one, revision); !done.ok()) break;
  }
  if (done.ok()) done = execute("RELEASE one");
  if (!done.ok()) {
    // Fails when the whole batch was rolled back by SQLite already; end() then says so.
    (void)execute("ROLLBACK TO one; RELEASE one");
    return done.error();
  }
  revision_now_ = revision;
  return revision;
}

Result<> SqliteDatabase::end() {
  if (sqlite3_get_autocommit(db_.get()) != 0) {  // a full or broken disk rolled the batch back
    revision_now_ = revision_file_;
    return Error(
        ErrorCode::kIo,
        path_ + ": the disk is full or failed; nothing was written. Free space and try again");
  }
  Result<> done;
  if (revision_now_ != revision_file_) {
    sqlite3_reset(revision_.get());
    sqlite3_bind_int64(revision_.get(), 1, static_cast<sqlite3_int64>(revision_now_));
    if (const int code = sqlite3_step(revision_.get()); code != SQLITE_DONE) done = failure(code);
    sqlite3_reset(revision_.get());
  }
  if (done.ok()) done = execute("COMMIT");
  if (!done.ok()) {
    revision_now_ = revision_file_;
    if (sqlite3_get_autocommit(db_.get()) == 0 && !execute("ROLLBACK").ok()) {
      return Error(ErrorCode::kUnknown, path_ +
                                            ": the disk failed within a commit; it may or may "
                                            "not have been written");
    }
    return done;
  }
  revision_file_ = revision_now_;
  return {};
}

}  // namespace agent::store
