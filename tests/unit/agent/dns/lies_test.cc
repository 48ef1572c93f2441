// What a switch makes of servers that lie, fall silent or are late. A test's server answers questions
// rightly, unless the test is about them, and UPDATEs as the test says.
#include <gtest/gtest.h>

#include "tests/unit/agent/dns/lying_server.h"

namespace agent::dns {
namespace {

using namespace std::chrono_literals;

Change a_move() {
  Change change;
  change.name = "a.cache.test";
  change.expected_generation = 5;
  change.target.addresses = {"10.0.0.2"};
  change.fence = 6;
  change.run = "run-6";
  return change;
}

class Lies : public ::testing::Test {
 protected:
  Lies() {
    server_.state.target.alias = "amber.example.net";
    server_.state.ttl = 30s;
    server_.state.generation = 5;
    server_.state.run = "run-5";
  }
  base::Result<Changed> move() {
    Rfc2136Switch names(server_.io.get_executor(), server_.timers, server_.options());
    return server_.run(names.change(a_move(), server_.clock.now() + 3s));
  }
  // UPDATEs are answered so, questions honestly.
  void answer_updates(LyingServer::Manner manner) {
    server_.manner = [manner](LyingServer& server, const Asked& asked) {
      return asked.is_update ? manner(server, asked)
                             : std::vector<std::string>{server.honest(asked)};
    };
  }
  void answer_updates_with(ldns_pkt_rcode code) {
    answer_updates([code](LyingServer& server, const Asked& asked) {
      return std::vector<std::string>{server.said(asked, code)};
    });
  }
  // From now on it shows the change.
  static std::vector<std::string> done(LyingServer& server, const Asked& asked) {
    server.state = wanted_state(a_move());
    return {server.honest(asked)};
  }
  void expect(base::ErrorCode code, const std::string& words) {
    const base::Instant begun = server_.clock.now();
    const auto moved = move();
    took_ = server_.clock.now() - begun;
    ASSERT_FALSE(moved.ok());
    EXPECT_EQ(moved.code(), code) << moved.error().context;
    EXPECT_NE(moved.error().context.find(words), std::string::npos) << moved.error().context;
  }
  LyingServer server_;
  base::Duration took_{0};
};

TEST_F(Lies, AnHonestServerIsBelieved) {
  answer_updates(done);
  const auto moved = move();
  ASSERT_TRUE(moved.ok()) << moved.error().to_string();
  EXPECT_TRUE(moved->behind.empty());
  EXPECT_EQ(server_.updates, 1);
}

TEST_F(Lies, AnUpdateAnsweredWithAnotherKeyIsUnknown) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    Key other = server.key;
    other.secret = base::Secret(std::string(32, 'x'));
    return std::vector<std::string>{server.signed_with(other, asked, server.plain(asked))};
  });
  expect(base::ErrorCode::kUnknown, "its signature is wrong");
  EXPECT_GE(took_, 3s);
}

TEST_F(Lies, AnUpdateAnsweredWithoutSignatureIsUnknown) {
  for (const auto code : {LDNS_RCODE_NOERROR, LDNS_RCODE_REFUSED, LDNS_RCODE_NXRRSET}) {
    answer_updates([code](LyingServer& server, const Asked& asked) {
      return std::vector<std::string>{server.plain(asked, code)};
    });
    expect(base::ErrorCode::kUnknown, "it is not signed");
  }
}

TEST_F(Lies, AnAnswerSignedForAnotherRequestIsNone) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    Asked other = asked;
    other.bytes[other.bytes.size() - 10] ^= 1;  // in its MAC
    return std::vector<std::string>{server.honest(other)};
  });
  expect(base::ErrorCode::kUnknown, "its signature is wrong");
}

TEST_F(Lies, AnAnswerSignedLongAgoIsNone) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    test::ManualClock past;
    past.set(server.clock.now() - 301s);
    const std::string mac = LyingServer::mac_of(asked.bytes);
    return std::vector<std::string>{sign(server.plain(asked), server.key, past.wall(), mac).bytes};
  });
  expect(base::ErrorCode::kUnknown, "do the clocks differ?");
}

TEST_F(Lies, AnAnswerWithAnotherIdIsNone) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    Asked other = asked;
    other.bytes[0] ^= 1;
    return std::vector<std::string>{server.honest(other)};
  });
  expect(base::ErrorCode::kUnknown, "did not answer in time");
}

TEST_F(Lies, AnAnswerFromElsewhereIsNone) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    server.send_from_elsewhere(server.honest(asked));
    return std::vector<std::string>{};
  });
  expect(base::ErrorCode::kUnknown, "did not answer in time");
}

