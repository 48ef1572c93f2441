// `mcguard completion`: scripts for shells, made from the command line's own description, so that
// they cannot name a verb that does not exist.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// What may follow a path of verbs, like {"incident", {"list", "show", …}}.
struct CompletionNode {
  std::string path;  // "incident show"; empty: the program itself
  std::vector<std::string> verbs;
  std::vector<std::string> options;
};
std::vector<CompletionNode> completion_nodes(const CLI::App& app);

// For "bash", "zsh" or "fish".
std::string completion_script(const std::string& shell, const std::vector<CompletionNode>& nodes);

}  // namespace cli
