#include "agent/store/sqlite_store.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <variant>

#include "agent/store/sqlite_database.h"

namespace agent::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using boost::asio::any_io_executor;
using boost::asio::awaitable;

// What a coroutine waits for. The initiation runs in the coroutine; `start` gets a function that
// may be called once, from any thread, and resumes the coroutine on its executor.
template <class T, class Start>
awaitable<Result<T>> on_another_thread(any_io_executor executor, Start start) {
  auto initiate = [](auto handler, any_io_executor back, Start begin) {
    // std::function wants a copyable target; the handler moves on exactly once.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = boost::asio::make_work_guard(back);
    begin([shared, back, work](Result<T> answer) {
      auto resume = [shared, answer = std::move(answer)]() mutable {
        std::move (*shared)(std::move(answer));
      };
      boost::asio::post(back, std::move(resume));
    });
  };
  using Signature = void(Result<T>);
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, Signature>(
      std::move(initiate), boost::asio::use_awaitable, executor, std::move(start));
}

}  // namespace

// The thread that owns the database, and its queue.
// Thread: any for push(). Owner: SqliteStore. Invariant: calls are done in the order of push().
class SqliteStore::Writer {
 public:
  template <class T>
  using Answer = std::function<void(Result<T>)>;
  struct Get {
    std::string key;
    Answer<std::optional<Entry>> answer;
  };
  struct List {
    std::string prefix;
    Answer<std::vector<Entry>> answer;
  };
  struct Commit {
    Transaction transaction;
    Answer<Revision> answer;
  };
  using Call = std::variant<Get, List, Commit>;

  Writer(std::unique_ptr<SqliteDatabase> database, size_t limit)
      : database_(std::move(database)), limit_(limit), thread_([this] { run(); }) {}
  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  // False: the queue is full.
  bool push(Call& call) {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() >= limit_) return false;
      queue_.push_back(std::move(call));
    }
    wake_.notify_one();
    return true;
  }

 private:
  void run() {
    while (true) {
      std::deque<Call> calls;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) return;
        calls.swap(queue_);
      }
      handle(calls);
    }
  }

  // Consecutive commits share one disk write; a read between them sees those before it.
  void handle(std::deque<Call>& calls) {
    while (!calls.empty()) {
      if (std::holds_alternative<Commit>(calls.front())) {
        commit_together(calls);
        continue;
      }
      Call call = std::move(calls.front());
      calls.pop_front();
      if (auto* get = std::get_if<Get>(&call)) get->answer(database_->get(get->key));
      if (auto* list = std::get_if<List>(&call)) list->answer(database_->list(list->prefix));
    }
  }

  void commit_together(std::deque<Call>& calls) {
    struct Pending {
      Answer<Revision> answer;
      Result<Revision> result;
    };
    std::vector<Pending> batch;
    Result<> written = database_->begin();
    while (!calls.empty() && std::holds_alternative<Commit>(calls.front())) {
      Commit commit = std::move(std::get<Commit>(calls.front()));
      calls.pop_front();
      Result<Revision> result =
          written.ok() ? database_->apply(commit.transaction) : Result<Revision>(written.error());
      batch.push_back({std::move(commit.answer), std::move(result)});
    }
    if (written.ok()) written = database_->end();
    for (Pending& pending : batch) {
      if (pending.result.ok() && !written.ok()) pending.result = written.error();
      pending.answer(std::move(pending.result));
    }
  }

  // Constant after construction; used by the thread only.
  const std::unique_ptr<SqliteDatabase> database_;
  const size_t limit_;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Call> queue_;
  bool closing_ = false;

  std::thread thread_;  // last: starts when all else stands
};

namespace {

Error queue_full() {
  return Error(ErrorCode::kExhausted,
               "the store has too many calls waiting; the disk is too slow or stuck");
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options,
                                                       any_io_executor executor) {
  Result<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::open(options);
  if (!database.ok()) return database.error();
  auto writer = std::make_unique<Writer>(std::move(*database), options.queue_limit);
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(writer), std::move(executor)));
}

SqliteStore::SqliteStore(std::unique_ptr<Writer> writer, any_io_executor executor)
    : writer_(std::move(writer)), executor_(std::move(executor)) {}
SqliteStore::~SqliteStore() = default;

awaitable<Result<std::optional<Entry>>> SqliteStore::get(std::string key) {
  using Value = std::optional<Entry>;
  auto start = [writer = writer_.get(), wanted = std::move(key)](Writer::Answer<Value> answer) {
    Writer::Call call = Writer::Get{wanted, answer};
    if (!writer->push(call)) answer(queue_full());
  };
  return on_another_thread<Value>(executor_, std::move(start));
}

awaitable<Result<std::vector<Entry>>> SqliteStore::list(std::string prefix) {
  using Value = std::vector<Entry>;
  auto start = [writer = writer_.get(), wanted = std::move(prefix)](Writer::Answer<Value> answer) {
    Writer::Call call = Writer::List{wanted, answer};
    if (!writer->push(call)) answer(queue_full());
  };
  return on_another_thread<Value>(executor_, std::move(start));
}

awaitable<Result<Revision>> SqliteStore::commit(Transaction transaction) {
  auto start = [writer = writer_.get(),
                wanted = std::move(transaction)](Writer::Answer<Revision> answer) mutable {
    Writer::Call call = Writer::Commit{std::move(wanted), answer};
    if (!writer->push(call)) answer(queue_full());
  };
  return on_another_thread<Revision>(executor_, std::move(start));
}

}  // namespace agent::store
