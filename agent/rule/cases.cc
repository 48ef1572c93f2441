#include "agent/rule/cases.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/incident/wording.h"
#include "agent/rule/detector.h"
#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

using base::config::Map;
using base::config::Node;
using namespace std::chrono_literals;

constexpr size_t kMostSamples = 2'000'000;  // of a series
constexpr base::Duration kTail = 10s;
constexpr base::Duration kLongest = 48h;
// Where a case begins on the monotonic clock: any time but zero, which means "never".
constexpr base::Instant kBegin{1'000'000'000'000};

base::Error bad_word(std::string_view word, const char* expected) {
  return {base::ErrorCode::kInvalid, "\"" + std::string(word) + "\": expected " + expected};
}

// The number at the beginning of `word`, which loses it.
std::optional<double> take_number(std::string_view& word) {
  double value = 0;
  if (word.starts_with('+')) word.remove_prefix(1);
  const auto read =
      std::from_chars(word.data(), word.data() + word.size(), value, std::chars_format::fixed);
  if (read.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
  word.remove_prefix(static_cast<size_t>(read.ptr - word.data()));
  return value;
}

// "xn" at the end of a word; 0 when it is not there, nullopt when it is something else.
std::optional<size_t> take_times(std::string_view word) {
  if (word.empty()) return 0;
  if (word[0] != 'x') return std::nullopt;
  size_t times = 0;
  const char* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data() + 1, end, times);
  if (read.ec != std::errc() || read.ptr != end || times > kMostSamples) return std::nullopt;
  return times;
}

// One word of the notation, appended.
base::Result<> add_word(std::string_view word, std::vector<std::optional<double>>& values) {
  constexpr const char* kForms = "a number, axn, a+bxn, a-bxn, _ or _xn";
  if (word[0] == '_') {
    const auto times = take_times(word.substr(1));
    if (!times) return bad_word(word, kForms);
    values.insert(values.end(), word.size() == 1 ? 1 : *times, std::nullopt);
    return base::Done{};
  }
  std::string_view rest = word;
  const auto first = take_number(rest);
  if (!first) return bad_word(word, kForms);
  double step = 0;
  const bool steps = rest.starts_with('+') || rest.starts_with('-');
  if (steps) {
    const auto given = take_number(rest);
    if (!given || rest.empty()) return bad_word(word, kForms);
    step = *given;
  }
  const auto times = take_times(rest);
  if (!times) return bad_word(word, kForms);
  for (size_t i = 0; i <= *times; ++i) values.push_back(*first + step * static_cast<double>(i));
  return base::Done{};
}

std::vector<std::optional<double>> read_values(const Node& node) {
  const std::string text = node.text();
  auto values = parse_values(text);
  if (values) return *std::move(values);
  node.problem_text(values.error().context);
  return {};
}

CaseSeries read_series(const Node& node) {
  Map map(node);
  CaseSeries series;
  const Node name = map.required("series");
  if (auto key = parse_series(name.text())) {
    series.key = *key;
  } else if (name.is_text()) {
    name.problem_text(key.error().context);
  }
  series.every = map.required("every").duration(1ms, 1h);
  series.from = map.duration("from", 0s, 0s, kLongest);
  series.values = read_values(map.required("values"));
  if (const auto weights = map.optional("weights")) {
    series.weights = read_values(*weights);
    if (series.weights.size() != series.values.size()) {
      weights->problem_text("expected as many as values, " + std::to_string(series.values.size()) +
                            ", got " + std::to_string(series.weights.size()));
      series.weights.clear();
    }
  }
  map.finish();
  return series;
}

Expectation read_expectation(const Node& node) {
  Map map(node);
  Expectation expectation;
  expectation.place = node.place();
  expectation.rule = map.required("rule").text();
  if (const auto type = map.optional("type")) {
    expectation.type = incident::parse_type(type->text());
    if (!expectation.type) type->problem("an incident type");
  }
  if (const auto scope = map.optional("scope")) expectation.scope = scope->text();
  expectation.after = map.duration("after", 0s, 0s, kLongest);
  expectation.within = map.required("within").duration(1ms, kLongest);
  if (const auto by = map.optional("ends_by")) expectation.ends_by = by->duration(1ms, kLongest);
  map.finish();
  return expectation;
}

base::Duration length_of(const CaseSeries& series) {
  return series.from + series.every * static_cast<int64_t>(series.values.size());
}

RuleCase read_case(const Node& node) {
  Map map(node);
  RuleCase found;
  found.place = node.place();
  found.name = map.required("case").text();
  found.tick = map.duration("tick", 100ms, 10ms, 1min);
  for (const Node& series : map.required("series").list()) {
    found.series.push_back(read_series(series));
    found.lasts = std::max(found.lasts, length_of(found.series.back()) + kTail);
  }
  found.lasts = map.duration("lasts", found.lasts, 1ms, kLongest);
  if (const auto expect = map.optional("expect")) {
    for (const Node& expectation : expect->list()) {
      found.expect.push_back(read_expectation(expectation));
    }
  }
  map.finish();
  return found;
}

