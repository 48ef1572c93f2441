#include "tests/support/fake_dns.h"

#include "tests/support/real_time.h"
#include "tests/unit/agent/dns/dns_suite.h"

namespace agent::dns {
namespace {

class FakeHarness {
 public:
  static bool available() { return true; }
  DnsSwitch& dns() { return dns_; }
  test::FakeDns& fake() { return dns_; }
  std::string zone() const { return "cache.test"; }
  boost::asio::io_context& io() { return time_.io(); }
  base::Instant soon() const { return time_.in(std::chrono::seconds(10)); }
  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    return time_.run(std::move(work));
  }

 private:
  test::RealTime time_;
  test::FakeDns dns_{"cache.test"};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, DnsSuite, FakeHarness);

TEST(FakeDns, DoesNotTellWhetherItWasDone) {
  FakeHarness harness;
  using Fault = test::FakeDns::Fault;
  harness.fake().script({Fault::kNotDoneUnknown, Fault::kDoneUnknown, Fault::kNotDone});
  const Change move = a_change("a.cache.test", 0, 1, addresses({"10.0.0.1"}));
  EXPECT_EQ(harness.wait(harness.dns().change(move, harness.soon())).code(),
            base::ErrorCode::kUnknown);
  EXPECT_EQ(harness.fake().changes(), 0);
  EXPECT_EQ(harness.wait(harness.dns().change(move, harness.soon())).code(),
            base::ErrorCode::kUnknown);
  EXPECT_EQ(harness.fake().state("a.cache.test").generation, 1u);
  EXPECT_EQ(harness.wait(harness.dns().change(move, harness.soon())).code(),
            base::ErrorCode::kUnavailable);
  EXPECT_TRUE(harness.wait(harness.dns().change(move, harness.soon())).ok());
}

}  // namespace
}  // namespace agent::dns
