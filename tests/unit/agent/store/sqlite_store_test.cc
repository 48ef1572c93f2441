#include "agent/store/sqlite_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "agent/store/sqlite_database.h"
#include "tests/unit/agent/store/store_suite.h"

namespace agent::store {
namespace {

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/mcguard-store-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/agent.db"; }

 private:
  std::string path_;
};

class SqliteHarness {
 public:
  SqliteHarness() : SqliteHarness(SqliteOptions()) {}
  explicit SqliteHarness(SqliteOptions options) : options_(std::move(options)) {
    if (options_.path.empty()) options_.path = directory_.file();
    reopen();
  }
  void reopen() {
    store_.reset();
    auto opened = SqliteStore::open(options_, io_.get_executor());
    EXPECT_TRUE(opened.ok()) << opened.error().to_string();
    store_ = std::move(*opened);
  }
  Store& store() { return *store_; }
  const std::string& path() const { return options_.path; }
  boost::asio::io_context& io() { return io_; }
  void close() { store_.reset(); }
  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    std::optional<T> answer;
    io_.restart();
    boost::asio::co_spawn(io_, std::move(work),
                          [&](std::exception_ptr, T value) { answer.emplace(std::move(value)); });
    io_.run();
    return std::move(*answer);
  }

 private:
  Directory directory_;
  boost::asio::io_context io_;
  SqliteOptions options_;
  std::unique_ptr<SqliteStore> store_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreSuite, SqliteHarness);

