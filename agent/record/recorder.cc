#include "agent/record/recorder.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/telemetry/log.h"

namespace agent::record {

namespace {

constexpr base::Duration kEvery = std::chrono::seconds(2);
// Of the limit; the oldest goes at once, so at least fifteen sixteenths are kept.
constexpr uint64_t kSegments = 16;
constexpr size_t kMostWaiting = 8u << 20;  // bytes for the disk
constexpr size_t kLargestBlock = 1u << 20;
constexpr base::Duration kPatience = std::chrono::seconds(1);
constexpr base::Duration kMostPatience = std::chrono::seconds(32);  // with a disk that fails

}  // namespace

struct Recorder::Shared {
  struct Block {
    std::string bytes;
    bool begins = false;  // a segment
    uint64_t events = 0;
    uint64_t told = 0;  // that were left out
  };

  Shared(std::string folder, uint64_t limit) : ring(std::move(folder), limit) {}
  Ring ring;              // the disk's thread alone
  bool has_said = false;  // likewise: that it fails
  std::atomic<size_t> waiting{0};
  std::atomic<bool> failed{false};
  // Events, since the start. Of what was lost, `untold` is for the next block to tell.
  std::atomic<uint64_t> kept{0}, lost{0}, untold{0};

  void write(const Block& block) {
    const auto written = ring.append(block.bytes, block.begins);
    if (written) {
      kept += block.events;
    } else {
      lost += block.events;
      untold += block.events + block.told;
    }
    failed = !written;
    waiting -= block.bytes.size();  // last: who sees nothing waiting sees all of the above
    // Said once when it begins and once when it is over.
    if (written.ok() != has_said) return;
    has_said = !written;
    if (written) {
      base::log::info("recording_again");
    } else {
      base::log::warn("not_recorded", {{"error", written.error().context}});
    }
  }
};

Recorder::Recorder(Options options, boost::asio::any_io_executor disk, const base::Clock& clock,
                   std::function<std::string()> learned)
    : options_(std::move(options)),
      disk_(std::move(disk)),
      clock_(clock),
      learned_(std::move(learned)),
      shared_(std::make_shared<Shared>(options_.folder, options_.limit)),
      patience_(kPatience) {}

Recorder::~Recorder() = default;

void Recorder::start() {
  if (options_.limit == 0) return;
  is_running_ = true;
  handed_over_ = clock_.now();
  header_ = encoder_.begin_segment();
  encoder_.add(series::Event(series::Started{learned_()}));
}

void Recorder::observe(const series::Sample& sample) {
  if (!is_running_) return;
  if (is_paused_) return leave_out(1);
  encoder_.add(sample);
  ++events_;
}

void Recorder::tick(base::Instant now) {
  if (!is_running_) return;
  if (is_paused_) {
    if (now < next_try_ || !is_written()) return leave_out(1);
    is_paused_ = false;
    shared_->failed = false;
    kept_at_try_ = shared_->kept.load();
    handed_over_ = now;
    begin_segment();
  } else if (now - handed_over_ >= kEvery || encoder_.pending() >= kLargestBlock) {
    hand_over(now);
    if (is_paused_) return leave_out(1);
  }
  encoder_.add(series::Event(series::Tick{now}));
  ++events_;
}

void Recorder::flush() {
  if (is_running_ && !is_paused_) hand_over(clock_.now());
}

bool Recorder::is_written() const {
  return shared_->waiting.load() == 0;
}

RecordingCounts Recorder::counts() const {
  return {shared_->kept.load(), behind_, failing_ + shared_->lost.load()};
}

// Whether the block would be written, as far as is known here.
bool Recorder::may_hand_over() const {
  return !shared_->failed.load() && shared_->waiting.load() <= kMostWaiting;
}

void Recorder::hand_over(base::Instant now) {
  handed_over_ = now;
  if (!may_hand_over()) return pause(now);
  if (shared_->kept.load() != kept_at_try_) patience_ = kPatience;  // it works
  Shared::Block block;
  block.bytes = std::exchange(header_, {});
  block.begins = !block.bytes.empty();
  block.bytes += encoder_.take_block(clock_.wall(), now);
  block.events = std::exchange(events_, 0);
  block.told = std::exchange(told_, 0);
  untold_ -= block.told;
  segment_bytes_ += block.bytes.size();
  shared_->waiting += block.bytes.size();
  boost::asio::post(disk_, [shared = shared_, block = std::move(block)] { shared->write(block); });
  if (segment_bytes_ >= options_.limit / kSegments) begin_segment();
}

void Recorder::begin_segment() {
  header_ = encoder_.begin_segment();
  segment_bytes_ = 0;
  encoder_.add(series::Event(series::Checkpoint{learned_()}));
  untold_ += shared_->untold.exchange(0);
  told_ = untold_;
  if (told_ > 0) encoder_.add(series::Event(series::Dropped{told_}));
}

// Names that were told in what is lost are not known to what would follow: a new segment has to
// begin, with all that the detector has learned. Not while the last one still waits for the disk.
void Recorder::pause(base::Instant now) {
  is_paused_ = true;
  is_failing_ = shared_->failed.load();
  leave_out(std::exchange(events_, 0));
  told_ = 0;
  next_try_ = now;
  if (is_failing_) {
    next_try_ = now + patience_;
    patience_ = std::min(2 * patience_, kMostPatience);
  } else {
    base::log::warn("recording_behind", {{"waiting_bytes", shared_->waiting.load()}});
  }
}

void Recorder::leave_out(uint64_t events) {
  (is_failing_ ? failing_ : behind_) += events;
  untold_ += events;
}

}  // namespace agent::record
