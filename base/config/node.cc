#include "base/config/node.h"

#include <algorithm>
#include <limits>

#include "base/config/scalar.h"
#include "base/core/text.h"

namespace base::config {
namespace {

const Item kSilentItem = [] {
  Item item;
  item.kind = Item::Kind::kSilent;
  return item;
}();

std::string got_text(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kNull:
      return "nothing";
    case Item::Kind::kList:
      return "a list";
    case Item::Kind::kMap:
      return "a mapping";
    case Item::Kind::kScalar:
      return "\"" + printable(item.text, 80) + "\"";
    case Item::Kind::kSilent:
      break;
  }
  return "nothing";
}

// "an integer from 1 to 9", "a duration of at least 1s", "a number".
template <class T, class ToText>
std::string range_text(const std::string& what, T min, T max, ToText to_text) {
  const bool has_min = min != std::numeric_limits<T>::lowest();
  const bool has_max = max != std::numeric_limits<T>::max();
  if (has_min && has_max) return what + " from " + to_text(min) + " to " + to_text(max);
  if (has_min) return what + " of at least " + to_text(min);
  if (has_max) return what + " of at most " + to_text(max);
  return what;
}

std::string list_text(const std::vector<std::string>& names) {
  constexpr size_t kShown = 20;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > kShown ? text + ", …" : text;
}

}  // namespace

Node Node::Impl::make(std::shared_ptr<const Tree> tree, uint32_t index, std::string path) {
  auto impl = std::make_shared<Impl>();
  impl->item = &tree->items[index];
  impl->place = {tree->file, impl->item->line, impl->item->column};
  impl->path = std::move(path);
  impl->tree = std::move(tree);
  return Node(std::move(impl));
}

Node Node::Impl::silent(const Node& near, std::string path) {
  auto impl = std::make_shared<Impl>();
  impl->item = &kSilentItem;
  impl->place = near.impl_->place;
  impl->path = std::move(path);
  impl->tree = near.impl_->tree;
  return Node(std::move(impl));
}

void Node::Impl::report(std::string_view expected, std::string_view remedy) const {
  if (is(Item::Kind::kSilent)) return;
  std::string message = "got " + got_text(*item) + ", expected " + std::string(expected);
  if (!remedy.empty()) message += " (" + std::string(remedy) + ")";
  tree->problems->add(place, path, std::move(message));
}

template <class T, class Parse>
std::optional<T> Node::Impl::scalar(Parse parse, T min, T max, bool may_be_quoted,
                                    const std::string& expected) const {
  const bool is_scalar = is(Item::Kind::kScalar);
  const auto value = is_scalar ? parse(item->text) : std::nullopt;
  const bool fits = value && *value >= min && *value <= max;
  const bool plain = is_scalar && (!item->quoted || may_be_quoted);
  if (fits && plain) return *value;
  report(expected, fits ? "without the quotes" : "");
  return std::nullopt;
}

std::optional<std::string> Node::Impl::text() const {
  if (is(Item::Kind::kScalar)) return item->text;
  report("text");
  return std::nullopt;
}

std::optional<int64_t> Node::Impl::integer(int64_t min, int64_t max) const {
  const auto to_text = [](int64_t n) { return std::to_string(n); };
  return scalar<int64_t>(parse_integer, min, max, false,
                         range_text("an integer", min, max, to_text));
}

std::optional<double> Node::Impl::number(double min, double max) const {
  return scalar<double>(parse_number, min, max, false,
                        range_text("a number", min, max, number_text));
}

std::optional<bool> Node::Impl::boolean() const {
  const auto parse = [](std::string_view word) -> std::optional<bool> {
    if (word == "true") return true;
    if (word == "false") return false;
    return std::nullopt;
  };
  return scalar<bool>(parse, false, true, false, "true or false");
}

std::optional<Duration> Node::Impl::duration(Duration min, Duration max) const {
  const auto to_text = [](int64_t ns) { return duration_text(Duration(ns)); };
  return scalar<Duration>(
      parse_duration, min, max, true,
      range_text("a duration such as 250ms, 3s or 5m", min.count(), max.count(), to_text));
}

std::optional<uint64_t> Node::Impl::bytes(uint64_t min, uint64_t max) const {
  return scalar<uint64_t>(parse_bytes, min, max, true,
                          range_text("a size such as 512, 64KiB or 1GiB", min, max, bytes_text));
}

std::optional<double> Node::Impl::share() const {
  return scalar<double>(parse_share, 0.0, 1.0, true, "a share such as 15% or 0.15, from 0 to 1");
}

std::optional<size_t> Node::Impl::choice(const std::vector<std::string>& names) const {
  std::string meant;
  if (is(Item::Kind::kScalar)) {
    const auto found = std::find(names.begin(), names.end(), item->text);
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
    meant = did_you_mean(item->text, names);
  }
  report("one of: " + list_text(names), meant.empty() ? "" : "did you mean " + meant + "?");
  return std::nullopt;
}

Place Node::place() const {
  return impl_->place;
}
const std::string& Node::path() const {
  return impl_->path;
}
bool Node::is_map() const {
  return impl_->is(Item::Kind::kMap);
}
bool Node::is_list() const {
  return impl_->is(Item::Kind::kList);
}
bool Node::is_text() const {
  return impl_->is(Item::Kind::kScalar);
}
bool Node::is_null() const {
  return impl_->is(Item::Kind::kNull) || impl_->is(Item::Kind::kSilent);
}
bool Node::is_quoted() const {
  return is_text() && impl_->item->quoted;
}

