#include "agent/rule/memory.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <concepts>

#include "base/core/json.h"

namespace agent::rule {

namespace json = boost::json;

namespace {

constexpr int kVersion = 1;
constexpr bool kMayMiss = true;  // in what an earlier version has saved

base::Error bad_memory(const std::string& what) {
  return {base::ErrorCode::kInvalid,
          "the detector's memory: " + what + "; without it everything is learned afresh"};
}

template <class Item, class Learned>
concept Is = std::same_as<std::remove_const_t<Item>, Learned>;

// The fields of each kind of entry, for reading and writing alike.
void each_name(auto& entry, auto& visit) {
  visit("cluster", entry.cluster);
  visit("proxy", entry.proxy);
  visit("backend", entry.backend);
}
void each_field(Is<LearnedLink> auto& link, auto&& visit) {
  each_name(link, visit);
  visit("slow", link.slow);
  visit("all", link.all);
}
void each_field(Is<LinkEchoes::Learned> auto& echoes, auto&& visit) {
  visit("median", echoes.median);
  visit("slow", echoes.slow);
  visit("all", echoes.all);
}
void each_field(Is<LearnedLoad> auto& load, auto&& visit) {
  visit("slow", load.slow);
  visit("all", load.all);
  visit("rate_before", load.rate_before);
  visit("rate", load.rate);
}
void each_field(Is<LearnedLevel> auto& level, auto&& visit) {
  visit("cluster", level.cluster);
  visit("proxy", level.proxy);
  visit("client", level.client);
  visit("value", level.value);
  visit("seconds", level.seconds);
}
void each_field(Is<LearnedTraffic> auto& level, auto&& visit) {
  visit("cluster", level.cluster);
  visit("proxy", level.proxy);
  visit("of", level.of);
  visit("value", level.value);
  visit("seconds", level.seconds);
}
void each_field(Is<LearnedDifference> auto& difference, auto&& visit) {
  each_name(difference, visit);
  visit("of", difference.of);
  visit("ratio", difference.ratio);
  visit("seconds", difference.seconds);
  visit("known", difference.known, kMayMiss);
  visit("known_for", difference.known_for, kMayMiss);
}
void each_field(Is<LearnedRhythm> auto& rhythm, auto&& visit) {
  each_name(rhythm, visit);
  visit("of", rhythm.of);
  visit("gap", rhythm.gap);
}
void each_field(Is<LearnedHeight> auto& height, auto&& visit) {
  each_name(height, visit);
  visit("of", height.of);
  visit("limit", height.limit);
  visit("before", height.before);
  visit("highest", height.highest);
  visit("seconds", height.seconds);
}

void each_list(auto& memory, auto&& visit) {
  visit("links", memory.links, false);
  visit("levels", memory.levels, false);
  visit("commands", memory.commands, kMayMiss);
  visit("traffic", memory.traffic, kMayMiss);
  visit("differences", memory.differences, kMayMiss);
  visit("rhythms", memory.rhythms, kMayMiss);
  visit("heights", memory.heights, kMayMiss);
}

json::object to_object(const auto& item) {
  json::object object;
  each_field(item,
             [&](const char* name, const auto& field, bool = false) { object[name] = field; });
  return object;
}

json::object entry_of(const auto& item) {
  return to_object(item);
}
json::object entry_of(const LearnedLink& link) {
  json::object object = to_object(link);
  if (link.echoes) object["echoes"] = to_object(*link.echoes);
  if (link.load) object["load"] = to_object(*link.load);
  return object;
}

constexpr double kMost = 1e15;
constexpr double kLongestTime = 1e9;  // seconds; longer ones would not all fit a base::Duration
bool is_time(std::string_view field) {
  return field == "seconds" || field == "known_for" || field == "gap";
}

// Takes fields out of an object for as long as each is there with its type.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}
  bool ok() const { return ok_; }

  void operator()(const char* name, std::string& out, bool = false) {
    const json::value* value = object_.if_contains(name);
    ok_ = ok_ && value != nullptr && value->is_string();
    if (ok_) out = std::string(value->get_string());
  }
  void operator()(const char* name, double& out, bool may_miss = false) {
    const json::value* value = object_.if_contains(name);
    if (value == nullptr && may_miss) return;
    ok_ = ok_ && value != nullptr && value->is_number();
    if (ok_) out = value->to_number<double>();
    ok_ = ok_ && out >= 0 && out < (is_time(name) ? kLongestTime : kMost);
  }

 private:
  const json::object& object_;
  bool ok_ = true;
};

bool read_fields(const json::object& object, auto& item) {
  Reader reader(object);
  each_field(item, reader);
  return reader.ok();
}

bool read_entry(const json::object& object, auto& item) {
  return read_fields(object, item);
}
bool read_entry(const json::object& object, LearnedDifference& difference) {
  return read_fields(object, difference) && difference.ratio > 0 && difference.known >= 1;
}
// Shares of slow requests or echoes that an entry may have or not.
template <class Part>
bool read_part(const json::object& object, const char* name, std::optional<Part>& part) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return true;
  part.emplace();
  return value->is_object() && read_fields(value->get_object(), *part) && part->slow <= part->all &&
         part->all >= 1;
}
bool read_entry(const json::object& object, LearnedLink& link) {
  if (!read_fields(object, link) || link.slow > link.all || link.all < 1) return false;
  return read_part(object, "echoes", link.echoes) && read_part(object, "load", link.load);
}

}  // namespace

std::string to_json(const Memory& memory) {
  json::object document;
  document["version"] = kVersion;
  each_list(memory, [&](const char* name, const auto& items, bool) {
    json::array list;
    for (const auto& item : items) list.push_back(entry_of(item));
    document[name] = std::move(list);
  });
  return json::serialize(document);
}

base::Result<Memory> parse_memory(std::string_view text) {
  const base::Result<json::value> document = base::parse_json(text);
  if (!document.ok()) return bad_memory(document.error().context);
  if (!document->is_object()) return bad_memory("expected a JSON object");
  const json::object& object = document->get_object();
  const json::value* version = object.if_contains("version");
  if (version == nullptr || *version != kVersion) return bad_memory("expected version 1");
  Memory memory;
  std::string wrong;
  each_list(memory, [&](const char* name, auto& items, bool may_miss) {
    const json::value* list = object.if_contains(name);
    if (list == nullptr && may_miss) return;
    if (list == nullptr || !list->is_array()) {
      wrong = std::string("expected the list ") + name;
      return;
    }
    for (const json::value& item : list->get_array()) {
      if (item.is_object() && read_entry(item.get_object(), items.emplace_back())) continue;
      wrong = std::string("a malformed entry in ") + name;
    }
  });
  if (!wrong.empty()) return bad_memory(wrong);
  return memory;
}

}  // namespace agent::rule
