// The contract of agent/dns/dns_switch.h as tests, run against every implementation: one typed suite,
// instantiated with a harness that has an empty zone and runs coroutines to their end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "agent/dns/dns_switch.h"

namespace agent::dns {

inline Target alias(const std::string& name) {
  Target target;
  target.alias = name;
  return target;
}
inline Target addresses(std::vector<std::string> list) {
  Target target;
  target.addresses = std::move(list);
  return target;
}
// From one generation to the next.
inline Change a_change(const std::string& name, uint64_t from, uint64_t to, Target target,
                       const std::string& run = "run-1") {
  Change change;
  change.name = name;
  change.expected_generation = from;
  change.target = std::move(target);
  change.fence = to;
  change.run = run;
  return change;
}

// Harness: default-constructible; static bool available(); DnsSwitch& dns(); std::string zone(); T
// wait(awaitable<T>); io_context& io(); Instant soon(). A name that one test uses is no other's.
template <class Harness>
class DnsSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Harness::available()) GTEST_SKIP() << "named is not installed (Debian: bind9)";
    harness_.emplace();
    std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    name_ = name.substr(0, 60) + "." + harness_->zone();
  }
  base::Result<Changed> change(Change wanted) {
    return harness_->wait(harness_->dns().change(std::move(wanted), harness_->soon()));
  }
  base::Result<NameState> read(const std::string& name) {
    auto views = harness_->wait(harness_->dns().read(name, harness_->soon()));
    if (!views) return views.error();
    EXPECT_EQ(views->size(), 1u);
    return views->front().state;
  }
  // After its creation as generation 5.
  void create() {
    const auto made = change(a_change(name_, 0, 5, alias("amber.example.net"), "run-0"));
    ASSERT_TRUE(made.ok()) << made.error().to_string();
  }
  base::ErrorCode code_of(Change wanted) {
    const auto done = change(std::move(wanted));
    if (done) return base::ErrorCode::kInternal;
    last_error_ = done.error().to_string();
    return done.code();
  }
  std::optional<Harness> harness_;
  std::string name_;
  std::string last_error_;
};
TYPED_TEST_SUITE_P(DnsSuite);

TYPED_TEST_P(DnsSuite, CouldReadAndChangeNames) {
  const auto checked = this->harness_->wait(this->harness_->dns().check(this->harness_->soon()));
  EXPECT_TRUE(checked.ok()) << checked.error().to_string();
}

TYPED_TEST_P(DnsSuite, ShowsNothingForANameNeverMade) {
  const auto state = this->read(this->name_);
  ASSERT_TRUE(state.ok()) << state.error().to_string();
  EXPECT_EQ(*state, NameState());
}

TYPED_TEST_P(DnsSuite, MakesANameWithItsGeneration) {
  const auto done = this->change(a_change(this->name_, 0, 7, alias("Amber.Example.NET."), "run-7"));
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_TRUE(done->behind.empty());
  const auto state = this->read(this->name_);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(*state, done->state);
  EXPECT_EQ(to_string(*state), "generation 7 of run-7: CNAME amber.example.net, ttl 30 s");
}

TYPED_TEST_P(DnsSuite, MovesANameBetweenAliasAndAddresses) {
  this->create();
  Change there = a_change(this->name_, 5, 6, addresses({"2001:db8::1", "10.0.0.2", "10.0.0.1"}));
  there.ttl = std::chrono::seconds(60);
  ASSERT_TRUE(this->change(there).ok());
  EXPECT_EQ(to_string(*this->read(this->name_)),
            "generation 6 of run-1: A 10.0.0.1 A 10.0.0.2 AAAA 2001:db8::1, ttl 60 s");
  ASSERT_TRUE(this->change(a_change(this->name_, 6, 7, addresses({"10.0.0.3"}))).ok());
  EXPECT_EQ(this->read(this->name_)->target, addresses({"10.0.0.3"}));
  ASSERT_TRUE(this->change(a_change(this->name_, 7, 8, alias("birch.example.net"))).ok());
  EXPECT_EQ(this->read(this->name_)->target, alias("birch.example.net"));
}

