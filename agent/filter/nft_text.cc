#include "agent/filter/nft_text.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/core/text.h"

namespace agent::filter {
namespace {

namespace json = boost::json;

// Of a family that hardly anybody uses, so that the answer is short, and none of ours.
constexpr std::string_view kTables =
    "{\"nftables\":[{\"list\":{\"tables\":{\"family\":\"arp\"}}}]}\n";

std::string line(json::array commands) {
  json::object root;
  root["nftables"] = std::move(commands);
  return json::serialize(root) + "\n" + std::string(kTables);
}

std::string set_name(const Subject& subject, Mode mode) {
  return std::string(to_string(mode)) + (subject.is_ipv4() ? "4" : "6");
}

int64_t whole_seconds(base::Duration d) {
  return std::chrono::ceil<std::chrono::seconds>(d).count();
}

// {"element": {… one element …}}
json::object element(const Subject& subject, Mode mode, const std::string& run,
                     base::Duration ttl) {
  json::object value;
  value["val"] = subject.address_text();
  value["timeout"] = whole_seconds(ttl);
  if (!run.empty()) value["comment"] = run;
  json::object wrapped;
  wrapped["elem"] = std::move(value);
  json::object place;
  place["family"] = "inet";
  place["table"] = "mcguard";
  place["name"] = set_name(subject, mode);
  place["elem"] = json::array{std::move(wrapped)};
  json::object whole;
  whole["element"] = std::move(place);
  return whole;
}

void command(json::array& to, const char* verb, json::object what) {
  json::object one;
  one[verb] = std::move(what);
  to.push_back(std::move(one));
}

// The four sets of filters, and what is remembered of sources that were answered with a reset.
std::string sets() {
  std::string text;
  for (const char* name : {"count", "block"}) {
    for (const char* family : {"4", "6"}) {
      text += std::string("set ") + name + family + " { type ipv" + family +
              "_addr; size 4096; flags timeout; counter; }; ";
    }
  }
  for (const char* family : {"4", "6"}) {
    text += std::string("set reset") + family + " { type ipv" + family +
            "_addr; size 4096; flags dynamic,timeout; timeout 60s; }; ";
  }
  return text;
}

std::string rule(const std::string& chain, const std::string& text) {
  return "; add rule inet mcguard " + chain + " " + text;
}

}  // namespace

std::string setup_line(const std::vector<uint16_t>& ports) {
  constexpr std::string_view kNetwork = "ip6 saddr & ffff:ffff:ffff:ffff:: ";
  std::string text = "table inet mcguard { set ports { type inet_service; }; " + sets() +
                     "chain input { type filter hook input priority -10; policy accept; }; "
                     "chain judge { }; chain refuse4 { }; chain refuse6 { }; }";
  for (const char* chain : {"input", "judge", "refuse4", "refuse6"}) {
    text += std::string("; flush chain inet mcguard ") + chain;
  }
  text += "; flush set inet mcguard ports";
  for (const uint16_t port : ports) {
    text += "; add element inet mcguard ports { " + std::to_string(port) + " }";
  }
  text += rule("input", "tcp dport @ports tcp flags & (fin | syn | rst | ack) == syn jump judge");
  text += rule("judge", "ip saddr @count4");
  text += rule("judge", std::string(kNetwork) + "@count6");
  text += rule("judge", "ip saddr @block4 jump refuse4");
  text += rule("judge", std::string(kNetwork) + "@block6 jump refuse6");
  text +=
      rule("refuse4",
           "update @reset4 { ip saddr limit rate 5/second burst 5 packets } counter reject with "
           "tcp reset");
  text += rule("refuse4", "counter drop");
  text +=
      rule("refuse6", "update @reset6 { " + std::string(kNetwork) +
                          "limit rate 5/second burst 5 packets } counter reject with tcp reset");
  text += rule("refuse6", "counter drop");
  return text + "\n" + std::string(kTables);
}

// To add what is there does nothing, to delete what is not there fails, and older kernels do not
// renew. So each element is added, deleted, and added again as it should be, in one transaction.
std::string change_line(const std::vector<FilterChange::Addition>& additions,
                        const std::vector<FilterChange::Removal>& removals) {
  json::array commands;
  for (const FilterChange::Removal& each : removals) {
    const json::object gone = element(each.subject, each.mode, "", kShortestTtl);
    command(commands, "add", gone);
    command(commands, "delete", gone);
  }
  for (const FilterChange::Addition& each : additions) {
    const json::object wanted = element(each.subject, each.mode, each.run, each.ttl);
    command(commands, "add", wanted);
    command(commands, "delete", wanted);
    command(commands, "add", wanted);
  }
  return line(std::move(commands));
}

std::string list_line() {
  json::object table;
  table["family"] = "inet";
  table["name"] = "mcguard";
  json::object what;
  what["table"] = std::move(table);
  json::array commands;
  command(commands, "list", std::move(what));
  return line(std::move(commands));
}

std::string remove_line() {
  return "add table inet mcguard; delete table inet mcguard\n" + std::string(kTables);
}

bool is_hopeless(std::string_view output) {
  return output.ends_with("\n") &&
         output.find("cache initialization failed") != std::string_view::npos;
}

bool is_missing(std::string_view complaint) {
  return complaint.find("No such file or directory") != std::string_view::npos;
}

base::Error nft_error(std::string_view complaint) {
  const auto says = [&](std::string_view words) {
    return complaint.find(words) != std::string_view::npos;
  };
  const std::string quoted = " (nft: " + base::printable(complaint) + ")";
  if (says("Operation not permitted") || says("you must be root") || says("Permission denied")) {
    return base::Error(base::ErrorCode::kPermission,
                       "the agent may not change the kernel's filters: run it as root or give it "
                       "CAP_NET_ADMIN" +
                           quoted);
  }
  if (says("not supported") || says("nitialization failed") || says("nitialize Netlink") ||
      is_missing(complaint)) {
    return base::Error(base::ErrorCode::kUnavailable,
                       "the kernel cannot filter: it needs nf_tables with nft_limit and "
                       "nft_reject_inet (modprobe them, or use a kernel that has them)" +
                           quoted);
  }
  if (says("File exists")) {
    return base::Error(base::ErrorCode::kConflict,
                       "a table inet mcguard of another form is in the kernel: remove it with nft "
                       "delete table inet mcguard" +
                           quoted);
  }
  if (says("Too many open files in system") || says("No buffer space")) {
    return base::Error(base::ErrorCode::kExhausted, "the kernel holds no more filters" + quoted);
  }
  if (says("Message too long")) {
    return base::Error(base::ErrorCode::kExhausted, "too many filters at once" + quoted);
  }
  return base::Error(base::ErrorCode::kUnavailable, "nft refuses" + quoted);
}

}  // namespace agent::filter
