#include "tests/support/fake_store.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/unit/agent/store/store_suite.h"

namespace agent::store {
namespace {

class FakeHarness {
 public:
  Store& store() { return store_; }
  test::FakeStore& fake() { return store_; }
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
  boost::asio::io_context io_;
  test::FakeStore store_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, StoreSuite, FakeHarness);

TEST(FakeStore, FailsBeforeACommitWithoutWriting) {
  FakeHarness harness;
  harness.fake().script({test::FakeStore::Fault::kBeforeCommit});
  EXPECT_EQ(harness.wait(harness.store().commit(Transaction().put("/a", "1"))).code(),
            base::ErrorCode::kIo);
  EXPECT_FALSE(harness.fake().value("/a").has_value());
}

TEST(FakeStore, FailsAfterACommitThatHappened) {
  FakeHarness harness;
  harness.fake().script({test::FakeStore::Fault::kAfterCommit});
  EXPECT_EQ(harness.wait(harness.store().commit(Transaction().put("/a", "1"))).code(),
            base::ErrorCode::kUnknown);
  EXPECT_EQ(harness.fake().value("/a"), "1");
}

}  // namespace
}  // namespace agent::store