TYPED_TEST_P(DnsSuite, RefusesAStaleGenerationAndSaysWhatStandsThere) {
  this->create();
  EXPECT_EQ(this->code_of(a_change(this->name_, 4, 9, alias("birch.example.net"))),
            base::ErrorCode::kConflict);
  EXPECT_NE(this->last_error_.find("generation 5 of run-0: CNAME amber.example.net"),
            std::string::npos)
      << this->last_error_;
  EXPECT_NE(this->last_error_.find("expected was generation 4"), std::string::npos);
  EXPECT_EQ(this->read(this->name_)->generation, 5u);
}

TYPED_TEST_P(DnsSuite, RefusesToMakeWhatIsThere) {
  this->create();
  EXPECT_EQ(this->code_of(a_change(this->name_, 0, 9, alias("birch.example.net"))),
            base::ErrorCode::kConflict);
  EXPECT_EQ(this->read(this->name_)->target, alias("amber.example.net"));
}

TYPED_TEST_P(DnsSuite, RefusesAGenerationThatIsNotThereYet) {
  EXPECT_EQ(this->code_of(a_change(this->name_, 3, 9, alias("birch.example.net"))),
            base::ErrorCode::kConflict);
  EXPECT_EQ(*this->read(this->name_), NameState());
}

TYPED_TEST_P(DnsSuite, RefusesWhatMustNotBeTried) {
  this->create();
  const Change good = a_change(this->name_, 5, 6, alias("birch.example.net"));
  std::vector<Change> bad(9, good);
  bad[0].target = Target();
  bad[1].fence = 5;
  bad[2].ttl = std::chrono::seconds(29);
  bad[3].ttl = std::chrono::seconds(61);
  bad[4].name = "a.elsewhere.example";
  bad[5].target = addresses({"10.0.0.256"});
  bad[6].target.addresses = {"10.0.0.1"};  // beside the alias
  bad[7].run = "run 1";
  bad[8].name = this->harness_->zone();
  for (const Change& each : bad) {
    EXPECT_EQ(this->code_of(each), base::ErrorCode::kInvalid) << this->last_error_;
  }
  EXPECT_EQ(this->read(this->name_)->generation, 5u);
}

TYPED_TEST_P(DnsSuite, TakesARepeatedChangeForDone) {
  this->create();
  const Change move = a_change(this->name_, 5, 6, addresses({"10.0.0.1"}));
  ASSERT_TRUE(this->change(move).ok());
  EXPECT_TRUE(this->change(move).ok());
  Change other = move;
  other.run = "run-2";
  EXPECT_EQ(this->code_of(other), base::ErrorCode::kConflict);
}

TYPED_TEST_P(DnsSuite, LetsExactlyOneOfManyWin) {
  this->create();
  int won = 0, lost = 0, others = 0;
  for (int i = 0; i < 8; ++i) {
    Change mine = a_change(this->name_, 5, 6, addresses({"10.0.0." + std::to_string(i)}),
                           "run-" + std::to_string(i));
    boost::asio::co_spawn(
        this->harness_->io(), this->harness_->dns().change(std::move(mine), this->harness_->soon()),
        [&](std::exception_ptr, base::Result<Changed> done) {
          const bool conflict = !done && done.code() == base::ErrorCode::kConflict;
          ++(done ? won : conflict ? lost : others);
        });
  }
  this->harness_->io().restart();
  this->harness_->io().run();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 7);
  EXPECT_EQ(others, 0);
  const auto state = this->read(this->name_);
  ASSERT_EQ(state->target.addresses.size(), 1u);
  EXPECT_EQ("run-" + state->target.addresses.front().substr(7), state->run);
}

REGISTER_TYPED_TEST_SUITE_P(DnsSuite, CouldReadAndChangeNames, ShowsNothingForANameNeverMade,
                            MakesANameWithItsGeneration, MovesANameBetweenAliasAndAddresses,
                            RefusesAStaleGenerationAndSaysWhatStandsThere, RefusesToMakeWhatIsThere,
                            RefusesAGenerationThatIsNotThereYet, RefusesWhatMustNotBeTried,
                            TakesARepeatedChangeForDone, LetsExactlyOneOfManyWin);

}  // namespace agent::dns
