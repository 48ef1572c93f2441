// parse_runbook(): the shape of a runbook file.
#include <boost/json/array.hpp>

#include "agent/runbook/digest.h"
#include "agent/runbook/runbook.h"
#include "agent/runbook/yaml_text.h"

namespace agent::runbook {
namespace {

using base::config::Document;
using base::config::Map;
using base::config::Node;
using base::config::Problems;
using namespace std::chrono_literals;

constexpr base::Duration kLongest = 24h;

const std::vector<std::string>& class_names() {
  static const std::vector<std::string> names = {"observe", "reversible", "disruptive",
                                                 "destructive"};
  return names;
}

bool is_identifier(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
  }
  return true;
}

// Reads one file. Thread: one. Owner: parse_runbook.
class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  Runbook runbook(const Node& root) {
    Runbook book;
    book.place = root.place();
    Map map = root.map();
    book.name = identifier(map.required("runbook"));
    book.version = static_cast<int>(map.integer("version", 1, 1, 1'000'000));
    book.summary = map.text("summary", "");
    if (auto params = map.optional("params")) book.params = read_params(*params);
    book.cls = static_cast<Class>(map.choice("class", 0, class_names()));
    if (!map.has("class")) (void)map.required("class");
    if (auto locks = map.optional("locks")) {
      for (const Node& lock : locks->list()) book.locks.push_back(text_of(lock));
    }
    if (auto guards = map.optional("guards")) book.guards = read_guards(*guards);
    if (auto cooldown = map.optional("cooldown")) book.cooldown = read_cooldown(*cooldown);
    if (auto approve = map.optional("approve")) book.approve = read_approval(*approve);
    for (const Node& step : map.required("steps").list()) book.steps.push_back(read_step(step));
    map.finish();
    return book;
  }

 private:
  std::string identifier(const Node& node) {
    std::string text = node.text();
    if (!node.is_null() && !is_identifier(text)) {
      node.problem("a name of a-z, 0-9, - and _, at most 64 long");
    }
    return text;
  }

  std::vector<Param> read_params(const Node& node) {
    std::vector<Param> params;
    for (const auto& [name, value] : node.entries()) {
      Param param;
      param.name = name;
      if (!is_identifier(name) || name == "steps" || name == "run" || name == "policy" ||
          name == "item") {
        value.problem("a param's name of a-z, 0-9, - and _ other than steps, run, policy, item");
      }
      Map map = value.map();
      read_types(map.required("type"), param);
      param.required = map.boolean("required", false);
      if (auto fallback = map.optional("default")) param.fallback = text_of(*fallback);
      map.finish();
      params.push_back(std::move(param));
    }
    return params;
  }

