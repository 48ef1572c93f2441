// Cases: what the rules should say about given series, as YAML, for `mcguard rules test`.
//
//   about: Connections of amber's proxies
//   cases:
//     - case: A surge by everybody is told within seconds
//       series:
//         - series: proxy_connections{cluster=amber,proxy=amber-proxy-1}
//           every: 1s
//           values: '100x120 4000x20'
//       expect:
//         - {rule: connection_surge, scope: cluster amber, after: 2m, within: 5s}
//
// Values are written as promtool's: 'a' is one sample, 'axn' is a and n more of it, 'a+bxn' and
// 'a-bxn' add or take b each time, '_' is a sample that is missing and '_xn' n of them. `weights`,
// of the same form, is for series whose samples are about several observations. The rules are asked
// every `tick` (100 ms) from the first sample until `lasts`, or until ten seconds after the last
// sample.
//
// `expect` lists every verdict that begins, no more and no less; without it the case expects quiet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rerun.h"
#include "agent/rule/rules.h"
#include "agent/series/sample.h"
#include "base/config/yaml.h"
#include "base/core/result.h"

namespace agent::rule {

struct CaseSeries {
  series::SeriesKey key;
  base::Duration every{0};
  base::Duration from{0};  // of the first sample
  std::vector<std::optional<double>> values;
  std::vector<std::optional<double>> weights;  // empty: 1 each
};

// A verdict that should begin.
struct Expectation {
  base::config::Place place;
  std::string rule;
  std::optional<incident::Type> type;
  std::optional<std::string> scope;  // "proxy amber-proxy-1", as Scope::to_string
  base::Duration after{0};           // not before this,
  base::Duration within{0};          // and at most so much later
  std::optional<base::Duration> ends_by;
};

struct RuleCase {
  base::config::Place place;
  std::string name;
  base::Duration tick{0};
  base::Duration lasts{0};
  std::vector<CaseSeries> series;
  std::vector<Expectation> expect;
};

// All problems go to `problems`.
std::vector<RuleCase> parse_cases(const std::string& text, const std::string& file,
                                  base::config::Problems& problems);

struct CaseOutcome {
  bool passed = true;
  // One line per thing that is not as expected, with what was said instead.
  std::vector<std::string> differences;
};
CaseOutcome run_case(const RuleCase& wanted, const RuleSet& rules);

// "0.3x100 5x20" as its samples; kInvalid says which word is wrong.
base::Result<std::vector<std::optional<double>>> parse_values(std::string_view text);
// "name{label=value,…}" as to_string of a key.
base::Result<series::SeriesKey> parse_series(std::string_view text);

}  // namespace agent::rule
