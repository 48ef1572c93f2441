#include "agent/series/recording.h"

#include <algorithm>
#include <bit>
#include <boost/crc.hpp>
#include <cmath>
#include <cstring>

namespace agent::series {

namespace {

enum Tag : uint8_t {
  kStarted = 0,
  kCheckpoint = 1,
  kTick = 2,
  kForgotten = 3,
  kDropped = 4,
  kDefine = 5,
  kSample = 0x80
};
// Of a sample's tag.
constexpr uint8_t kFollows = 0x40;  // the series is the predicted one
constexpr int kTimeShift = 4;
enum Time : uint8_t { kSameTime = 0, kNextSlot = 1, kOtherTime = 2 };
constexpr int kValueShift = 2;
enum Number : uint8_t { kSame = 0, kWhole = 1, kNanos = 2, kBits = 3 };
constexpr int64_t kSlotNs = 10'000'000;
constexpr size_t kBlockHead = 8;
constexpr size_t kPayloadHead = 16;
constexpr size_t kLargestBlock = 64u << 20;
constexpr size_t kMostSeries = 1u << 20;
constexpr double kLargestWhole = 1e15;

uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

template <class T>
void put_fixed(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}
template <class T>
T get_fixed(std::string_view in) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= T(static_cast<uint8_t>(in[i])) << (8 * i);
  return value;
}

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
bool get_varint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in[0]);
    in.remove_prefix(1);
    value |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// A time of a damaged recording may be any number: sums and differences wrap.
int64_t plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

