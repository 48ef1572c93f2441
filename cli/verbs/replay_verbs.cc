// replay, record, rules: judge again what was seen, and test what judges.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "agent/record/ring.h"
#include "agent/rule/cases.h"
#include "agent/series/recording.h"
#include "base/core/file.h"
#include "cli/output/format.h"
#include "cli/region/places.h"
#include "cli/replay/replay.h"
#include "cli/replay/rule_files.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

constexpr size_t kMostSegment = size_t{256} << 20;

// Where the rules lie: as said, as the region says, or beside this tool.
std::string rules_folder(const Context& context, const std::string& said) {
  if (!said.empty()) return said;
  const auto definition = load_definition(Places(context.endpoint.dir).definition());
  return definition ? definition->rules_dir : find_installation().rules_dir;
}

void add_replay(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ReplayOptions>();
  CLI::App* replay = add_verb(
      app, context, "replay", "score a series row by row, or judge a recording again",
      {"replay cpu.csv > scored.csv", "replay cpu.csv --reason -o json",
       "replay export.csv --time-column time --value-column p99 --skip-bad",
       "replay - < cpu.csv | awk -F, '$3 > 0.9'", "replay night.mcgrec --rules-dir my-rules"},
      [&context, options] {
        ReplayOptions asked = *options;
        asked.rules_dir = rules_folder(context, options->rules_dir);
        return run_replay(asked);
      });
  replay
      ->add_option("file", options->file,
                   "CSV with the columns timestamp and value, or a recording; - is stdin")
      ->required();
  replay->add_option("--rule", options->rule,
                     "of a recording: this rule alone; of a series: one question (step, rest, "
                     "spread, flat, absent)");
  replay->add_flag("--reason", options->with_reason, "add the question that gave the score");
  replay->add_flag("--skip-bad", options->series.skip_bad, "leave bad rows out and count them");
  replay->add_option("--time-column", options->series.time_column, "default: timestamp");
  replay->add_option("--value-column", options->series.value_column, "default: value");
  replay->add_option("--rules-dir", options->rules_dir, "rules for a recording (the region's)");
  replay->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
  replay->add_option("-o,--output", options->output, "csv or json (default csv)")
      ->check(CLI::IsMember({"csv", "json"}));
}

struct RecordOptions {
  std::string out;
  std::string last;
};

base::Error write_error(const std::string& path) {
  return {base::ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno)};
}

// What segments hold. Thread: main.
struct RecordingContent {
  uint64_t segments = 0, bytes = 0;
  uint64_t events = 0, left_out = 0;
  uint64_t damaged = 0;        // bytes
  base::WallTime from, until;  // of the blocks; ns == 0: there is none

  void add(std::string_view segment) {
    ++segments;
    bytes += segment.size();
    agent::series::RecordingDecoder decoder;
    decoder.add(segment);
    decoder.end();
    while (const auto block = decoder.next_block()) {
      if (from.ns == 0) from = decoder.wall();
      until = decoder.wall();
      for (const agent::series::Event& event : *block) add(event);
    }
    damaged += decoder.damaged();
  }
  void add(const agent::series::Event& event) {
    if (const auto* dropped = std::get_if<agent::series::Dropped>(&event)) {
      left_out += dropped->events;
    } else {
      events += std::holds_alternative<agent::series::Sample>(event) ||
                std::holds_alternative<agent::series::Tick>(event);
    }
  }
};

// What is in the segments, whose bytes go to `fd` as well unless that is negative. The newest may
// grow meanwhile, and its torn end is left to the reader.
base::Result<RecordingContent> read_segments(const std::vector<agent::record::SegmentFile>& files,
                                             const std::string& path, int fd) {
  RecordingContent content;
  for (const agent::record::SegmentFile& file : files) {
    auto bytes = base::read_file(file.path, kMostSegment);
    // The oldest may go while others are read.
    if (!bytes && bytes.code() == base::ErrorCode::kNotFound) continue;
    if (!bytes) return bytes.error();
    for (std::string_view rest = *bytes; fd >= 0 && !rest.empty();) {
      const ssize_t count = ::write(fd, rest.data(), rest.size());
      if (count < 0 && errno != EINTR) return write_error(path);
      if (count > 0) rest.remove_prefix(static_cast<size_t>(count));
    }
    content.add(*bytes);
  }
  return content;
}

int show_recording(const std::string& folder, const RecordingContent& content, base::WallTime now) {
  const auto size = [](uint64_t bytes) { return format_bytes(static_cast<double>(bytes)); };
  const auto count = [](uint64_t events) { return format_count(static_cast<double>(events)); };
  std::string text = "recording  " + folder + "\nsegments   " + count(content.segments) + ", " +
                     size(content.bytes) + "\n";
  if (content.from.ns != 0) {
    text += "time       " + content.from.to_rfc3339() + " to " + content.until.to_rfc3339() + ", " +
            format_age(now - content.until) + " ago\n";
  }
  text += "kept       " + count(content.events) + " events\n";
  text += "left out   " + count(content.left_out) + " events";
  text += content.left_out > 0 ? ": the disk was slow or refused them\n" : "\n";
  if (content.damaged > 0) text += "damaged    " + size(content.damaged) + "\n";
  return print(text);
}

