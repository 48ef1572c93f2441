// A recording judged again says what was said live.
#include "agent/rule/rerun.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/rule/world.h"

namespace {

using namespace std::chrono_literals;
using agent::incident::Verdict;
using agent::rule::Rerun;
using agent::rule::RuleSet;
using agent::rule::VerdictChange;
using agent::series::Checkpoint;
using agent::series::Event;
using agent::series::RecordingDecoder;
using agent::series::RecordingEncoder;
using agent::series::Started;
using agent::series::Tick;
using test::World;
using test::WorldOptions;

std::string text_of(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict& verdict : verdicts) {
    text += verdict.rule + "|" + std::string(to_string(verdict.type)) + "|" +
            verdict.scope.to_string() + "|" + (verdict.active ? "active" : "over") + "|" +
            std::to_string(verdict.since.ns) + "|" + std::to_string(verdict.confidence) + "|" +
            verdict.sentence + "\n";
  }
  return text;
}

// Half an hour in which much goes wrong.
struct Night {
  std::string segments;
  std::vector<std::string> live;  // the verdicts of each tick
  size_t second_segment = 0;      // where it begins in `segments`
  size_t ticks_before = 0;        // the ticks before it

  explicit Night(uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.rate = 100;
    options.clients = true;
    World world(options);
    RecordingEncoder encoder;
    segments = encoder.begin_segment();
    encoder.add(Event(Started{}));
    world.told = [&](const Event& event) {
      if (std::holds_alternative<Tick>(event)) {
        segments += encoder.take_block({world.now().ns}, world.now());
      }
      encoder.add(event);
    };
    const auto run = [&](base::Duration length) {
      for (const base::Instant end = world.now() + length; world.now() < end;) {
        world.run_for(100ms);
        live.push_back(text_of(world.verdicts));
      }
    };
    auto& amber = world.cluster("amber");
    run(5min);
    amber.slow_share = 0.15;
    run(1min);
    amber.slow_share = 0;
    run(1min);
    world.stop(world.cluster("birch").backends[1]);
    run(30s);
    world.cluster("birch").backends[1].stopped = false;
    run(2min);
    segments += encoder.take_block({world.now().ns}, world.now());
    second_segment = segments.size();
    ticks_before = live.size();
    segments += encoder.begin_segment();
    encoder.add(Event(Checkpoint{world.detector.save()}));
    amber.proxies[0].clients["192.0.2.7"] = 4000;
    run(1min);
    world.kill(amber.proxies[1]);
    run(1min);
    segments += encoder.take_block({world.now().ns}, world.now());
  }
};

std::vector<std::string> replay(std::string_view bytes, std::vector<VerdictChange>* changes) {
  RecordingDecoder decoder;
  decoder.add(bytes);
  Rerun rerun{RuleSet()};
  std::vector<std::string> said;
  while (const auto events = decoder.next_block()) {
    for (const Event& event : *events) {
      for (auto& change : rerun.apply(event)) {
        if (changes != nullptr) changes->push_back(std::move(change));
      }
      if (std::holds_alternative<Tick>(event)) said.push_back(text_of(rerun.verdicts()));
    }
  }
  EXPECT_EQ(rerun.problem(), "");
  EXPECT_EQ(decoder.damaged(), 0U);
  return said;
}

TEST(Rerun, SaysAtEachMomentWhatWasSaidLive) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Night night(seed);
    std::vector<VerdictChange> changes;
    const auto said = replay(night.segments, &changes);
    ASSERT_EQ(said.size(), night.live.size());
    for (size_t i = 0; i < said.size(); ++i) ASSERT_EQ(said[i], night.live[i]) << seed << " " << i;
    size_t began = 0;
    for (const VerdictChange& change : changes) began += change.began ? 1 : 0;
    EXPECT_GE(began, 4U);
  }
}

TEST(Rerun, BeginsInTheMiddleWithWhatHadBeenLearned) {
  const Night night(4);
  std::vector<VerdictChange> changes;
  replay(std::string_view(night.segments).substr(night.second_segment), &changes);
  const auto found = [&](const char* rule) {
    return std::any_of(changes.begin(), changes.end(), [&](const VerdictChange& change) {
      return change.began && change.verdict.rule == rule;
    });
  };
  // The surge is one because the level before it is known.
  EXPECT_TRUE(found("connection_surge"));
  EXPECT_TRUE(found("proxy_dead"));
}

TEST(Rerun, JudgesByTheRulesItIsGiven) {
  const Night night(5);
  RuleSet deaf;
  deaf.latency_shift.enabled = false;
  RecordingDecoder decoder;
  decoder.add(night.segments);
  Rerun rerun(deaf);
  while (const auto events = decoder.next_block()) {
    for (const Event& event : *events) {
      for (const VerdictChange& change : rerun.apply(event)) {
        EXPECT_NE(change.verdict.rule, "latency_shift");
      }
    }
  }
  EXPECT_GT(rerun.samples(), 100000U);
}

}  // namespace
