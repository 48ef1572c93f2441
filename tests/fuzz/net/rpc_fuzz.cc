// Lines of the calls between programs: whatever parses must survive the way back.
#include <boost/json/serialize.hpp>
#include <cstdint>

#include "base/core/check.h"
#include "base/net/rpc_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto request = base::net::parse_rpc_request(line); request.ok()) {
    const auto again = base::net::parse_rpc_request(base::net::encode_rpc_request(*request));
    CHECK(again.ok());
    CHECK(again->verb == request->verb && again->fence == request->fence);
    CHECK(boost::json::serialize(again->args) == boost::json::serialize(request->args));
  }
  const auto answer = base::net::parse_rpc_answer(line);
  const auto again = base::net::parse_rpc_answer(base::net::encode_rpc_answer(answer));
  CHECK(again.ok() == answer.ok());
  return 0;
}