void run_sql(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

base::Error open_error(const std::string& path) {
  boost::asio::io_context io;
  auto opened = SqliteStore::open(SqliteOptions(path), io.get_executor());
  if (opened.ok()) return base::Error(base::ErrorCode::kInternal, "opened");
  return opened.error();
}

TEST(SqliteStore, KeepsItsEntriesAndRevisionAcrossAReopen) {
  SqliteHarness harness;
  const Revision before =
      harness.wait(harness.store().commit(Transaction().put("/a", "1"))).value();
  ASSERT_TRUE(harness.wait(harness.store().commit(Transaction().erase("/a"))).ok());
  harness.reopen();
  EXPECT_EQ(harness.wait(harness.store().commit(Transaction().put("/b", "1"))).value(), before + 2);
}

TEST(SqliteStore, AnswersEveryCommitOfAGroupByItself) {
  SqliteHarness harness;
  int won = 0, lost = 0;
  for (int i = 0; i < 100; ++i) {
    Transaction transaction;
    transaction.put("/n/" + std::to_string(i), "x");
    if (i % 2 == 1) transaction.expect("/one", 0).put("/one", std::to_string(i));
    boost::asio::co_spawn(
        harness.io(), harness.store().commit(std::move(transaction)),
        [&](std::exception_ptr, base::Result<Revision> done) { ++(done.ok() ? won : lost); });
  }
  harness.io().run();
  EXPECT_EQ(won, 51);
  EXPECT_EQ(lost, 49);
  EXPECT_EQ(harness.wait(harness.store().list("/n/")).value().size(), 51u);
}

TEST(SqliteStore, RefusesAFileThatAnotherHolderHasOpen) {
  SqliteHarness harness;
  const base::Error error = open_error(harness.path());
  EXPECT_EQ(error.code, base::ErrorCode::kConflict);
  EXPECT_NE(error.context.find("another process has this store open"), std::string::npos);
}

TEST(SqliteStore, RefusesAFileThatAnotherProcessHasOpen) {
  SqliteHarness harness;
  int answer[2];
  ASSERT_EQ(::pipe(answer), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = open_error(harness.path()).code == base::ErrorCode::kConflict;
    const char told = refused ? 'r' : 'o';
    ::_exit(::write(answer[1], &told, 1) == 1 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  char told = 0;
  ASSERT_EQ(::read(answer[0], &told, 1), 1);
  EXPECT_EQ(told, 'r');
  ::close(answer[0]);
  ::close(answer[1]);
}

TEST(SqliteStore, SaysThatAForeignFileIsNotAStore) {
  Directory directory;
  std::ofstream(directory.file()) << std::string(8192, 'x');
  const base::Error error = open_error(directory.file());
  EXPECT_EQ(error.code, base::ErrorCode::kInvalid);
  EXPECT_NE(error.context.find("not an mcguard store"), std::string::npos) << error.context;
}

TEST(SqliteStore, LeavesAnotherProgramsDatabaseAlone) {
  Directory directory;
  run_sql(directory.file(), "CREATE TABLE theirs(x)");
  const base::Error error = open_error(directory.file());
  EXPECT_EQ(error.code, base::ErrorCode::kInvalid);
  EXPECT_NE(error.context.find("belongs to another program"), std::string::npos) << error.context;
}

TEST(SqliteStore, SaysThatAFileIsDamaged) {
  SqliteHarness harness;
  Transaction transaction;
  for (int i = 0; i < 500; ++i) transaction.put("/k/" + std::to_string(i), std::string(100, 'v'));
  ASSERT_TRUE(harness.wait(harness.store().commit(std::move(transaction))).ok());
  harness.close();
  std::fstream file(harness.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(30000, '\x5a');
  file.close();
  const base::Error error = open_error(harness.path());
  EXPECT_EQ(error.code, base::ErrorCode::kInvalid);
  EXPECT_NE(error.context.find("damaged"), std::string::npos) << error.context;
}

TEST(SqliteStore, RefusesAFileOfANewerProgram) {
  SqliteHarness harness;
  harness.close();
  run_sql(harness.path(), "PRAGMA user_version=99");
  const base::Error error = open_error(harness.path());
  EXPECT_NE(error.context.find("newer mcguard (schema 99"), std::string::npos) << error.context;
}

TEST(SqliteStore, UpgradesAnOlderSchemaAndKeepsTheRevision) {
  Directory directory;
  run_sql(
      directory.file(),
      "PRAGMA application_id=1835231076; PRAGMA user_version=1;"
      "CREATE TABLE entries(key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL,"
      " modified INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
      "INSERT INTO entries VALUES ('/a', '1', 3, 41)");
  SqliteHarness harness{SqliteOptions(directory.file())};
  EXPECT_EQ(harness.wait(harness.store().get("/a")).value()->modified, 41u);
  EXPECT_EQ(harness.wait(harness.store().commit(Transaction().put("/b", "1"))).value(), 42u);
}

TEST(SqliteStore, SaysWhatToDoWhenTheDirectoryIsMissing) {
  Directory directory;
  const base::Error error = open_error(directory.file() + "/no/such/agent.db");
  EXPECT_NE(error.context.find("check that the directory exists"), std::string::npos);
}

TEST(SqliteStore, WritesNothingWhenTheDiskIsFullAndGoesOnAfterwards) {
  Directory directory;
  SqliteOptions options(directory.file());
  options.max_bytes = 256 << 10;
  SqliteHarness harness(options);
  ASSERT_TRUE(harness.wait(harness.store().commit(Transaction().put("/a", "1"))).ok());
  auto full = harness.wait(
      harness.store().commit(Transaction().put("/a", "2").put("/big", std::string(1 << 20, 'x'))));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.code(), base::ErrorCode::kIo);
  EXPECT_NE(full.error().context.find("full"), std::string::npos) << full.error().context;
  EXPECT_EQ(harness.wait(harness.store().get("/a")).value()->value, "1");
  EXPECT_TRUE(harness.wait(harness.store().commit(Transaction().put("/a", "3"))).ok());
}

TEST(SqliteStore, IsReadableByItsOwnerOnly) {
  SqliteHarness harness;
  ASSERT_TRUE(harness.wait(harness.store().commit(Transaction().put("/a", "1"))).ok());
  for (const char* suffix : {"", "-wal"}) {
    struct stat file {};
    ASSERT_EQ(::stat((harness.path() + suffix).c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u) << suffix;
  }
}

}  // namespace
}  // namespace agent::store