// Samples of a case in the order of time; of one time in the order of the file.
std::vector<series::Sample> samples_of(const RuleCase& wanted) {
  std::vector<series::Sample> samples;
  for (const CaseSeries& series : wanted.series) {
    for (size_t i = 0; i < series.values.size(); ++i) {
      if (!series.values[i]) continue;
      const base::Instant at = kBegin + series.from + series.every * static_cast<int64_t>(i);
      const double weight = series.weights.empty() ? 1 : series.weights[i].value_or(1);
      samples.push_back({series.key, at, *series.values[i], weight});
    }
  }
  std::stable_sort(samples.begin(), samples.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return samples;
}

std::string after_begin(base::Instant at) {
  return seconds_text(base::to_seconds(at - kBegin));
}

std::string text_of(const VerdictChange& change) {
  const incident::Verdict& verdict = change.verdict;
  return verdict.rule + " (" + std::string(incident::to_string(verdict.type)) + ") on " +
         verdict.scope.to_string() + " at " + after_begin(change.at) + ": " + verdict.sentence;
}

std::string text_of(const Expectation& wanted) {
  std::string text = wanted.rule;
  if (wanted.type) text += " (" + std::string(incident::to_string(*wanted.type)) + ")";
  if (wanted.scope) text += " on " + *wanted.scope;
  return text + " between " + seconds_text(base::to_seconds(wanted.after)) + " and " +
         seconds_text(base::to_seconds(wanted.after + wanted.within));
}

bool fits(const Expectation& wanted, const VerdictChange& change) {
  const base::Duration at = change.at - kBegin;
  return change.verdict.rule == wanted.rule && at >= wanted.after &&
         at <= wanted.after + wanted.within &&
         (!wanted.type || *wanted.type == change.verdict.type) &&
         (!wanted.scope || *wanted.scope == change.verdict.scope.to_string());
}

// When the verdict that began at `began` had ended; nullopt: never.
std::optional<base::Instant> end_of(const std::vector<VerdictChange>& changes,
                                    const VerdictChange& began) {
  for (const VerdictChange& change : changes) {
    if (!change.began && change.at >= began.at && change.verdict.rule == began.verdict.rule &&
        change.verdict.type == began.verdict.type && change.verdict.scope == began.verdict.scope) {
      return change.at;
    }
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::vector<std::optional<double>>> parse_values(std::string_view text) {
  std::vector<std::optional<double>> values;
  while (true) {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\n')) text.remove_prefix(1);
    if (text.empty()) return values;
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (auto added = add_word(word, values); !added) return added.error();
    if (values.size() > kMostSamples) {
      return bad_word(word, "at most two million samples in a series");
    }
  }
}

base::Result<series::SeriesKey> parse_series(std::string_view text) {
  constexpr const char* kForm = "name{cluster=…,proxy=…,backend=…,client=…}";
  series::SeriesKey key;
  const size_t brace = text.find('{');
  key.name = text.substr(0, brace);
  if (key.name.empty()) return bad_word(text, kForm);
  if (brace == std::string_view::npos) return key;
  if (!text.ends_with('}')) return bad_word(text, kForm);
  std::string_view labels = text.substr(brace + 1, text.size() - brace - 2);
  while (!labels.empty()) {
    const std::string_view label = labels.substr(0, labels.find(','));
    labels.remove_prefix(std::min(label.size() + 1, labels.size()));
    const size_t equals = std::min(label.find('='), label.size());
    const std::string_view name = label.substr(0, equals);
    series::Label* const member = name == "cluster"   ? &key.cluster
                                  : name == "proxy"   ? &key.proxy
                                  : name == "backend" ? &key.backend
                                                      : nullptr;
    const bool is_client = name == "client";
    if ((member == nullptr && !is_client) || equals == label.size()) return bad_word(text, kForm);
    const std::string_view value = label.substr(equals + 1);
    if (is_client) key.client = value;
    if (member != nullptr) *member = value;
  }
  return key;
}

std::vector<RuleCase> parse_cases(const std::string& text, const std::string& file,
                                  base::config::Problems& problems) {
  const size_t before = problems.size();
  const Node root = base::config::Document::parse(text, file, problems);
  if (problems.size() > before) return {};
  std::vector<RuleCase> cases;
  Map map(root);
  map.text("about", "");  // for people
  for (const Node& item : map.required("cases").list()) cases.push_back(read_case(item));
  map.finish();
  return cases;
}

CaseOutcome run_case(const RuleCase& wanted, const RuleSet& rules) {
  const std::vector<series::Sample> samples = samples_of(wanted);
  Detector detector(rules);
  Changes changes;
  std::vector<VerdictChange> all;
  size_t next = 0;
  for (base::Instant now = kBegin; now - kBegin <= wanted.lasts; now = now + wanted.tick) {
    for (; next < samples.size() && samples[next].at <= now; ++next)
      detector.observe(samples[next]);
    for (VerdictChange& change : changes.take(detector.evaluate(now), now)) {
      all.push_back(std::move(change));
    }
  }
  CaseOutcome outcome;
  std::vector<const Expectation*> open;
  for (const Expectation& expectation : wanted.expect) open.push_back(&expectation);
  for (const VerdictChange& change : all) {
    if (!change.began) continue;
    const auto found = std::find_if(open.begin(), open.end(),
                                    [&](const Expectation* want) { return fits(*want, change); });
    if (found == open.end()) {
      outcome.differences.push_back("not expected: " + text_of(change));
      continue;
    }
    const auto ended = end_of(all, change);
    if ((*found)->ends_by && (!ended || *ended - kBegin > *(*found)->ends_by)) {
      outcome.differences.push_back((*found)->place.to_string() + ": expected the end of " +
                                    text_of(**found) + " by " +
                                    seconds_text(base::to_seconds(*(*found)->ends_by)) + ", got " +
                                    (ended ? after_begin(*ended) : std::string("none")));
    }
    open.erase(found);
  }
  for (const Expectation* missing : open) {
    outcome.differences.push_back(missing->place.to_string() + ": expected " + text_of(*missing) +
                                  ", got nothing that fits");
  }
  outcome.passed = outcome.differences.empty();
  return outcome;
}

}  // namespace agent::rule
