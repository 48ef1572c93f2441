#include "agent/runbook/page.h"

#include <boost/json/serialize.hpp>

#include "base/config/scalar.h"

namespace agent::runbook {
namespace {

using base::config::duration_text;

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

// In a cell of a table a bar is the next cell's beginning.
std::string cell(std::string text) {
  for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

std::string row(std::initializer_list<std::string> cells) {
  std::string line = "|";
  for (const std::string& text : cells) line += " " + (text.empty() ? "–" : cell(text)) + " |";
  return line + "\n";
}

std::string callers(const Runbook& book, const Policy& policy) {
  std::string rows;
  for (const auto& [type, response] : policy.responses) {
    const std::string name = code(to_string(type));
    const bool first = response.runbook == book.name;
    if (!first && response.when_correlated != book.name) continue;
    const std::string instead =
        first && !response.when_correlated.empty() ? code(response.when_correlated) : std::string();
    rows += row({first ? name : name + ", when failures are correlated",
                 std::string(to_string(response.mode)), instead});
  }
  if (rows.empty()) return "No incident calls it; a person does.\n";
  return row({"called for", "mode", "when failures are correlated"}) + "|---|---|---|\n" + rows;
}

std::string params(const Runbook& book) {
  if (book.params.empty()) return {};
  std::string rows = row({"param", "type", "if it is not given"}) + "|---|---|---|\n";
  for (const Param& param : book.params) {
    std::string types;
    for (const ParamType type : param.types) {
      types += (types.empty() ? "" : " or ") + std::string(to_string(type));
    }
    const std::string without = param.fallback   ? code(*param.fallback)
                                : param.required ? "no run begins"
                                                 : "it is left out";
    rows += row({code(param.name), types, without});
  }
  return rows + "\n";
}

std::string conditions(const Runbook& book) {
  std::string text;
  if (!book.locks.empty()) {
    text += "As long as a run lives it holds ";
    const char* between = "";
    for (const std::string& lock : book.locks) {
      text += between + code(lock);
      between = ", ";
    }
    text += ".\n";
  }
  if (!book.guards.empty()) {
    text +=
        "Before a run, and again before each of its steps that disrupts something, must hold:\n\n";
    for (const Guard& guard : book.guards) text += "- " + code(guard.expression.text()) + "\n";
    text += "\n";
  }
  if (book.approve.present) {
    text += "A person is asked first when " + code(book.approve.when.text()) +
            "; without an answer within " + duration_text(book.approve.timeout) +
            (book.approve.on_timeout == OnTimeout::kAbort ? " the run is aborted.\n"
                                                          : " the run is handed over.\n");
  }
  if (!book.cooldown.key.empty()) {
    text += "The next run for " + code(book.cooldown.key) + " may begin " +
            duration_text(book.cooldown.base) + " after one; each time the symptom returns soon, " +
            base::config::number_text(book.cooldown.factor) + " times as long, at most " +
            duration_text(book.cooldown.max) + ", and then " +
            (book.cooldown.on_exhausted == Exhausted::kHandOver ? "a person is called.\n"
                                                                : "it waits.\n");
  }
  return text.empty() ? text : text + "\n";
}

std::string tries(const RetryRule& retry) {
  if (retry.max == 0) return "once";
  std::string text = std::to_string(retry.max) + " more on ";
  const char* between = "";
  for (const base::ErrorCode code : retry.on) {
    text += between + std::string(base::to_string(code));
    between = ", ";
  }
  return text;
}

std::string when(const Step& step, bool is_guarded) {
  std::string text = step.when ? "if " + code(step.when->text()) : "always";
  if (!step.each.empty()) text += ", for each of " + code(step.each);
  if (step.guards && is_guarded) {
    text += step.guards->empty() ? "; without guards" : "; its own guards:";
    for (const Guard& guard : *step.guards) text += " " + code(guard.expression.text());
  }
  return text;
}

std::string verification(const Step& step) {
  if (!step.verify) return {};
  std::string text = code(step.verify->action);
  if (step.verify->hold.count() > 0) text += " for " + duration_text(step.verify->hold);
  return text + ", within " + duration_text(step.verify->within);
}

std::string way_back(const Step& step) {
  if (step.undo) return code(step.undo->action);
  return step.point_of_no_return ? "nothing: no return from here" : std::string();
}

std::string steps(const Runbook& book, const ActionRegistry& actions) {
  std::string rows = row({"step", "does", "when", "tries, time", "verified by", "taken back by"}) +
                     "|---|---|---|---|---|---|\n";
  for (const Step& step : book.steps) {
    const Action* action = actions.find(step.action);
    rows += row({code(step.id),
                 code(step.action) + (action == nullptr ? "" : ": " + action->info().summary),
                 when(step, action != nullptr && action->info().cls >= Class::kDisruptive),
                 tries(step.retry) + "; " + duration_text(step.timeout) + " each",
                 verification(step), way_back(step)});
  }
  return rows;
}

}  // namespace

std::string page_of(const Runbook& book, const Policy& policy, const ActionRegistry& actions) {
  return "<!-- made by `mcguard runbook page " + book.name +
         "`; a test holds it to the files -->\n" + book.summary + " Version " +
         std::to_string(book.version) + ", class " + std::string(to_string(book.cls)) + ".\n\n" +
         callers(book, policy) + "\n" + params(book) + conditions(book) + steps(book, actions) +
         "<!-- end of what is made -->\n";
}

}  // namespace agent::runbook
