// The verbs about runbook files, which need no agent: lint, actions, page, schema.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "agent/action/actions.h"
#include "agent/runbook/page.h"
#include "agent/runbook/runbook.h"
#include "agent/runbook/schema.h"
#include "base/core/file.h"
#include "cli/region/places.h"
#include "cli/verbs/run_views.h"
#include "cli/verbs/verbs.h"

namespace cli {
namespace {

namespace json = boost::json;

constexpr size_t kLongestRunbook = 1u << 20;

// Their names, inputs and classes; there is nothing here to act through.
agent::runbook::ActionRegistry described_actions() {
  agent::runbook::ActionRegistry actions;
  agent::action::add_action_names(actions);
  return actions;
}

json::object actions_json(const agent::runbook::ActionRegistry& actions) {
  json::array list;
  for (const agent::runbook::ActionInfo* info : actions.list()) list.push_back(info->to_json());
  json::object all;
  all["actions"] = std::move(list);
  return all;
}

base::Result<agent::runbook::Library> read_library(const std::vector<std::string>& files) {
  std::vector<agent::runbook::SourceText> sources;
  for (const std::string& file : files) {
    auto text = base::read_file(file, kLongestRunbook);
    if (!text) return text.error();
    sources.emplace_back(file, std::move(*text));
  }
  return agent::runbook::Library::build(sources, described_actions());
}

// Problems with their places, each on a line.
int report_problems(const base::Error& problems) {
  if (problems.code != base::ErrorCode::kInvalid) return report(problems);
  std::fprintf(stderr, "%s\n", problems.context.c_str());
  return kUsage;
}

// Every problem of every file, as the agent would find it.
int lint_files(const std::vector<std::string>& files) {
  if (files.empty()) {
    return report(base::Error(base::ErrorCode::kNotFound,
                              "there is no runbook here, expected files or folders of *.yaml"));
  }
  const auto library = read_library(files);
  if (!library) return report_problems(library.error());
  const std::string count =
      files.size() == 1 ? "1 runbook" : std::to_string(files.size()) + " runbooks";
  return print(count + ": nothing to find fault with\n");
}

// Those of a folder, in order of names.
std::vector<std::string> yaml_files(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code failure;
    if (!fs::is_directory(path, failure)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path, failure)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

// What the page of one of a folder's runbooks says because of the files.
int page_of_runbook(const std::string& name, const std::string& folder,
                    const std::string& policy_file) {
  const auto library = read_library(yaml_files({folder}));
  if (!library) return report_problems(library.error());
  const agent::runbook::Runbook* book = library->find(name);
  if (book == nullptr) {
    return report(base::Error(base::ErrorCode::kNotFound,
                              "no runbook named " + name + " in the folder " + folder));
  }
  auto text = base::read_file(policy_file, kLongestRunbook);
  if (!text) return report(text.error());
  const auto policy = agent::runbook::parse_policy(
      agent::runbook::SourceText(policy_file, std::move(*text)), *library);
  if (!policy) return report_problems(policy.error());
  return print(agent::runbook::page_of(*book, *policy, described_actions()));
}

void add_runbook_page(CLI::App& group, Context& context) {
  struct Asked {
    std::string name, folder, policy;
  };
  auto asked = std::make_shared<Asked>();
  CLI::App* page = add_verb(group, context, "page",
                            "what a runbook's page says because of the files, as Markdown",
                            {"runbook page replace-proxy"}, [asked] {
                              const Installation installed = find_installation();
                              if (asked->folder.empty()) asked->folder = installed.runbooks_dir;
                              if (asked->policy.empty())
                                asked->policy = installed.rules_dir + "/policy.yaml";
                              return page_of_runbook(asked->name, asked->folder, asked->policy);
                            });
  page->add_option("runbook", asked->name, "its name")->required();
  page->add_option("--runbooks", asked->folder, "folder of runbooks (default: the installed one)");
  page->add_option("--policy", asked->policy, "policy file (default: the installed one)");
}

}  // namespace

void add_runbook_file_verbs(CLI::App& group, Context& context) {
  auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* lint =
      add_verb(group, context, "lint", "check runbook files before an agent reads them",
               {"runbook lint runbooks", "runbook lint my-runbook.yaml"}, [paths] {
                 if (paths->empty()) paths->push_back(find_installation().runbooks_dir);
                 return lint_files(yaml_files(*paths));
               });
  lint->add_option("files", *paths, "files or folders (default: the installed ones)");
  CLI::App* known =
      add_verb(group, context, "actions", "what the steps of a runbook may do", {"runbook actions"},
               [&context] {
                 return print_value(context, actions_json(described_actions()),
                                    [](const json::value& value, const View& view) {
                                      return actions_view(items_of(value, "actions"), view);
                                    });
               });
  add_read_options(*known, context);
  add_runbook_page(group, context);
  add_verb(group, context, "schema", "the JSON schema of runbook files, for editors",
           {"runbook schema > runbook.schema.json"}, [] {
             return print(agent::runbook::readable(
                 json::value(agent::runbook::json_schema(described_actions()))));
           });
}

}  // namespace cli
