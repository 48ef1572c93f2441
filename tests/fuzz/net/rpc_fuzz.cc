// Lines of the calls between programs: whatever parses must survive the way back.
#include <algorithm>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstdint>

#include "base/core/check.h"
#include "base/net/rpc_line.h"

namespace {

namespace json = boost::json;

// Equal, but for the last digits of numbers with a fraction or more than 64 bits: Boost reads those
// within an ulp or two of what it wrote.
bool is_same(const json::value& one, const json::value& other) {
  if (one.kind() != other.kind()) return false;
  if (one.is_object()) {
    const json::object &a = one.get_object(), &b = other.get_object();
    return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto& member) {
             const json::value* const found = b.if_contains(member.key());
             return found != nullptr && is_same(member.value(), *found);
           });
  }
  if (one.is_array()) {
    const json::array &a = one.get_array(), &b = other.get_array();
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), is_same);
  }
  if (!one.is_double()) return one == other;
  const double a = one.get_double(), b = other.get_double();
  return a == b || std::abs(a - b) <= 1e-14 * std::max(std::abs(a), std::abs(b));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto request = base::net::parse_rpc_request(line); request.ok()) {
    const auto again = base::net::parse_rpc_request(base::net::encode_rpc_request(*request));
    CHECK(again.ok());
    CHECK(again->verb == request->verb && again->fence == request->fence);
    CHECK(is_same(again->args, request->args));
  }
  const auto answer = base::net::parse_rpc_answer(line);
  const auto again = base::net::parse_rpc_answer(base::net::encode_rpc_answer(answer));
  CHECK(again.ok() == answer.ok());
  if (answer.ok()) CHECK(is_same(*again, *answer));
  return 0;
}