TEST_F(Lies, GarbageAndHalvesOfAnswersAreNone) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    const std::string good = server.honest(asked);
    std::vector<std::string> all = {"", std::string(3000, '\xff'), good + "x"};
    for (size_t size = 1; size < good.size(); size += 3) all.push_back(good.substr(0, size));
    return all;
  });
  expect(base::ErrorCode::kUnknown, "");
}

TEST_F(Lies, TheRightAnswerAmongLiesIsFound) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    const std::string good = done(server, asked).front();
    std::string changed = good;
    changed[3] ^= LDNS_RCODE_REFUSED;
    return std::vector<std::string>{"", changed, server.plain(asked), good};
  });
  const auto moved = move();
  EXPECT_TRUE(moved.ok()) << moved.error().to_string();
}

TEST_F(Lies, SilenceIsUnknownAtTheDeadlineAndTheUpdateIsSentAgainMeanwhile) {
  answer_updates([](LyingServer&, const Asked&) { return std::vector<std::string>{}; });
  expect(base::ErrorCode::kUnknown, "whether the change happened is unknown");
  EXPECT_GE(took_, 3s);
  EXPECT_LT(took_, 3100ms);
  EXPECT_EQ(server_.updates, 4);  // at 0, 250, 750 and 1750 ms
}

TEST_F(Lies, ALostAnswerIsMadeUpForByTheNext) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    // The first did it, and the second finds its prerequisite gone.
    server.state = wanted_state(a_move());
    if (asked.number == 1) return std::vector<std::string>{};
    return std::vector<std::string>{server.said(asked, LDNS_RCODE_NXRRSET)};
  });
  const auto moved = move();
  ASSERT_TRUE(moved.ok()) << moved.error().to_string();
  EXPECT_EQ(server_.updates, 2);
}

TEST_F(Lies, ALostAnswerIsUnknownWhenTheNameCannotBeReadAfterwards) {
  bool silent = false;
  server_.manner = [&silent](LyingServer& server, const Asked& asked) {
    if (silent) return std::vector<std::string>{};
    if (!asked.is_update) return std::vector<std::string>{server.honest(asked)};
    if (asked.number == 1) return std::vector<std::string>{};
    silent = true;
    return std::vector<std::string>{server.said(asked, LDNS_RCODE_NXRRSET)};
  };
  expect(base::ErrorCode::kUnknown, "perhaps to a copy of one that it made");
  EXPECT_EQ(server_.updates, 2);
}

TEST_F(Lies, AnotherGenerationIsAConflictAlthoughTheNameCannotBeReadAgain) {
  server_.state.generation = 9;
  server_.manner = [](LyingServer& server, const Asked& asked) {
    if (asked.number > 3) return std::vector<std::string>{};
    return std::vector<std::string>{server.honest(asked)};
  };
  expect(base::ErrorCode::kConflict, "what stands there is not known");
  EXPECT_EQ(server_.updates, 0);
}

TEST_F(Lies, AGenerationWithoutItsRecordsIsNoSuccess) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    server.state = wanted_state(a_move());
    server.state.target = Target();
    return std::vector<std::string>{server.honest(asked)};
  });
  expect(base::ErrorCode::kUnknown, "made the change of a.cache.test in part");
  // Nor is it when it is repeated.
  expect(base::ErrorCode::kUnknown, "but A 10.0.0.2 was wanted");
  EXPECT_EQ(server_.updates, 1);
}

TEST_F(Lies, RecordsThatComeAfterTheirGenerationAreWaitedFor) {
  server_.manner = [](LyingServer& server, const Asked& asked) {
    if (asked.is_update) {
      server.state = wanted_state(a_move());
      server.state.target = Target();
    } else if (asked.number > 12) {
      server.state.target = a_move().target;
    }
    return std::vector<std::string>{server.honest(asked)};
  };
  const auto moved = move();
  ASSERT_TRUE(moved.ok()) << moved.error().to_string();
  EXPECT_TRUE(moved->behind.empty());
}

TEST_F(Lies, ADelayedAnswerCounts) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    if (asked.number < 3) return std::vector<std::string>{};
    return done(server, asked);
  });
  const base::Instant begun = server_.clock.now();
  EXPECT_TRUE(move().ok());
  EXPECT_GE(server_.clock.now() - begun, 750ms);
}

TEST_F(Lies, WhatAServerRefusesIsCertainlyNotDone) {
  answer_updates_with(LDNS_RCODE_REFUSED);
  expect(base::ErrorCode::kRefused, "does its update-policy allow that?");
  answer_updates_with(LDNS_RCODE_NOTAUTH);
  expect(base::ErrorCode::kRefused, "is it the primary of zone cache.test");
  answer_updates_with(LDNS_RCODE_FORMERR);
  expect(base::ErrorCode::kUnavailable, "FORMERR");
  answer_updates_with(LDNS_RCODE_NOTZONE);
  expect(base::ErrorCode::kUnavailable, "NOTZONE");
}

