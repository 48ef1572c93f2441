#include "agent/web/console_page.h"

#include <algorithm>
#include <array>
#include <map>

#include "agent/publish/templates.h"
#include "agent_web_embedded.h"

namespace agent::web {

namespace {

const publish::Templates& templates() {
  static const auto files = [] {
    static constexpr std::array<std::string_view, 6> kNames = {
        "page.tpl", "state.tpl", "region.tpl", "incident.tpl", "run.tpl", "problem.tpl"};
    std::array<publish::Templates::File, kNames.size()> out;
    for (size_t i = 0; i < kNames.size(); ++i) out[i] = {kNames[i], embedded(kNames[i])};
    return out;
  }();
  static const publish::Templates parsed{files};
  return parsed;
}

// Where <main> goes in the shell; the shell's own values cannot hold it, since they are escaped.
constexpr std::string_view kMainPlace = "<!--main-->";

}  // namespace

std::string_view tone_of(std::string_view state) {
  static const std::map<std::string_view, std::string_view> kTones = {
      {"up", "good"},         {"healthy", "good"},    {"resolved", "good"},
      {"completed", "good"},  {"verified", "good"},   {"yes", "good"},
      {"starting", "warn"},   {"draining", "warn"},   {"degraded", "warn"},
      {"mitigating", "warn"}, {"monitoring", "warn"}, {"ejected", "warn"},
      {"running", "warn"},    {"acting", "warn"},     {"undoing", "warn"},
      {"intent", "warn"},     {"observed", "warn"},   {"awaiting_approval", "warn"},
      {"undone", "warn"},     {"unknown", "warn"},    {"aborted", "warn"},
      {"dead", "bad"},        {"stuck", "bad"},       {"down", "bad"},
      {"open", "bad"},        {"failed", "bad"},      {"handed_over", "bad"},
      {"no", "bad"},
  };
  const auto found = kTones.find(state);
  return found == kTones.end() ? "dim" : found->second;
}

std::string_view console_asset(std::string_view name) {
  return name == "console.css" || name == "console.js" ? embedded(name) : std::string_view();
}

void set(TemplateDictionary& values, const char* name, std::string_view text) {
  values.SetValue(name, ctemplate::TemplateString(text.data(), text.size()));
}

void set_section(TemplateDictionary& values, const char* section, const char* name,
                 std::string_view text) {
  if (!text.empty()) set(*values.AddSectionDictionary(section), name, text);
}

void set_state(TemplateDictionary& values, std::string_view state) {
  TemplateDictionary& shown = *values.AddIncludeDictionary("STATE");
  shown.SetFilename("state.tpl");
  set(shown, "TONE", tone_of(state));
  std::string words(state.empty() ? "unknown" : state);
  std::replace(words.begin(), words.end(), '_', ' ');
  set(shown, "WORDS", words);
}

std::string console_page(std::string_view title, const char* template_name,
                         const TemplateDictionary& main, ConsolePart part) {
  std::string inside = templates().expand(template_name, main);
  if (part == ConsolePart::kMain) return inside;
  TemplateDictionary shell("page");
  set(shell, "TITLE", title);
  std::string page = templates().expand("page.tpl", shell);
  // The last place: a title is escaped and cannot hold the mark.
  page.replace(page.rfind(kMainPlace), kMainPlace.size(), inside);
  return page;
}

std::string console_problem(std::string_view title, std::string_view text, ConsolePart part) {
  TemplateDictionary main("problem");
  set(main, "TITLE", title);
  set(main, "TEXT", text);
  return console_page(std::string(title) + " · mcguard", "problem.tpl", main, part);
}

}  // namespace agent::web
