// Any bytes as a configuration file: no crash, no exception, and every node readable as every type.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/config/yaml.h"
#include "base/core/check.h"

namespace {

using base::config::Node;

// Bounded by the depth that the document may have.
void read_as_everything(const Node& node) {
  using namespace std::chrono_literals;
  node.text();
  node.integer(-5, 5);
  node.number(0, 1);
  node.boolean();
  node.duration(0s, 1h);
  node.bytes(0, 1 << 20);
  node.share();
  node.choice({"amber", "birch", "listen"});
  node.problem("something else");
  for (const auto& [key, value] : node.entries()) read_as_everything(value);
  for (const Node& item : node.list()) read_as_everything(item);
  base::config::Map map = node.map();
  map.required("listen");
  map.text("id", "");
  map.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  base::config::Problems problems;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_as_everything(base::config::Document::parse(text, "fuzz.yaml", problems));
  CHECK(problems.empty() == problems.result().ok());
  CHECK(problems.empty() == problems.to_string().empty());
  return 0;
}