TEST_F(Lies, AFailureOfTheServerIsUnknown) {
  answer_updates_with(LDNS_RCODE_SERVFAIL);
  expect(base::ErrorCode::kUnknown, "SERVFAIL");
}

TEST_F(Lies, AMissingPrerequisiteIsAConflictThatNamesTheWinner) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    server.state.generation = 7;
    server.state.run = "run-7";
    server.state.target.alias = "birch.example.net";
    return std::vector<std::string>{server.said(asked, LDNS_RCODE_NXRRSET)};
  });
  expect(base::ErrorCode::kConflict, "generation 7 of run-7: CNAME birch.example.net");
}

TEST_F(Lies, DoneButNotShownIsSaid) {
  answer_updates([](LyingServer& server, const Asked& asked) {
    return std::vector<std::string>{server.honest(asked)};
  });
  const auto moved = move();
  ASSERT_TRUE(moved.ok());
  ASSERT_EQ(moved->behind.size(), 1u);
  EXPECT_NE(moved->behind.front().why.find("generation 5 of run-5"), std::string::npos);
}

TEST_F(Lies, NothingIsSentToAServerWhoseAnswersAreNotAuthentic) {
  server_.manner = [](LyingServer& server, const Asked& asked) {
    return std::vector<std::string>{server.plain(asked)};
  };
  expect(base::ErrorCode::kUnavailable, "it is not signed");
  EXPECT_EQ(server_.updates, 0);
}

TEST_F(Lies, NothingIsSentToASilentServer) {
  server_.manner = [](LyingServer&, const Asked&) { return std::vector<std::string>{}; };
  expect(base::ErrorCode::kUnavailable, "did not answer in time");
  EXPECT_EQ(server_.updates, 0);
}

TEST_F(Lies, NothingIsSentToAServerThatDoesNotKnow) {
  for (const auto code : {LDNS_RCODE_SERVFAIL, LDNS_RCODE_REFUSED}) {
    server_.manner = [code](LyingServer& server, const Asked& asked) {
      return std::vector<std::string>{server.said(asked, code)};
    };
    expect(base::ErrorCode::kUnavailable, "to a question about zone cache.test");
  }
  server_.manner = [](LyingServer& server, const Asked& asked) {
    std::string lame = server.plain(asked);
    lame[2] &= ~0x04;  // not authoritative
    return std::vector<std::string>{server.signed_for(asked, lame)};
  };
  expect(base::ErrorCode::kUnavailable, "is not authoritative for zone cache.test");
  EXPECT_EQ(server_.updates, 0);
}

TEST_F(Lies, AGenerationRecordOfAnotherFormIsLeftToAPerson) {
  server_.state.run = "by hand";
  expect(base::ErrorCode::kUnavailable, "repair it by hand");
  EXPECT_EQ(server_.updates, 0);
}

TEST_F(Lies, NobodyListeningIsCertain) {
  Rfc2136Options options = server_.options();
  options.servers.front().address = "127.91.7.9";
  Rfc2136Switch names(server_.io.get_executor(), server_.timers, options);
  const auto moved = server_.run(names.change(a_move(), server_.clock.now() + 3s));
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.code(), base::ErrorCode::kUnavailable);
  EXPECT_NE(moved.error().context.find("refused"), std::string::npos) << moved.error().context;
}

TEST_F(Lies, ATruncatedAnswerIsAskedForByTcp) {
  int by_tcp = 0;
  server_.manner = [&by_tcp](LyingServer& server, const Asked& asked) {
    if (asked.is_update) return done(server, asked);
    by_tcp += asked.by_tcp ? 1 : 0;
    std::string answer = server.plain(asked);
    if (!asked.by_tcp) {
      answer = server.plain(asked, LDNS_RCODE_NXDOMAIN);  // without records
      answer[3] = 0;
      answer[2] |= 0x02;
    }
    return std::vector<std::string>{server.signed_for(asked, answer)};
  };
  const auto moved = move();
  ASSERT_TRUE(moved.ok()) << moved.error().to_string();
  EXPECT_EQ(by_tcp, 5);  // generation, A and AAAA before; generation and A after
}

TEST_F(Lies, WhatStandsThereAlreadyIsNotSentAgain) {
  server_.state = wanted_state(a_move());
  EXPECT_TRUE(move().ok());
  EXPECT_EQ(server_.updates, 0);
}

}  // namespace
}  // namespace agent::dns
