// Reading nft's answers: strictly, since what is misread is filtered for nobody knows how long.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "agent/filter/nft_text.h"
#include "base/core/json.h"
#include "base/core/text.h"

namespace agent::filter {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnswer = "{\"nftables\"";

base::Error odd(const std::string& what) {
  return base::Error(base::ErrorCode::kInvalid, "nft's answer is odd: " + what);
}

const json::value* member(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

std::optional<std::string_view> text_of(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

// 0 when it is not there; nothing when it is no number, or negative.
std::optional<uint64_t> number_of(const json::object& object, std::string_view key) {
  const json::value* value = member(object, key);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0)
    return static_cast<uint64_t>(value->get_int64());
  return std::nullopt;
}

std::optional<base::Duration> seconds_of(const json::object& object, std::string_view key) {
  constexpr uint64_t kMost = 100ull * 365 * 24 * 3600;
  const auto seconds = number_of(object, key);
  if (!seconds || *seconds > kMost) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

struct SetName {
  Mode mode;
  bool is_ipv4;
};
std::optional<SetName> filter_set(std::string_view name) {
  if (name == "count4") return SetName{Mode::kCount, true};
  if (name == "count6") return SetName{Mode::kCount, false};
  if (name == "block4") return SetName{Mode::kBlock, true};
  if (name == "block6") return SetName{Mode::kBlock, false};
  return std::nullopt;
}

base::Result<Filter> read_element(const json::value& value, const SetName& name) {
  const json::object* outer = value.if_object();
  const json::value* inner = outer == nullptr ? nullptr : member(*outer, "elem");
  const json::object* fields = inner == nullptr ? nullptr : inner->if_object();
  if (fields == nullptr) return odd("an element without fields");
  const auto address = text_of(*fields, "val");
  if (!address) return odd("an element without address");
  const auto subject = Subject::parse(*address);
  if (!subject.ok()) return odd("an element \"" + base::printable(*address) + "\"");
  if (subject->is_ipv4() != name.is_ipv4)
    return odd(subject->text() + " in the other family's set");
  Filter filter;
  filter.subject = *subject;
  filter.mode = name.mode;
  filter.run = std::string(text_of(*fields, "comment").value_or(""));
  if (!is_run_name(filter.run)) filter.run.clear();  // made by hand
  const auto ttl = seconds_of(*fields, "timeout");
  const auto left = seconds_of(*fields, "expires");
  if (!ttl || !left || *left > *ttl) return odd("the time of " + subject->text());
  filter.ttl = *ttl;
  filter.left = *left;
  if (const json::value* counter = member(*fields, "counter")) {
    const json::object* counts = counter->if_object();
    const auto packets = counts == nullptr ? std::nullopt : number_of(*counts, "packets");
    if (!packets) return odd("the counter of " + subject->text());
    filter.packets = *packets;
  }
  return filter;
}

base::Result<> read_set(const json::object& set, Standing& standing) {
  const auto name = text_of(set, "name");
  const auto wanted = name ? filter_set(*name) : std::nullopt;
  const json::value* elements = member(set, "elem");
  if (!wanted || elements == nullptr) return base::Done{};
  const json::array* list = elements->if_array();
  if (list == nullptr) return odd("the elements of " + std::string(*name));
  for (const json::value& each : *list) {
    auto filter = read_element(each, *wanted);
    if (!filter.ok()) return filter.error();
    standing.filters.push_back(std::move(*filter));
  }
  return base::Done{};
}

// A rule of ours that ends in reject or drop counts what it does. They are in two chains.
base::Result<> read_rule(const json::object& rule, Standing& standing) {
  const auto chain = text_of(rule, "chain");
  if (chain != "refuse4" && chain != "refuse6") return base::Done{};
  const json::value* expressions = member(rule, "expr");
  const json::array* list = expressions == nullptr ? nullptr : expressions->if_array();
  if (list == nullptr) return odd("a rule without expressions");
  uint64_t packets = 0;
  for (const json::value& each : *list) {
    const json::object* expression = each.if_object();
    if (expression == nullptr) return odd("a rule's expression");
    if (const json::value* counter = member(*expression, "counter")) {
      const json::object* counts = counter->if_object();
      const auto counted = counts == nullptr ? std::nullopt : number_of(*counts, "packets");
      if (!counted) return odd("a rule's counter");
      packets = *counted;
    }
    if (member(*expression, "reject") != nullptr) standing.refusals.reset += packets;
    if (member(*expression, "drop") != nullptr) standing.refusals.dropped += packets;
  }
  return base::Done{};
}

// A listing of ours names our table, which is of the family inet; the list of ARP's tables does
// not.
enum class Line { kTables, kListing };
// One line of JSON; what it lists goes to `standing`.
base::Result<Line> read_line(std::string_view text, Standing& standing) {
  const auto parsed = base::parse_json(text);
  if (!parsed.ok()) return odd(parsed.error().context);
  const json::object* root = parsed->if_object();
  const json::value* items = root == nullptr ? nullptr : member(*root, "nftables");
  const json::array* list = items == nullptr ? nullptr : items->if_array();
  if (list == nullptr) return odd("no list of things");
  bool is_listing = false;
  for (const json::value& each : *list) {
    const json::object* item = each.if_object();
    if (item == nullptr || item->size() != 1) return odd("a thing without kind");
    const std::string_view kind = item->begin()->key();
    const json::object* fields = item->begin()->value().if_object();
    if (fields == nullptr) return odd("a thing without fields");
    base::Result<> done;
    if (kind == "set") done = read_set(*fields, standing);
    if (kind == "rule") done = read_rule(*fields, standing);
    if (!done.ok()) return done.error();
    // Of other kinds is what somebody has added (a counter, a map): it filters nothing of ours.
    is_listing = is_listing || (kind == "table" && text_of(*fields, "family") == "inet");
  }
  return is_listing ? Line::kListing : Line::kTables;
}

// The text up to the next end of line, taken off the front.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view first = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return first;
}

bool is_answer(std::string_view line) {
  return line.substr(0, kAnswer.size()) == kAnswer;
}

}  // namespace

bool is_whole_answer(std::string_view output) {
  if (output.empty() || output.back() != '\n') return false;
  output.remove_suffix(1);
  const size_t before = output.rfind('\n');
  const std::string_view last =
      before == std::string_view::npos ? output : output.substr(before + 1);
  if (!is_answer(last)) return false;
  Standing ignored;
  const auto line = read_line(last, ignored);
  return !line.ok() || *line == Line::kTables;
}

base::Result<NftAnswer> read_answer(std::string_view output) {
  NftAnswer answer;
  bool is_ended = false;
  while (!output.empty()) {
    const std::string_view text = take_line(output);
    if (!is_answer(text)) {
      if (!text.empty())
        answer.complaint += (answer.complaint.empty() ? "" : " ") + std::string(text);
      continue;
    }
    if (is_ended) return odd("more than was asked");
    Standing standing;
    const auto line = read_line(text, standing);
    if (!line.ok()) return line.error();
    if (*line == Line::kTables) {
      is_ended = true;
    } else if (answer.standing) {
      return odd("two listings");
    } else {
      answer.standing = std::move(standing);
    }
  }
  if (!is_ended) return odd("it has no end");
  return answer;
}

}  // namespace agent::filter
