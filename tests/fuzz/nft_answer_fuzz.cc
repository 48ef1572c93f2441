// What nft says, in whole and in part.
#include <cstdint>
#include <string_view>

#include "agent/filter/nft_text.h"
#include "base/core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agent::filter;
  const std::string_view output(reinterpret_cast<const char*>(data), size);
  const bool is_whole = is_whole_answer(output);
  const auto answer = read_answer(output);
  CHECK(!is_whole || output.back() == '\n');
  if (!answer.ok()) return 0;
  static_cast<void>(is_missing(answer->complaint));
  CHECK(!nft_error(answer->complaint).context.empty());
  if (!answer->standing) return 0;
  for (const Filter& filter : answer->standing->filters) {
    CHECK(filter.left <= filter.ttl && filter.left >= base::Duration::zero());
    CHECK(filter.run.empty() || is_run_name(filter.run));
    // What was read can be taken away: it names the same subject again.
    const auto again = Subject::parse(filter.subject.text());
    CHECK(again.ok() && *again == filter.subject);
  }
  return 0;
}
