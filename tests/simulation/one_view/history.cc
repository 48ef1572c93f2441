#include "tests/simulation/one_view/history.h"

#include <algorithm>

namespace one_view {

void History::write_begins(const std::string& key, uint64_t value, uint64_t at) {
  Cluster& write = registers_[key].writes[value];
  write.value = value;
  write.begin = write.last_begin = at;
}

void History::write_ends(const std::string& key, uint64_t value, uint64_t at) {
  Cluster& write = registers_[key].writes[value];
  write.first_end = std::min(write.first_end, at);
}

void History::read(const std::string& key, uint64_t value, uint64_t begin, uint64_t end) {
  ++reads_;
  Register& each = registers_[key];
  const auto found = each.writes.find(value);
  if (found == each.writes.end()) {
    each.unwritten = "a read gave " + std::to_string(value) + ", which nobody had written";
    return;
  }
  found->second.first_end = std::min(found->second.first_end, end);
  found->second.last_begin = std::max(found->second.last_begin, begin);
}

void History::flush(const std::vector<std::string>& keys, uint64_t begin, uint64_t end) {
  for (const std::string& key : keys) {
    Cluster flush;
    flush.begin = flush.last_begin = begin;
    flush.first_end = end;
    registers_[key].flushes.push_back(std::move(flush));
  }
}

std::string History::Cluster::name() const {
  return value == 0 ? "flush" : "write of " + std::to_string(value);
}

std::optional<Violation> History::check(const Register& each) {
  if (each.unwritten) return Violation{{}, *each.unwritten, {}};
  std::vector<const Cluster*> spans, moments;
  const auto sort_in = [&](const Cluster& cluster) {
    if (cluster.first_end == kNever) return;  // nobody was told, nobody saw it
    (cluster.is_span() ? spans : moments).push_back(&cluster);
  };
  for (const auto& [value, write] : each.writes) sort_in(write);
  for (const Cluster& flush : each.flushes) sort_in(flush);
  std::sort(spans.begin(), spans.end(),
            [](auto* a, auto* b) { return a->first_end < b->first_end; });
  const auto violation = [](const Cluster& span, const Cluster& inside) {
    return Violation{{},
                     "the " + span.name() + " had taken effect by " +
                         std::to_string(span.first_end) + "; a read begun at " +
                         std::to_string(span.last_begin) + " gave it, although the " +
                         inside.name() + " had replaced it",
                     {span.value, inside.value}};
  };
  for (size_t i = 1; i < spans.size(); ++i) {
    if (spans[i]->first_end < spans[i - 1]->last_begin) {
      return violation(*spans[i - 1], *spans[i]);
    }
  }
  for (const Cluster* moment : moments) {
    const auto after =
        std::upper_bound(spans.begin(), spans.end(), moment->last_begin,
                         [](uint64_t at, const Cluster* span) { return at < span->first_end; });
    if (after == spans.begin()) continue;
    const Cluster& span = **std::prev(after);
    if (moment->first_end < span.last_begin) return violation(span, *moment);
  }
  return std::nullopt;
}

std::optional<Violation> History::check() const {
  for (const auto& [key, each] : registers_) {
    auto violation = check(each);
    if (!violation) continue;
    violation->key = key;
    return violation;
  }
  return std::nullopt;
}

}  // namespace one_view
