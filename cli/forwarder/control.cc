#include "cli/forwarder/control.h"

#include "base/core/text.h"

namespace cli {
namespace {

namespace json = boost::json;
using base::Error;
using base::ErrorCode;
using base::Result;

constexpr size_t kMaxLinks = 4096;
constexpr double kMaxDelayMs = 60'000;

Error expected(const std::string& key, const char* what) {
  return Error(ErrorCode::kInvalid, key + ": expected " + what, base::Origin::kClient);
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

// nullopt: missing or no number.
std::optional<double> number_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (!found || !found->is_number()) return std::nullopt;
  return found->to_number<double>();
}

Result<LinkPlace> parse_place(const json::object& link, const std::string& key) {
  const json::value* found = link.if_contains(key);
  if (!found || !found->is_object()) return expected(key, "{address, port}");
  const json::object& object = found->get_object();
  const auto port = number_at(object, "port");
  if (!port || *port < 0 || *port > 65535) return expected(key + ".port", "0 to 65535");
  return LinkPlace{text_at(object, "address"), static_cast<uint16_t>(*port)};
}

Result<LinkSpec> parse_link(const json::value& value) {
  if (!value.is_object()) return expected("links", "objects");
  const json::object& object = value.get_object();
  LinkSpec spec;
  spec.name = {text_at(object, "id"), text_at(object, "cluster"), text_at(object, "proxy"),
               text_at(object, "backend")};
  if (spec.name.id.empty()) return expected("links[].id", "a name");
  auto listen = parse_place(object, "listen");
  if (!listen) return listen.error();
  auto target = parse_place(object, "target");
  if (!target) return target.error();
  if (object.contains("echo")) {
    auto echo = parse_place(object, "echo");
    if (!echo) return echo.error();
    spec.echo = *echo;
  }
  spec.listen = *listen;
  spec.target = *target;
  return spec;
}

json::object place_json(const LinkPlace& place) {
  json::object out;
  out["address"] = place.address;
  out["port"] = place.port;
  return out;
}

json::object link_json(const LinkSpec& spec) {
  json::object out;
  out["id"] = spec.name.id;
  out["cluster"] = spec.name.cluster;
  out["proxy"] = spec.name.proxy;
  out["backend"] = spec.name.backend;
  out["listen"] = place_json(spec.listen);
  out["target"] = place_json(spec.target);
  if (spec.echo) out["echo"] = place_json(*spec.echo);
  return out;
}

double milliseconds(base::Duration d) {
  return base::to_seconds(d) * 1000;
}

json::object fault_json(const Fault& fault) {
  json::object match;
  match["cluster"] = fault.cluster;
  match["proxy"] = fault.proxy;
  match["backend"] = fault.backend;
  json::object out;
  out["id"] = fault.id;
  out["kind"] = to_string(fault.kind);
  out["match"] = std::move(match);
  out["share"] = fault.share;
  out["delay_min_ms"] = milliseconds(fault.delay_min);
  out["delay_max_ms"] = milliseconds(fault.delay_max);
  return out;
}

json::object links_json(const Forwarder& forwarder) {
  json::array list;
  for (const LinkSpec& spec : forwarder.links()) list.push_back(link_json(spec));
  json::object out;
  out["links"] = std::move(list);
  return out;
}

Result<json::value> set_links(Forwarder& forwarder, const json::object& args) {
  auto links = parse_links(args);
  if (!links) return links.error();
  auto set = forwarder.set_links(*links);
  if (!set) return set.error();
  return json::value(links_json(forwarder));
}

Result<json::value> set_fault(Forwarder& forwarder, const json::object& args) {
  auto fault = parse_fault(args);
  if (!fault) return fault.error();
  size_t touched = 0;
  for (const LinkSpec& link : forwarder.links()) touched += fault->matches(link.name) ? 1 : 0;
  if (touched == 0) {
    return Error(ErrorCode::kNotFound,
                 "no link matches that cluster, proxy and backend; see them with links.list");
  }
  forwarder.faults().set(*fault);
  json::object out;
  out["id"] = fault->id;
  out["links"] = touched;
  return json::value(std::move(out));
}

Result<json::value> clear_faults(Forwarder& forwarder, const json::object& args) {
  const std::string id = text_at(args, "id");
  const size_t cleared =
      forwarder.faults().clear(id.empty() ? std::nullopt : std::optional<std::string>(id));
  if (!id.empty() && cleared == 0) {
    return Error(ErrorCode::kNotFound, "no fault is named " + base::printable(id));
  }
  json::object out;
  out["cleared"] = cleared;
  return json::value(std::move(out));
}

Result<json::value> list_faults(Forwarder& forwarder) {
  json::array list;
  for (const Fault& fault : forwarder.faults().list()) list.push_back(fault_json(fault));
  json::object out;
  out["faults"] = std::move(list);
  return json::value(std::move(out));
}

Result<json::value> answer_on_loop(Forwarder& forwarder, const base::net::RpcRequest& request) {
  if (request.verb == "links.set") return set_links(forwarder, request.args);
  if (request.verb == "links.list") return json::value(links_json(forwarder));
  if (request.verb == "fault.set") return set_fault(forwarder, request.args);
  if (request.verb == "fault.clear") return clear_faults(forwarder, request.args);
  if (request.verb == "fault.list") return list_faults(forwarder);
  return Error(ErrorCode::kNotFound, "no verb \"" + base::printable(request.verb) +
                                         "\"; expected links.set, links.list, fault.set, "
                                         "fault.clear or fault.list");
}

}  // namespace

Result<std::vector<LinkSpec>> parse_links(const json::object& args) {
  const json::value* list = args.if_contains("links");
  if (!list || !list->is_array() || list->get_array().size() > kMaxLinks) {
    return expected("links", "a list of at most 4096 links");
  }
  std::vector<LinkSpec> links;
  for (const json::value& value : list->get_array()) {
    auto link = parse_link(value);
    if (!link) return link.error();
    links.push_back(std::move(*link));
  }
  return links;
}

Result<Fault> parse_fault(const json::object& args) {
  Fault fault;
  fault.id = text_at(args, "id");
  if (fault.id.empty()) return expected("id", "a name for the fault");
  const auto kind = fault_kind_named(text_at(args, "kind"));
  if (!kind) return expected("kind", "slow, drop or stall");
  fault.kind = *kind;
  if (const json::value* match = args.if_contains("match"); match && match->is_object()) {
    fault.cluster = text_at(match->get_object(), "cluster");
    fault.proxy = text_at(match->get_object(), "proxy");
    fault.backend = text_at(match->get_object(), "backend");
  }
  fault.share = number_at(args, "share").value_or(1);
  if (!(fault.share > 0 && fault.share <= 1)) return expected("share", "above 0, at most 1");
  const double min = number_at(args, "delay_min_ms").value_or(0);
  const double max = number_at(args, "delay_max_ms").value_or(min);
  if (!(min >= 0 && min <= max && max <= kMaxDelayMs)) {
    return expected("delay_min_ms, delay_max_ms", "0 <= min <= max <= 60000");
  }
  if (fault.kind == FaultKind::kSlow && max == 0) return expected("delay_max_ms", "above 0");
  fault.delay_min = base::Duration(static_cast<int64_t>(min * 1e6));
  fault.delay_max = base::Duration(static_cast<int64_t>(max * 1e6));
  return fault;
}

Result<json::value> answer_control(Forwarder& forwarder, const base::net::RpcRequest& request) {
  std::optional<Result<json::value>> answer;
  forwarder.call([&] { answer = answer_on_loop(forwarder, request); });
  return std::move(*answer);
}

}  // namespace cli
