#include "agent/series/recording.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace agent::series {
namespace {

using namespace std::chrono_literals;

bool same(const Sample& a, const Sample& b) {
  const auto equal = [](double x, double y) { return std::memcmp(&x, &y, sizeof x) == 0; };
  return a.key == b.key && a.at == b.at && equal(a.value, b.value) && equal(a.weight, b.weight);
}

// Samples as collectors give them: slots, ages, counts, and values that are like nothing.
std::vector<Sample> make_samples(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Sample> samples;
  int64_t now = 1'000'000'000'000;
  for (size_t i = 0; i < count; ++i) {
    const std::string proxy = "amber-proxy-" + std::to_string(random() % 3);
    Sample sample;
    switch (random() % 5) {
      case 0:
        sample.key = {"link_pace", "amber", proxy, "amber-backend-1", ""};
        sample.at = {now / 10'000'000 * 10'000'000};
        sample.value = static_cast<double>(random() % 3);
        sample.weight = static_cast<double>(random() % 100);
        break;
      case 1:
        sample.key = {"proxy_heartbeat_age_seconds", "amber", proxy, "", ""};
        sample.at = {now};
        sample.value = static_cast<double>(random() % 100'000'000) / 1e9;
        break;
      case 2:
        sample.key = {"odd", "", "", "", "10.0.0.1"};
        sample.at = {now - static_cast<int64_t>(random() % 1'000'000'000)};
        sample.value = std::normal_distribution<double>()(random) * 1e20;
        break;
      case 3:
        sample.key = {"odd", "", "", "", ""};
        sample.at = {static_cast<int64_t>(random())};
        sample.value = random() % 2 == 0 ? std::nan("") : -0.0;
        break;
      default:
        sample.key = {"canary_ok", "birch", proxy, "birch-backend-1", ""};
        sample.at = {now};
        sample.value = 1;
        now += 50'000'000;
    }
    samples.push_back(sample);
  }
  return samples;
}

std::string encode(const std::vector<Sample>& samples) {
  RecordingEncoder encoder;
  std::string segment = encoder.begin_segment();
  for (size_t i = 0; i < samples.size(); ++i) {
    encoder.add(samples[i]);
    if (i % 100 == 99) segment += encoder.take_block({int64_t(i)}, samples[i].at);
  }
  return segment + encoder.take_block({}, {});
}

TEST(Recording, GivesBackEverySampleToTheBit) {
  const std::vector<Sample> samples = make_samples(5000, 1);
  const std::string segment = encode(samples);
  RecordingDecoder decoder;
  decoder.add(segment);
  size_t next = 0;
  while (auto events = decoder.next_block()) {
    for (const Event& event : *events) {
      ASSERT_TRUE(same(std::get<Sample>(event), samples[next])) << next;
      ++next;
    }
  }
  EXPECT_EQ(next, samples.size());
  EXPECT_EQ(decoder.damaged(), 0U);
}

TEST(Recording, KeepsWhatElseTheDetectorWasToldInItsPlace) {
  RecordingEncoder encoder;
  std::string segment = encoder.begin_segment();
  encoder.add(Event(Started{"{}"}));
  encoder.add(Event(Sample{{"a", "b", "", "", ""}, {5}, 1, 1}));
  encoder.add(Event(Tick{{7}}));
  encoder.add(Event(Forgotten{"amber", "amber-proxy-1", "", ""}));
  encoder.add(Event(Dropped{12}));
  encoder.add(Event(Checkpoint{"{\"x\":1}"}));
  segment += encoder.take_block({99}, {8});
  RecordingDecoder decoder;
  decoder.add(segment);
  const auto events = decoder.next_block();
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 6U);
  EXPECT_EQ(std::get<Started>((*events)[0]).learned, "{}");
  EXPECT_EQ(std::get<Tick>((*events)[2]).at.ns, 7);
  EXPECT_EQ(std::get<Forgotten>((*events)[3]).proxy, "amber-proxy-1");
  EXPECT_EQ(std::get<Dropped>((*events)[4]).events, 12U);
  EXPECT_EQ(std::get<Checkpoint>((*events)[5]).learned, "{\"x\":1}");
  EXPECT_EQ(decoder.wall().ns, 99);
  EXPECT_EQ(decoder.at().ns, 8);
}

size_t count_samples(RecordingDecoder& decoder) {
  size_t count = 0;
  while (auto events = decoder.next_block()) count += events->size();
  return count;
}

TEST(Recording, ReadsTheSameHoweverTheBytesCome) {
  const std::vector<Sample> samples = make_samples(300, 5);
  const std::string segments = encode(samples) + encode(samples);
  for (const size_t piece : {1, 3, 64, 1000}) {
    RecordingDecoder decoder;
    size_t count = 0;
    for (size_t at = 0; at < segments.size(); at += piece) {
      decoder.add(std::string_view(segments).substr(at, piece));
      count += count_samples(decoder);
    }
    EXPECT_EQ(count, 2 * samples.size()) << piece;
    EXPECT_EQ(decoder.damaged(), 0U);
  }
}

TEST(Recording, LosesOnlyWhatIsTorn) {
  const std::vector<Sample> samples = make_samples(300, 2);
  const std::string whole = encode(samples);
  size_t before = 0;
  for (size_t size = 0; size <= whole.size(); ++size) {
    RecordingDecoder decoder;
    decoder.add(std::string_view(whole).substr(0, size));
    const size_t count = count_samples(decoder);
    ASSERT_EQ(count % 100, 0U);
    ASSERT_GE(count, before);
    before = count;
  }
  EXPECT_EQ(before, samples.size());
}

TEST(Recording, NoticesEveryFlippedByteAndGoesOnWithTheNextSegment) {
  const std::vector<Sample> samples = make_samples(100, 3);
  const std::string whole = encode(samples);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x20);
    RecordingDecoder decoder;
    decoder.add(broken + whole);
    size_t count = count_samples(decoder);
    decoder.end();  // a length that grew waits for bytes that never come
    count += count_samples(decoder);
    ASSERT_EQ(count, samples.size()) << at;
    ASSERT_GT(decoder.damaged(), 0U) << at;
  }
}