void put_text(std::string& out, const std::string& text) {
  put_varint(out, text.size());
  out += text;
}
bool get_text(std::string_view& in, std::string& text) {
  uint64_t size = 0;
  if (!get_varint(in, size) || size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

bool is_whole(double value) {
  return value >= 0 && value < kLargestWhole && value == std::floor(value) && !std::signbit(value);
}

// How `value` is written after `last`, and the bytes of it.
Number put_number(std::string& out, double value, double last) {
  const auto bits = std::bit_cast<uint64_t>(value);
  if (bits == std::bit_cast<uint64_t>(last)) return kSame;
  if (is_whole(value)) {
    put_varint(out, static_cast<uint64_t>(value));
    return kWhole;
  }
  const double nanos = value > 0 && value < 1e5 ? std::round(value * 1e9) : -1;
  if (nanos >= 0 && nanos / 1e9 == value) {
    put_varint(out, static_cast<uint64_t>(nanos));
    return kNanos;
  }
  put_fixed(out, bits);
  return kBits;
}
bool get_number(std::string_view& in, uint8_t how, double& value) {
  uint64_t number = 0;
  switch (how & 3) {
    case kSame:
      return true;
    case kBits:
      if (in.size() < 8) return false;
      value = std::bit_cast<double>(get_fixed<uint64_t>(in));
      in.remove_prefix(8);
      return true;
    default:
      if (!get_varint(in, number)) return false;
      value = static_cast<double>(number) / ((how & 3) == kNanos ? 1e9 : 1);
      return true;
  }
}

}  // namespace

std::string RecordingEncoder::begin_segment() {
  ids_.clear();
  series_.clear();
  payload_.clear();
  last_series_ = 0;
  last_at_ = 0;
  return std::string(kRecordingMagic);
}

void RecordingEncoder::add_time(int64_t at) {
  put_varint(payload_, zigzag(minus(at, last_at_)));
  last_at_ = at;
}

void RecordingEncoder::add(const Event& event) {
  struct Visitor {
    RecordingEncoder& to;
    void operator()(const Started& started) const {
      to.payload_ += static_cast<char>(kStarted);
      put_text(to.payload_, started.learned);
    }
    void operator()(const Checkpoint& checkpoint) const {
      to.payload_ += static_cast<char>(kCheckpoint);
      put_text(to.payload_, checkpoint.learned);
    }
    void operator()(const Tick& tick) const {
      to.payload_ += static_cast<char>(kTick);
      to.add_time(tick.at.ns);
    }
    void operator()(const Forgotten& gone) const {
      to.payload_ += static_cast<char>(kForgotten);
      for (const auto* name : {&gone.cluster, &gone.proxy, &gone.backend, &gone.client}) {
        put_text(to.payload_, *name);
      }
    }
    void operator()(const Dropped& dropped) const {
      to.payload_ += static_cast<char>(kDropped);
      put_varint(to.payload_, dropped.events);
    }
    void operator()(const Sample& sample) const { to.add(sample); }
  };
  std::visit(Visitor{*this}, event);
}

// Nearly always it is the predicted one or, where series tell several slots in turn, the same again or
// the one after it: to compare a few keys costs less than to look among all.
std::pair<uint32_t, bool> RecordingEncoder::id_of(const SeriesKey& key) {
  if (!series_.empty()) {
    const RecordedSeries& last = series_[last_series_];
    for (const uint32_t likely : {last.follower, last_series_, last.next}) {
      if (series_[likely].key == key) return {likely, false};
    }
  }
  const auto [known, is_new] = ids_.try_emplace(key, static_cast<uint32_t>(series_.size()));
  return {known->second, is_new};
}

void RecordingEncoder::add(const Sample& sample) {
  const auto [id, is_new] = id_of(sample.key);
  if (is_new) {
    payload_ += static_cast<char>(kDefine);
    const SeriesKey& key = sample.key;
    for (const Label* name : {&key.name, &key.cluster, &key.proxy, &key.backend}) {
      put_text(payload_, *name);
    }
    put_text(payload_, key.client);
    series_.push_back({key, 0, 0, 1, id, id});
  }
  if (id != last_series_) series_[last_series_].next = id;
  const size_t tag_at = payload_.size();
  payload_ += '\0';
  uint8_t tag = kSample;
  if (series_[last_series_].follower == id) {
    tag |= kFollows;
  } else {
    put_varint(payload_, id);
    series_[last_series_].follower = id;
  }
  last_series_ = id;
  RecordedSeries& series = series_[id];
  const int64_t at = sample.at.ns;
  if (at == last_at_) {
    tag |= kSameTime << kTimeShift;
  } else if (at == plus(series.at, kSlotNs)) {
    tag |= kNextSlot << kTimeShift;
    last_at_ = at;
  } else {
    tag |= kOtherTime << kTimeShift;
    add_time(at);
  }
  tag |= static_cast<uint8_t>(put_number(payload_, sample.value, series.value) << kValueShift);
  tag |= put_number(payload_, sample.weight, series.weight);
  series.at = at;
  series.value = sample.value;
  series.weight = sample.weight;
  payload_[tag_at] = static_cast<char>(tag);
}

std::string RecordingEncoder::take_block(base::WallTime wall, base::Instant now) {
  if (payload_.empty()) return {};
  std::string payload;
  payload.reserve(kPayloadHead + payload_.size());
  put_fixed(payload, static_cast<uint64_t>(wall.ns));
  put_fixed(payload, static_cast<uint64_t>(now.ns));
  payload += payload_;
  payload_.clear();
  std::string block;
  block.reserve(kBlockHead + payload.size());
  put_fixed(block, static_cast<uint32_t>(payload.size()));
  put_fixed(block, checksum(payload));
  return block + payload;
}

base::Result<> check_recording(std::string_view begin) {
  constexpr size_t kNameSize = kRecordingMagic.size() - 1;
  if (begin.size() < kRecordingMagic.size() ||
      begin.substr(0, kNameSize) != kRecordingMagic.substr(0, kNameSize)) {
    return base::Error(base::ErrorCode::kInvalid, "expected a recording of `mcguard record`");
  }
  if (begin[kNameSize] != kRecordingMagic[kNameSize]) {
    return base::Error(base::ErrorCode::kInvalid,
                       "expected a recording of version 1, got version " +
                           std::to_string(static_cast<uint8_t>(begin[kNameSize])));
  }
  return base::Done{};
}

void RecordingDecoder::add(std::string_view bytes) {
  buffer_.erase(0, begin_);
  begin_ = 0;
  buffer_ += bytes;
}

void RecordingDecoder::begin_segment() {
  is_lost_ = false;
  series_.clear();
  last_series_ = 0;
  last_at_ = 0;
}

// False: no segment begins in what is there.
bool RecordingDecoder::find_segment() {
  const size_t found = buffer_.find(kRecordingMagic, begin_);
  const size_t least = kRecordingMagic.size() - 1;  // that may be the first part of one
  size_t until = found;
  if (found == std::string::npos) {
    until = std::max(begin_, buffer_.size() - std::min(least, buffer_.size()));
  }
  damaged_ += until - begin_;
  begin_ = until;
  return found != std::string::npos;
}

std::optional<std::vector<Event>> RecordingDecoder::next_block() {
  while (true) {
    if (is_lost_ && !find_segment()) return std::nullopt;
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    if (rest.size() < kBlockHead) return std::nullopt;
    // As a length the first half of a header is more than any block has.
    if (rest.starts_with(kRecordingMagic)) {
      begin_segment();
      begin_ += kRecordingMagic.size();
      continue;
    }
    is_lost_ = true;
    const size_t size = get_fixed<uint32_t>(rest);
    if (size < kPayloadHead || size > kLargestBlock) continue;
    if (rest.size() < kBlockHead + size) {
      if (is_ended_) continue;  // what a crash tore; whole segments may follow it
      is_lost_ = false;
      return std::nullopt;
    }
    const std::string_view payload = rest.substr(kBlockHead, size);
    if (checksum(payload) != get_fixed<uint32_t>(rest.substr(4))) continue;
    std::vector<Event> events;
    if (!read_events(payload.substr(kPayloadHead), events)) continue;
    is_lost_ = false;
    wall_ = {static_cast<int64_t>(get_fixed<uint64_t>(payload))};
    at_ = {static_cast<int64_t>(get_fixed<uint64_t>(payload.substr(8)))};
    begin_ += kBlockHead + size;
    return events;
  }
}

bool RecordingDecoder::read_events(std::string_view payload, std::vector<Event>& events) {
  while (!payload.empty()) {
    const auto tag = static_cast<uint8_t>(payload[0]);
    payload.remove_prefix(1);
    uint64_t number = 0;
    if ((tag & kSample) != 0) {
      if (!read_sample(tag, payload, std::get<Sample>(events.emplace_back(Sample())))) return false;
      continue;
    }
    switch (tag) {
      case kStarted:
        if (!get_text(payload, std::get<Started>(events.emplace_back(Started())).learned)) {
          return false;
        }
        break;
      case kCheckpoint:
        if (!get_text(payload, std::get<Checkpoint>(events.emplace_back(Checkpoint())).learned)) {
          return false;
        }
        break;
      case kTick:
        if (!get_varint(payload, number)) return false;
        last_at_ = plus(last_at_, unzigzag(number));
        events.emplace_back(Tick{base::Instant{last_at_}});
        break;
      case kForgotten: {
        Forgotten gone;
        for (auto* name : {&gone.cluster, &gone.proxy, &gone.backend, &gone.client}) {
          if (!get_text(payload, *name)) return false;
        }
        events.emplace_back(std::move(gone));
        break;
      }
      case kDropped:
        if (!get_varint(payload, number)) return false;
        events.emplace_back(Dropped{number});
        break;
      case kDefine: {
        SeriesKey key;
        for (Label* name : {&key.name, &key.cluster, &key.proxy, &key.backend}) {
          std::string text;
          if (!get_text(payload, text)) return false;
          *name = text;
        }
        if (!get_text(payload, key.client)) return false;
        if (series_.size() >= kMostSeries) return false;
        const auto id = static_cast<uint32_t>(series_.size());
        series_.push_back({std::move(key), 0, 0, 1, id, id});
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

bool RecordingDecoder::read_sample(uint8_t tag, std::string_view& in, Sample& sample) {
  if (series_.empty()) return false;
  uint64_t id = series_[last_series_].follower;
  if ((tag & kFollows) == 0) {
    if (!get_varint(in, id) || id >= series_.size()) return false;
    series_[last_series_].follower = static_cast<uint32_t>(id);
  }
  last_series_ = static_cast<uint32_t>(id);
  RecordedSeries& series = series_[id];
  uint64_t number = 0;
  switch (tag >> kTimeShift & 3) {
    case kSameTime:
      break;
    case kNextSlot:
      last_at_ = plus(series.at, kSlotNs);
      break;
    case kOtherTime:
      if (!get_varint(in, number)) return false;
      last_at_ = plus(last_at_, unzigzag(number));
      break;
    default:
      return false;
  }
  series.at = last_at_;
  if (!get_number(in, tag >> kValueShift, series.value)) return false;
  if (!get_number(in, tag, series.weight)) return false;
  sample = {series.key, base::Instant{series.at}, series.value, series.weight};
  return true;
}

}  // namespace agent::series
