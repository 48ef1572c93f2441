// What the console's pages share: the templates, the shell around <main>, and filling in values.
#pragma once

// ctemplate 2.4 uses strlen without including this.
#include <cstring>

#include <ctemplate/template_dictionary.h>

#include <string>
#include <string_view>

#include "agent/web/console.h"

namespace agent::web {

using ctemplate::TemplateDictionary;

void set(TemplateDictionary& values, const char* name, std::string_view text);
// Shows `section` of `values` with `name` set inside it, unless `text` is empty.
void set_section(TemplateDictionary& values, const char* section, const char* name,
                 std::string_view text);
// The {{>STATE}} of `values`: shape, colour and words ("handed over") of a state.
void set_state(TemplateDictionary& values, std::string_view state);

// Expands `template_name` with `main` as its values, alone or inside the shell.
std::string console_page(std::string_view title, const char* template_name,
                         const TemplateDictionary& main, ConsolePart part);

}  // namespace agent::web