Map Node::map() const {
  return Map(*this);
}

std::vector<Node> Node::list() const {
  std::vector<Node> nodes;
  if (!is_list()) impl_->report("a list");
  for (size_t i = 0; i < impl_->item->items.size(); ++i) {
    nodes.push_back(Impl::make(impl_->tree, impl_->item->items[i], path_of_index(impl_->path, i)));
  }
  return nodes;
}

std::string Node::text() const {
  return impl_->text().value_or("");
}
int64_t Node::integer(int64_t min, int64_t max) const {
  return impl_->integer(min, max).value_or(min);
}
double Node::number(double min, double max) const {
  return impl_->number(min, max).value_or(min);
}
bool Node::boolean() const {
  return impl_->boolean().value_or(false);
}
Duration Node::duration(Duration min, Duration max) const {
  return impl_->duration(min, max).value_or(min);
}
uint64_t Node::bytes(uint64_t min, uint64_t max) const {
  return impl_->bytes(min, max).value_or(min);
}
double Node::share() const {
  return impl_->share().value_or(0);
}
size_t Node::choice(const std::vector<std::string>& names) const {
  return impl_->choice(names).value_or(0);
}

void Node::problem(std::string_view expected) const {
  impl_->report(expected);
}

void Node::problem_text(std::string message) const {
  if (impl_->is(Item::Kind::kSilent)) return;
  impl_->tree->problems->add(impl_->place, impl_->path, std::move(message));
}

std::vector<std::pair<std::string, Node>> Node::entries() const {
  std::vector<std::pair<std::string, Node>> nodes;
  if (!is_map()) impl_->report("a mapping");
  for (const auto& [key, index] : impl_->item->members) {
    nodes.emplace_back(key, Impl::make(impl_->tree, index, path_of_key(impl_->path, key)));
  }
  return nodes;
}

Map::Map(Node node) : node_(std::move(node)) {
  if (node_.is_map()) return;
  node_.impl_->report("a mapping");
  node_ = Node::Impl::silent(node_, node_.path());
}

bool Map::has(std::string_view key) {
  return optional(key).has_value();
}

std::optional<Node> Map::optional(std::string_view key) {
  known_.emplace(key);
  const Node::Impl& impl = *node_.impl_;
  for (const auto& [name, index] : impl.item->members) {
    if (name != key) continue;
    Node node = Node::Impl::make(impl.tree, index, path_of_key(impl.path, key));
    if (node.impl_->is(Item::Kind::kNull)) return std::nullopt;
    return node;
  }
  return std::nullopt;
}

Node Map::required(std::string_view key) {
  if (auto node = optional(key)) return *std::move(node);
  const Node::Impl& impl = *node_.impl_;
  const std::string path = path_of_key(impl.path, key);
  if (!impl.is(Item::Kind::kSilent)) {
    impl.tree->problems->add(impl.place, path, "missing, expected a value for this key");
  }
  return Node::Impl::silent(node_, path);
}

std::string Map::text(std::string_view key, std::string fallback) {
  const auto node = optional(key);
  return node ? node->impl_->text().value_or(std::move(fallback)) : fallback;
}

int64_t Map::integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) {
  const auto node = optional(key);
  return node ? node->impl_->integer(min, max).value_or(fallback) : fallback;
}

double Map::number(std::string_view key, double fallback, double min, double max) {
  const auto node = optional(key);
  return node ? node->impl_->number(min, max).value_or(fallback) : fallback;
}

bool Map::boolean(std::string_view key, bool fallback) {
  const auto node = optional(key);
  return node ? node->impl_->boolean().value_or(fallback) : fallback;
}

Duration Map::duration(std::string_view key, Duration fallback, Duration min, Duration max) {
  const auto node = optional(key);
  return node ? node->impl_->duration(min, max).value_or(fallback) : fallback;
}

uint64_t Map::bytes(std::string_view key, uint64_t fallback, uint64_t min, uint64_t max) {
  const auto node = optional(key);
  return node ? node->impl_->bytes(min, max).value_or(fallback) : fallback;
}

double Map::share(std::string_view key, double fallback) {
  const auto node = optional(key);
  return node ? node->impl_->share().value_or(fallback) : fallback;
}

size_t Map::choice(std::string_view key, size_t fallback, const std::vector<std::string>& names) {
  const auto node = optional(key);
  return node ? node->impl_->choice(names).value_or(fallback) : fallback;
}

void Map::finish() {
  const Node::Impl& impl = *node_.impl_;
  const std::vector<std::string> names(known_.begin(), known_.end());
  for (size_t i = 0; i < impl.item->members.size(); ++i) {
    const std::string& key = impl.item->members[i].first;
    if (known_.count(key) > 0) continue;
    const auto [line, column] = impl.item->member_places[i];
    std::string message = names.empty() ? "unknown key, expected none here"
                                        : "unknown key, expected one of: " + list_text(names);
    const std::string meant = did_you_mean(key, names);
    if (!meant.empty()) message += " (did you mean " + meant + "?)";
    impl.tree->problems->add({impl.tree->file, line, column}, path_of_key(impl.path, key),
                             std::move(message));
  }
}

}  // namespace base::config
