#include "cli/verbs/requests.h"

#include <sstream>

#include "base/core/text.h"
#include "cli/output/format.h"

namespace cli {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;

json::value typed(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (const auto number = base::parse_u64(text)) return *number;
  return json::value(text);
}

Error wrong(const std::string& what, const std::string& got, const std::string& expected) {
  return Error(ErrorCode::kInvalid,
               what + ": got \"" + base::printable(got) + "\", expected " + expected);
}

}  // namespace

base::Result<json::object> parse_params(const std::vector<std::string>& pairs) {
  json::object params;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return wrong("parameter", pair, "name=value, like proxy=amber-proxy-1");
    }
    params[pair.substr(0, equals)] = typed(pair.substr(equals + 1));
  }
  return params;
}

base::Result<json::object> fault_body(const LinkFault& fault) {
  json::object body;
  body["kind"] = fault.kind;
  if (fault.cluster.empty() && fault.proxy.empty() && fault.backend.empty()) {
    return Error(ErrorCode::kInvalid,
                 "name what to disturb: --cluster NAME, --proxy ID or --backend ID");
  }
  for (const auto& [key, value] :
       {std::pair{"cluster", fault.cluster}, std::pair{"proxy", fault.proxy},
        std::pair{"backend", fault.backend}, std::pair{"id", fault.id}}) {
    if (!value.empty()) body[key] = value;
  }
  if (!fault.share.empty()) {
    const auto share = parse_share(fault.share);
    if (!share) return wrong("--share", fault.share, "a share like 15% or 0.15");
    body["share"] = *share;
  }
  if (!fault.delay.empty()) {
    const auto delay = parse_delay(fault.delay);
    if (!delay) return wrong("--delay", fault.delay, "a time or a range like 5ms..15ms");
    body["delay_min_ms"] = delay->min.count() / 1'000'000;
    body["delay_max_ms"] = delay->max.count() / 1'000'000;
  }
  return body;
}

base::Result<std::string> flush_target(const FlushTarget& target) {
  std::string found;
  int named = 0;
  for (const auto& [kind, name] :
       {std::pair{"cache/", target.cache}, std::pair{"backend/", target.backend},
        std::pair{"cluster/", target.cluster}}) {
    if (name.empty()) continue;
    found = kind + name;
    ++named;
  }
  if (named == 1) return found;
  return Error(ErrorCode::kInvalid,
               "name one thing to flush: --cache ID, --backend ID or --cluster NAME");
}

base::Result<json::object> capabilities_body(const std::string& names) {
  json::object body;
  for (const char* name : {"write", "flush", "api"}) body[name] = false;
  if (names == "none") return body;
  std::istringstream parts(names);
  for (std::string name; std::getline(parts, name, ',');) {
    if (!body.contains(name)) {
      return wrong("--capabilities", name, "none, or some of write,flush,api");
    }
    body[name] = true;
  }
  return body;
}

}  // namespace cli
