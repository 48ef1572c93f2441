// What another process says in a hand-over. The first byte chooses: frames of a conversation, a record
// of a client, or a list of listening sockets. What is taken is written back as it came.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/check.h"
#include "proxy/handover/frame.h"
#include "proxy/handover/listening.h"
#include "proxy/handover/record.h"

namespace {

using proxy::handover::Frame;
using proxy::handover::FrameReader;

void take_records(std::string_view text) {
  for (;;) {
    const std::string_view before = text;
    const auto record = proxy::handover::take_record(text);
    if (!record.ok()) {
      CHECK(text == before);
      return;
    }
    std::string again;
    proxy::handover::append_record(again, *record);
    CHECK(again == before.substr(0, before.size() - text.size()));
  }
}

void take_frames(std::string_view text) {
  FrameReader reader;
  reader.feed(text);
  size_t taken = 0;
  for (;;) {
    const auto frame = reader.next();
    if (!frame.ok() || !*frame) return;
    const std::string again = proxy::handover::encode_frame((*frame)->type, (*frame)->body, 0);
    CHECK(again == text.substr(taken, again.size()));
    taken += again.size();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) take_frames(text);
  if (data[0] % 3 == 1) take_records(text);
  if (data[0] % 3 == 2) {
    const auto sockets = proxy::handover::parse_listening(text);
    if (!sockets.ok()) return 0;
    const auto again = proxy::handover::parse_listening(proxy::handover::to_json(*sockets));
    CHECK(again.ok() && *again == *sockets);
  }
  return 0;
}
