// Recordings: any bytes may be read, as a file and as the inside of a block whose checksum holds; what
// was taken is the same after it was written again.
#include <boost/crc.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "agent/series/recording.h"
#include "base/core/check.h"

namespace {

using namespace agent::series;

std::vector<Event> read(std::string_view bytes) {
  RecordingDecoder decoder;
  decoder.add(bytes);
  std::vector<Event> all;
  for (const bool is_end : {false, true}) {
    if (is_end) decoder.end();
    while (auto events = decoder.next_block()) {
      for (Event& event : *events) all.push_back(std::move(event));
    }
  }
  return all;
}

std::string block_of(std::string_view events) {
  const std::string payload = std::string(16, '\0') + std::string(events);
  boost::crc_32_type crc;
  crc.process_bytes(payload.data(), payload.size());
  std::string head(8, '\0');
  for (size_t i = 0; i < 4; ++i) {
    head[i] = static_cast<char>(payload.size() >> (8 * i));
    head[4 + i] = static_cast<char>(crc.checksum() >> (8 * i));
  }
  return std::string(kRecordingMagic) + head + payload;
}

bool same(const Event& a, const Event& b) {
  const auto* x = std::get_if<Sample>(&a);
  const auto* y = std::get_if<Sample>(&b);
  if (x == nullptr || y == nullptr) return a.index() == b.index();
  const auto equal = [](double p, double q) { return std::memcmp(&p, &q, sizeof p) == 0; };
  return x->key == y->key && x->at == y->at && equal(x->value, y->value) &&
         equal(x->weight, y->weight);
}

void try_both(std::string_view text) {
  (void)read(text);
  const std::vector<Event> events = read(block_of(text));
  RecordingEncoder encoder;
  std::string again = encoder.begin_segment();
  for (const Event& event : events) encoder.add(event);
  again += encoder.take_block({}, {});
  const std::vector<Event> twice = read(again);
  CHECK(twice.size() == events.size());
  for (size_t i = 0; i < events.size(); ++i) CHECK(same(events[i], twice[i]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const bool kIsFrozen = (agent::series::Label::freeze(), true);
  (void)kIsFrozen;
  try_both(std::string_view(reinterpret_cast<const char*>(bytes), size));
  agent::series::Label::forget_since_freeze();
  return 0;
}
