// What the store holds of an earlier agent's learning. What is taken must be given again in a form that is
// taken too, and rules must live with it.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/rule/detector.h"
#include "agent/rule/memory.h"
#include "base/core/check.h"

namespace {

size_t entries(const agent::rule::Memory& memory) {
  return memory.links.size() + memory.levels.size() + memory.commands.size() +
         memory.traffic.size() + memory.differences.size() + memory.rhythms.size() +
         memory.heights.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto memory = agent::rule::parse_memory(text);
  if (!memory.ok()) return 0;
  const auto again = agent::rule::parse_memory(agent::rule::to_json(*memory));
  CHECK(again.ok());
  CHECK(entries(*again) == entries(*memory));
  agent::rule::Detector detector{agent::rule::RuleSet{}};
  base::Instant now{1'000'000'000'000};
  CHECK(detector.restore(text, now).ok());
  for (int tick = 0; tick < 3; ++tick) {
    static_cast<void>(detector.evaluate(now));
    now = now + std::chrono::milliseconds(500);
  }
  CHECK(agent::rule::parse_memory(detector.save()).ok());
  return 0;
}
