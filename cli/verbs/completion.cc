#include "cli/verbs/completion.h"

#include <CLI/CLI.hpp>

namespace cli {
namespace {

void collect(const CLI::App& app, const std::string& path, std::vector<CompletionNode>& nodes) {
  CompletionNode node;
  node.path = path;
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* verb : below) node.verbs.push_back(verb->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) node.options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) node.options.push_back("-" + name);
  }
  nodes.push_back(std::move(node));
  for (const CLI::App* verb : below) {
    collect(*verb, path.empty() ? verb->get_name() : path + " " + verb->get_name(), nodes);
  }
}

std::string words_of(const CompletionNode& node) {
  std::string words;
  for (const auto* list : {&node.verbs, &node.options}) {
    for (const std::string& word : *list) words += (words.empty() ? "" : " ") + word;
  }
  return words;
}

// What bash and zsh call things differently. zsh's `words` is the array of what was typed and `path`
// the search path, so neither is a name for our own variables.
struct Dialect {
  std::string head, first, count, typed, tail;
};

Dialect bash_dialect() {
  return {"", "1", "COMP_CWORD", "${COMP_WORDS[i]}",
          "  COMPREPLY=($(compgen -W \"$offered\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
          "complete -o default -F _mcguard mcguard\n"};
}

Dialect zsh_dialect() {
  return {"#compdef mcguard\n", "2", "CURRENT", "${words[i]}",
          "  compadd -- ${(s: :)offered}\n}\n"
          "if [ \"$funcstack[1]\" = _mcguard ]; then _mcguard \"$@\"; "
          "else compdef _mcguard mcguard; fi\n"};
}

// Follows the verbs typed so far, then offers what belongs to that place.
std::string posix_script(const std::vector<CompletionNode>& nodes, const Dialect& dialect) {
  std::string out = dialect.head + "_mcguard() {\n  local place=\"\" next i offered=\"\"\n";
  out += "  for ((i = " + dialect.first + "; i < " + dialect.count + "; i++)); do\n";
  out += "    next=\"${place:+$place }" + dialect.typed + "\"\n    case \"$next\" in\n";
  for (const CompletionNode& node : nodes) {
    if (!node.path.empty()) out += "    \"" + node.path + "\") place=$next;;\n";
  }
  out += "    esac\n  done\n  case \"$place\" in\n";
  for (const CompletionNode& node : nodes) {
    out += "    \"" + node.path + "\") offered=\"" + words_of(node) + "\";;\n";
  }
  return out + "  esac\n" + dialect.tail;
}

std::string fish_script(const std::vector<CompletionNode>& nodes) {
  std::string out =
      "function __mcguard_at\n  set -l typed (commandline -opc)[2..-1]\n  set -l verbs\n"
      "  for word in $typed\n    string match -q -- '-*' $word; or set -a verbs $word\n  end\n"
      "  test \"$verbs\" = \"$argv[1]\"\nend\n";
  for (const CompletionNode& node : nodes) {
    const std::string at = "complete -c mcguard -n '__mcguard_at \"" + node.path + "\"'";
    for (const std::string& verb : node.verbs) out += at + " -f -a " + verb + "\n";
    for (const std::string& option : node.options) {
      const bool is_long = option.starts_with("--");
      out += at + (is_long ? " -l " + option.substr(2) : " -s " + option.substr(1)) + "\n";
    }
  }
  return out;
}

}  // namespace

std::vector<CompletionNode> completion_nodes(const CLI::App& app) {
  std::vector<CompletionNode> nodes;
  collect(app, "", nodes);
  return nodes;
}

std::string completion_script(const std::string& shell, const std::vector<CompletionNode>& nodes) {
  if (shell == "fish") return fish_script(nodes);
  return posix_script(nodes, shell == "zsh" ? zsh_dialect() : bash_dialect());
}

}  // namespace cli
