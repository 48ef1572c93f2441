#include "agent/publish/templates.h"

// ctemplate 2.4 uses strlen without including this.
#include <cstring>

#include <ctemplate/per_expand_data.h>
#include <ctemplate/template.h>
#include <ctemplate/template_cache.h>
#include <ctemplate/template_dictionary.h>

#include "base/core/check.h"

namespace agent::publish {

namespace {
constexpr ctemplate::Strip kStrip = ctemplate::STRIP_BLANK_LINES;
}

Templates::Templates(std::span<const File> files)
    : cache_(std::make_unique<ctemplate::TemplateCache>()) {
  for (const File& file : files) {
    CHECK(file.text.starts_with("{{%AUTOESCAPE "));
    const bool parsed =
        cache_->StringToTemplateCache(ctemplate::TemplateString(file.name.data(), file.name.size()),
                                      file.text.data(), file.text.size(), kStrip);
    CHECK(parsed);
  }
  cache_->Freeze();
}

Templates::~Templates() = default;

std::string Templates::expand(std::string_view name,
                              const ctemplate::TemplateDictionary& values) const {
  std::string out;
  ctemplate::PerExpandData none;
  const bool expanded = cache_->ExpandNoLoad(ctemplate::TemplateString(name.data(), name.size()),
                                             kStrip, &values, &none, &out);
  CHECK(expanded);
  return out;
}

}  // namespace agent::publish
