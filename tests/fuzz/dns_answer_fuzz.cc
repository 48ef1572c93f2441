// What comes from a name server, whoever sent it, and what a plugin writes. An answer is verified before
// it is decoded; here it is decoded in any case.
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/dns/change.h"
#include "agent/dns/exec_switch.h"
#include "agent/dns/message.h"
#include "agent/dns/tsig.h"
#include "base/core/check.h"

namespace {

using namespace agent::dns;

constexpr base::WallTime kNow{1'795'418'897'000'000'000};

Key a_key() {
  Key key;
  key.name = "mover";
  key.secret = base::Secret(std::string(32, 'k'));
  return key;
}

void decode(std::string_view bytes) {
  const auto answer = decode_answer(bytes);
  if (!answer) return;
  for (const Record& record : answer->records) {
    const auto generation = parse_generation(record.value);
    if (!generation) continue;
    const auto again = parse_generation(generation_text(generation->number, generation->run));
    CHECK(again && again->number == generation->number && again->run == generation->run);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const Key key = a_key();
  const Heading heading = heading_of(bytes);
  CHECK(heading.id >= 0 || size < 12);
  const auto verified = verify(bytes, key, kNow, std::string(32, 'm'));
  if (verified) CHECK(verified->size() < size);
  decode(bytes);
  if (size >= 12 && size < 60'000) {
    // What we sign ourselves is right, unless it is no message at all.
    const auto own = verify(sign(bytes, key, kNow).bytes, key, kNow);
    if (own) CHECK(*own == bytes);
  }
  static_cast<void>(parse_plugin_answer("plugin", bytes, 0).ok());
  return 0;
}
