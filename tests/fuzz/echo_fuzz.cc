// What comes in as an echo: what is taken is exactly what would be written again, and answering it
// makes no more bytes of it.
#include <cstddef>
#include <cstdint>

#include "agent/mesh/datagram.h"
#include "agent/mesh/ledger.h"
#include "base/core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agent::mesh;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto echo = parse_echo(input);
  CHECK(!echo || size == kEchoBytes);
  if (!echo) return 0;
  const EchoBytes again = encode_echo(*echo);
  CHECK(std::string_view(again.data(), again.size()) == input);
  // Nobody guesses the nonce of a question.
  EchoLedger ledger;
  ledger.ask(0x5eed5eed5eed5eed, base::Instant{1});
  const auto answer = ledger.take(*echo, base::Instant{2});
  CHECK(answer.fate == EchoLedger::Fate::kUnexpected || echo->nonce == 0x5eed5eed5eed5eed);
  return 0;
}
