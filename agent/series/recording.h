// Recording: everything that a detector was told, as bytes that give exactly the same again.
//
// Idea: what is told repeats itself, so most of a sample is a prediction that came true: which
// series follows which, ten milliseconds after its last sample, with the same value. A sample costs
// one to five bytes. Values are kept to the bit; those that are whole numbers or whole nanoseconds
// are written as such.
//
// A segment is a header and blocks; each block has its length and a checksum. The names of series
// are told once per segment, so a segment is read from its beginning and on its own; a file may
// hold many. A torn or damaged block ends its segment, never the reading. Times are monotonic;
// every segment and every block says what time of day it was.
//
//   header  "mcgrec" 0x00 version(1)
//   block   length(4, LE) crc32(4, LE) payload; payload = wall(8, LE) monotonic(8, LE) event*
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/series/sample.h"
#include "base/core/result.h"

namespace agent::series {

// A detector began, with what had been learned before (empty: nothing).
struct Started {
  std::string learned;
};
// What the detector had learned when the segment began; it went on. For who begins to read here.
struct Checkpoint {
  std::string learned;
};
// The detector was asked for its verdicts.
struct Tick {
  base::Instant at;
};
// A member left for good; empty names as in a scope.
struct Forgotten {
  std::string cluster, proxy, backend, client;
};
// So many events could not be written.
struct Dropped {
  uint64_t events = 0;
};
using Event = std::variant<Started, Checkpoint, Tick, Forgotten, Dropped, Sample>;

constexpr std::string_view kRecordingMagic{"mcgrec\0\1", 8};

// What both sides remember of a series while a segment is written or read.
struct RecordedSeries {
  SeriesKey key;
  int64_t at = 0;
  double value = 0;
  double weight = 1;
  uint32_t follower = 0;  // the series that came after it the last time
  uint32_t next = 0;      // likewise when it was not itself; of no matter to the bytes
};

// Thread: its owner's.
class RecordingEncoder {
 public:
  // Begins a segment: what was told before is not referred to.
  std::string begin_segment();
  void add(const Event& event);
  void add(const Sample& sample);
  size_t pending() const { return payload_.size(); }
  // What was added since, as one block; empty when nothing was.
  std::string take_block(base::WallTime wall, base::Instant now);

 private:
  void add_time(int64_t at);
  // And whether it is new.
  std::pair<uint32_t, bool> id_of(const SeriesKey& key);

  std::map<SeriesKey, uint32_t> ids_;
  std::vector<RecordedSeries> series_;
  uint32_t last_series_ = 0;
  int64_t last_at_ = 0;
  std::string payload_;
};

// Whether a file that begins like this is a recording that can be read. kInvalid says what it is
// instead; eight bytes are enough.
base::Result<> check_recording(std::string_view begin);

// Reads segments, one behind the other, from bytes that come in pieces. Thread: its owner's.
class RecordingDecoder {
 public:
  void add(std::string_view bytes);
  // No more bytes come: a block that still waits for some was torn.
  void end() { is_ended_ = true; }
  // The events of the next whole block; nullopt: more bytes are needed. Damage is skipped to the
  // next segment.
  std::optional<std::vector<Event>> next_block();
  base::WallTime wall() const { return wall_; }  // of the block read last
  base::Instant at() const { return at_; }
  // Bytes that belong to no whole block: what a crash tore, or damage. Of all that was added.
  size_t damaged() const { return damaged_ + buffer_.size() - begin_; }

 private:
  void begin_segment();
  bool find_segment();
  bool read_events(std::string_view payload, std::vector<Event>& events);
  bool read_sample(uint8_t tag, std::string_view& in, Sample& sample);

  std::string buffer_;
  size_t begin_ = 0;     // of what is not read yet
  bool is_lost_ = true;  // until a segment begins
  bool is_ended_ = false;
  std::vector<RecordedSeries> series_;
  uint32_t last_series_ = 0;
  int64_t last_at_ = 0;
  base::WallTime wall_;
  base::Instant at_;
  size_t damaged_ = 0;
};

}  // namespace agent::series
