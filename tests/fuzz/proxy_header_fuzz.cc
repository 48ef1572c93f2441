// What a balancer sends first: the verdict does not depend on how it is split, and a header that is
// done is never longer than what came.
#include <cstddef>
#include <cstdint>

#include "base/core/check.h"
#include "proxy/frontend/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using proxy::ProxyHeader;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = proxy::parse_proxy_header(input);
  CHECK(whole.size <= size);
  CHECK((whole.state == ProxyHeader::State::kDone) == (whole.size > 0));
  for (size_t part = 0; part < size && part < 300; ++part) {
    const ProxyHeader begun = proxy::parse_proxy_header(input.substr(0, part));
    if (begun.state == ProxyHeader::State::kNeedMore) continue;
    CHECK(begun.state == whole.state && begun.size == whole.size && begun.client == whole.client);
    break;
  }
  return 0;
}
