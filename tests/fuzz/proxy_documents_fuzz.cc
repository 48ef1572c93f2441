// What reaches a proxy from outside the memcache protocols: documents of the control socket, fence
// records, SASL responses. The first byte chooses the parser.
#include <boost/json.hpp>
#include <cstdint>
#include <string_view>

#include "base/memcache/fence_record.h"
#include "proxy/admin/codec.h"
#include "proxy/tenant/login.h"

namespace {

void read_document(char kind, std::string_view text) {
  boost::json::error_code failed;
  const boost::json::value parsed =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), failed);
  if (failed || !parsed.is_object()) return;
  const boost::json::object& object = parsed.get_object();
  if (kind == 'g') {
    if (const auto configuration = proxy::admin::parse_configuration(object)) {
      const auto directory = proxy::admin::configured({}, *configuration);
      const auto text_again = proxy::admin::to_json(*directory, configuration->backends);
      CHECK(proxy::admin::parse_configuration(text_again).ok());
    }
  } else if (kind == 'c') {
    if (const auto change = proxy::admin::parse_change(object)) {
      proxy::admin::changed({}, *change);
    }
  } else if (kind == 'f') {
    static_cast<void>(proxy::admin::parse_flush(object).ok());
  } else {
    static_cast<void>(proxy::admin::parse_epoch(object).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'r':
      base::memcache::parse_fence_record(text);
      break;
    case 's':
      proxy::tenant::parse_sasl_plain(text);
      break;
    default:
      read_document(static_cast<char>(data[0]), text);
  }
  return 0;
}
