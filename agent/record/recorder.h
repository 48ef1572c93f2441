// Recorder: keeps what the detector was told, so that the night can be judged again tomorrow.
//
// Idea: the control thread only encodes, some fifty nanoseconds a sample, and every two seconds hands
// the bytes to a thread that may wait for the disk and has nothing else to do. When that falls behind
// or fails, what was told is left out and counted, nothing is encoded until all that waits is
// written, a new segment begins then, and nobody waits. A disk that goes on failing is tried more
// and more seldom. Each segment begins with what the detector had learned, so that any of them is a
// beginning.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "agent/record/ring.h"
#include "agent/series/recording.h"
#include "base/time/clock.h"

namespace agent::record {

// Every event that was told is in exactly one of these, or is on its way to the disk.
struct RecordingCounts {
  uint64_t kept = 0;     // written
  uint64_t behind = 0;   // left out: the disk was slow, and too much waited for it
  uint64_t failing = 0;  // left out: a write had failed
  uint64_t left_out() const { return behind + failing; }
};

// Thread: the control thread's. Owner: app.
class Recorder {
 public:
  struct Options {
    std::string folder;
    uint64_t limit = 0;  // bytes of all segments; 0: nothing is recorded
  };
  // `learned`: what the detector has learned by now.
  Recorder(Options options, boost::asio::any_io_executor disk, const base::Clock& clock,
           std::function<std::string()> learned);
  ~Recorder();

  // The detector begins, with what it has learned.
  void start();
  void observe(const series::Sample& sample);
  // Before the detector is asked at that time. Hands a block over when two seconds have passed.
  void tick(base::Instant now);
  // What is not handed over yet, at the end.
  void flush();

  // Whether nothing waits for the disk.
  bool is_written() const;
  RecordingCounts counts() const;  // since the start

 private:
  struct Shared;

  void hand_over(base::Instant now);
  void begin_segment();
  bool may_hand_over() const;
  void pause(base::Instant now);
  void leave_out(uint64_t events);

  // Constant after construction.
  Options options_;
  boost::asio::any_io_executor disk_;
  const base::Clock& clock_;
  std::function<std::string()> learned_;
  std::shared_ptr<Shared> shared_;  // with the disk's thread

  // Owned by the control thread.
  series::RecordingEncoder encoder_;
  std::string header_;  // of a segment of which nothing was handed over
  uint64_t segment_bytes_ = 0;
  uint64_t events_ = 0;  // in the block that is being filled
  uint64_t told_ = 0;    // by that block: events that were left out
  uint64_t untold_ = 0;  // left out, and by no block that was handed over
  uint64_t behind_ = 0;  // left out without having been handed over
  uint64_t failing_ = 0;
  base::Instant handed_over_;
  bool is_running_ = false;
  bool is_paused_ = false;   // nothing is encoded
  bool is_failing_ = false;  // why it is
  base::Instant next_try_;
  base::Duration patience_;  // after the next failure
  uint64_t kept_at_try_ = 0;
};

}  // namespace agent::record
