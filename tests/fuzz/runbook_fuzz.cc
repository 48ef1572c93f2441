// Runbook files and the expressions in them: anything may be read, nothing may crash, and what was
// taken can be shown and substituted.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/runbook/reference.h"
#include "agent/runbook/runbook.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace agent::runbook;
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const Lookup words = [](std::string_view, bool) -> std::optional<Value> { return std::nullopt; };
  if (const auto expression = Expression::parse(text); expression.ok()) {
    (void)expression->evaluate(words);
    (void)expression->mistake(words);
  }
  (void)substitute(std::string_view(text), boost::json::object());
  base::config::Problems problems;
  const ActionRegistry none;
  if (const auto book = parse_runbook(SourceText("fuzz.yaml", text), problems)) {
    lint(*book, none, problems);
    (void)book->to_json();
  }
  (void)problems.to_string();
  return 0;
}