int run_record(const Context& context, const RecordOptions& options) {
  const auto last = options.last.empty() ? base::Duration::max() : parse_duration(options.last);
  if (!last || last->count() <= 0) {
    std::fprintf(stderr, "mcguard: --last %s: expected a duration like 1h or 30m\n",
                 options.last.c_str());
    return kUsage;
  }
  const std::string folder = Places(context.endpoint.dir).dir + "/state/record";
  auto files = agent::record::list_segments(folder);
  if (!files) {
    return report({files.code(), files.error().context +
                                     "; an agent records there unless agent.yaml says record: "
                                     "{size: 0}; name its directory with --dir"});
  }
  const base::WallTime now = base::SystemClock().wall();
  std::erase_if(*files, [&](const auto& file) { return now - file.written > *last; });
  if (files->empty()) {
    return report({base::ErrorCode::kNotFound, "nothing was recorded in that time in " + folder});
  }
  if (options.out.empty()) {
    const auto content = read_segments(*files, options.out, -1);
    return content ? show_recording(folder, *content, now) : report(content.error());
  }
  const bool to_stdout = options.out == "-";
  base::net::UniqueFd opened;
  if (!to_stdout) {
    opened = base::net::UniqueFd(
        ::open(options.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!opened.valid()) return report(write_error(options.out));
  }
  const auto copied = read_segments(*files, options.out, to_stdout ? STDOUT_FILENO : opened.get());
  if (!copied) return report(copied.error());
  const std::string left_out =
      copied->left_out == 0
          ? ""
          : ", " + format_count(static_cast<double>(copied->left_out)) + " events left out";
  std::fprintf(stderr, "%zu segments, %s%s; judge them with mcguard replay %s\n",
               static_cast<size_t>(copied->segments),
               format_bytes(static_cast<double>(copied->bytes)).c_str(), left_out.c_str(),
               options.out.c_str());
  return kDone;
}

int lint_rules(const Context& context, std::vector<std::string> paths) {
  if (paths.empty()) paths = {rules_folder(context, "")};
  auto files = read_yaml_files(paths);
  if (!files) return report(files.error());
  const auto rules = agent::rule::parse_rules(*files);
  if (!rules) {
    std::fprintf(stderr, "%s\n", rules.error().context.c_str());
    return kUsage;
  }
  return print(std::to_string(files->size()) + " rules are well-formed\n");
}

int test_rules(const Context& context, const std::vector<std::string>& paths,
               const std::string& rules_dir) {
  auto rules = read_rules(rules_folder(context, rules_dir));
  if (!rules) return report(rules.error());
  auto files = read_yaml_files(paths);
  if (!files) return report(files.error());
  base::config::Problems problems;
  std::vector<agent::rule::RuleCase> cases;
  for (const auto& file : *files) {
    for (auto& found : agent::rule::parse_cases(file.text, file.name, problems)) {
      cases.push_back(std::move(found));
    }
  }
  if (!problems.empty()) {
    std::fprintf(stderr, "%s\n", problems.to_string().c_str());
    return kUsage;
  }
  size_t failed = 0;
  std::string text;
  for (const agent::rule::RuleCase& wanted : cases) {
    const auto outcome = agent::rule::run_case(wanted, *rules);
    text += (outcome.passed ? "ok    " : "FAIL  ") + wanted.name + "\n";
    if (outcome.passed) continue;
    ++failed;
    text += "      " + wanted.place.to_string() + "\n";
    for (const std::string& difference : outcome.differences) text += "      " + difference + "\n";
  }
  text += std::to_string(cases.size()) + " cases, " + std::to_string(failed) + " failed\n";
  const int printed = print(text);
  return failed > 0 ? static_cast<int>(kFailed) : printed;
}

void add_rules(CLI::App& app, Context& context) {
  CLI::App* rules = add_noun(app, "rules", "the detection rules");
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* lint = add_verb(*rules, context, "lint", "check rule files before an agent reads them",
                            {"rules lint", "rules lint my-rules"},
                            [&context, paths] { return lint_rules(context, *paths); });
  lint->add_option("files", *paths, "files or folders (default: the region's)");
  lint->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");

  const auto cases = std::make_shared<std::vector<std::string>>();
  const auto folder = std::make_shared<std::string>();
  CLI::App* test =
      add_verb(*rules, context, "test", "run cases: series in, verdicts out",
               {"rules test rules/tests", "rules test my-cases.yaml --rules-dir my-rules"},
               [&context, cases, folder] { return test_rules(context, *cases, *folder); });
  test->add_option("files", *cases, "files or folders of cases")->required();
  test->add_option("--rules-dir", *folder, "the rules to test (default: the region's)");
  test->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
}

}  // namespace

void add_replay_verbs(CLI::App& app, Context& context) {
  add_replay(app, context);
  const auto options = std::make_shared<RecordOptions>();
  CLI::App* record = add_verb(
      app, context, "record", "what the agent of this node has recorded: say how much, or copy it",
      {"record", "record --out night.mcgrec --last 12h", "record --out - | mcguard replay -"},
      [&context, options] { return run_record(context, *options); });
  record->add_option("--out", options->out,
                     "file to write; - is stdout (default: only say what there is)");
  record->add_option("--last", options->last, "only so long a time (default: all there is)");
  record->add_option("--dir", context.endpoint.dir, "the region's directory (.mcguard)");
  add_rules(app, context);
}

}  // namespace cli