TEST(Recording, FindsTheSegmentAfterATornBlockThatIsLongerThanIt) {
  const std::vector<Sample> samples = make_samples(100, 6);
  const std::string torn = encode(samples), small = encode({samples[0]});
  for (size_t size = kRecordingMagic.size(); size < torn.size(); ++size) {
    RecordingDecoder decoder;
    decoder.add(torn.substr(0, size) + small);
    size_t count = count_samples(decoder);
    decoder.end();
    count += count_samples(decoder);
    ASSERT_EQ(count, 1U) << size;
    ASSERT_EQ(decoder.damaged(), size - kRecordingMagic.size()) << size;
  }
}

TEST(Recording, RefusesWhatIsNoneOrOfAnotherVersion) {
  EXPECT_TRUE(check_recording(kRecordingMagic));
  EXPECT_EQ(check_recording("timestamp,value\n").code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(check_recording("").code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(check_recording(std::string_view("mcgrec\0\2", 8)).error().context,
            "expected a recording of version 1, got version 2");
}

TEST(Recording, CostsAFewBytesASample) {
  // A busy second of four links: what the agent reads every 100 ms.
  RecordingEncoder encoder;
  encoder.begin_segment();
  std::mt19937_64 random(4);
  size_t samples = 0, bytes = 0;
  for (int64_t tick = 0; tick < 600; ++tick) {
    for (int link = 0; link < 4; ++link) {
      const SeriesKey key{"link_pace", "amber", "amber-proxy-" + std::to_string(link / 2),
                          "amber-backend-" + std::to_string(link % 2), ""};
      for (int64_t slot = 0; slot < 10; ++slot, ++samples) {
        encoder.add(Sample{key,
                           {(tick * 10 + slot) * 10'000'000},
                           static_cast<double>(random() % 2),
                           static_cast<double>(20 + random() % 20)});
      }
    }
    bytes += encoder.take_block({}, {}).size();
  }
  EXPECT_LT(static_cast<double>(bytes) / static_cast<double>(samples), 4.0);
}

}  // namespace
}  // namespace agent::series