  void read_types(const Node& node, Param& param) {
    std::string text = node.text();
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('|', begin), text.size());
      const std::string_view word = std::string_view(text).substr(begin, end - begin);
      const size_t before = param.types.size();
      for (int i = 0; i <= static_cast<int>(ParamType::kDuration); ++i) {
        if (word == to_string(static_cast<ParamType>(i))) {
          param.types.push_back(static_cast<ParamType>(i));
        }
      }
      if (param.types.size() == before && !node.is_null()) {
        node.problem(
            "proxy, backend, cluster, cache, text, number, duration, or several targets "
            "as in cache|backend");
      }
      begin = end + 1;
    }
    if (param.types.size() < 2) return;
    for (const ParamType type : param.types) {
      if (!is_target(type)) node.problem("only targets (proxy, backend, cluster, cache) beside |");
    }
  }

  std::vector<Guard> read_guards(const Node& node) {
    std::vector<Guard> guards;
    for (const Node& item : node.list()) {
      guards.push_back(Guard{expression_of(item, problems_), item.place()});
    }
    return guards;
  }

  Cooldown read_cooldown(const Node& node) {
    Cooldown cooldown;
    Map map = node.map();
    cooldown.key = text_of(map.required("key"));
    cooldown.base = map.duration("base", 5min, 0s, kLongest);
    cooldown.factor = map.number("factor", 2, 1, 100);
    cooldown.max = map.duration("max", 2h, 0s, 7 * kLongest);
    cooldown.on_exhausted =
        static_cast<Exhausted>(map.choice("on_exhausted", 0, {"hand_over", "wait"}));
    if (cooldown.max < cooldown.base) {
      problems_.add(node.place(), node.path() + ".max",
                    "is less than base, expected at least base");
    }
    map.finish();
    return cooldown;
  }

  Approval read_approval(const Node& node) {
    Approval approval;
    approval.present = true;
    Map map = node.map();
    approval.when = expression_of(map.required("when"), problems_);
    approval.timeout = map.duration("timeout", 5min, 1s, kLongest);
    approval.on_timeout =
        static_cast<OnTimeout>(map.choice("on_timeout", 0, {"abort", "hand_over"}));
    map.finish();
    return approval;
  }

  Step read_step(const Node& node) {
    Step step;
    step.place = node.place();
    Map map = node.map();
    step.id = identifier(map.required("id"));
    step.action = map.required("do").text();
    if (auto with = map.optional("with")) step.with = object_of(*with);
    if (auto when = map.optional("when")) step.when = expression_of(*when, problems_);
    if (auto each = map.optional("each")) step.each = text_of(*each);
    step.timeout = map.duration("timeout", 30s, 1ms, kLongest);
    if (auto retry = map.optional("retry")) step.retry = read_retry(*retry);
    step.probe = map.text("probe", "");
    if (auto verify = map.optional("verify")) step.verify = read_verify(*verify);
    if (auto undo = map.optional("undo")) step.undo = read_undo(*undo);
    step.point_of_no_return = map.boolean("point_of_no_return", false);
    if (auto guards = map.optional("guards")) step.guards = read_guards(*guards);
    map.finish();
    return step;
  }

  RetryRule read_retry(const Node& node) {
    RetryRule retry;
    Map map = node.map();
    retry.max = static_cast<int>(map.integer("max", 2, 1, 10));
    retry.backoff_min = map.duration("backoff_min", 100ms, 1ms, 1h);
    retry.backoff_max = map.duration("backoff_max", 2s, 1ms, 1h);
    for (const Node& item : map.required("on").list()) {
      if (const auto code = retry_code(item.text())) {
        retry.on.push_back(*code);
      } else {
        item.problem(
            "an error that certainly did nothing: unavailable, conflict, exhausted, io or "
            "refused (unknown and timeout are never repeated)");
      }
    }
    map.finish();
    return retry;
  }

  static std::optional<base::ErrorCode> retry_code(std::string_view name) {
    using base::ErrorCode;
    for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kConflict,
                                 ErrorCode::kExhausted, ErrorCode::kIo, ErrorCode::kRefused}) {
      if (name == base::to_string(code)) return code;
    }
    return std::nullopt;
  }

  Verify read_verify(const Node& node) {
    Verify verify;
    Map map = node.map();
    verify.action = map.required("do").text();
    if (auto with = map.optional("with")) verify.with = object_of(*with);
    verify.hold = map.duration("for", 0s, 0s, 1h);
    verify.within = map.duration("within", 30s, 1ms, kLongest);
    verify.every = map.duration("every", 250ms, 10ms, 1min);
    if (verify.hold > verify.within) {
      problems_.add(node.place(), node.path() + ".for",
                    "is longer than within, expected at most it");
    }
    map.finish();
    return verify;
  }

  Undo read_undo(const Node& node) {
    Undo undo;
    Map map = node.map();
    undo.action = map.required("do").text();
    if (auto with = map.optional("with")) undo.with = object_of(*with);
    map.finish();
    return undo;
  }

  Problems& problems_;
};

}  // namespace

std::optional<Runbook> parse_runbook(const SourceText& source, Problems& problems) {
  const size_t before = problems.size();
  const Node root = Document::parse(shield_references(source.text), source.file, problems);
  if (problems.size() != before) return std::nullopt;
  Runbook book = Reader(problems).runbook(root);
  if (problems.size() != before) return std::nullopt;
  book.text = source.text;
  book.sha256 = sha256_hex(source.text);
  return book;
}

}  // namespace agent::runbook
