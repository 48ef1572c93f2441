// HTML and XML from ctemplate templates that are compiled into the program.
//
// Idea: every template begins with an AUTOESCAPE pragma (the constructor insists), so that a value
// is escaped for the place where it stands, and no caller has to remember to. Values are never
// markup.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ctemplate {
class TemplateCache;
class TemplateDictionary;
}  // namespace ctemplate

namespace agent::publish {

// Thread: one at a time. Owner: whoever renders. A template that does not parse is a bug.
class Templates {
 public:
  struct File {
    std::string_view name;  // "index.tpl"; included by SetFilename("index.tpl")
    std::string_view text;
  };
  explicit Templates(std::span<const File> files);
  ~Templates();

  std::string expand(std::string_view name, const ctemplate::TemplateDictionary& values) const;

 private:
  std::unique_ptr<ctemplate::TemplateCache> cache_;
};

}  // namespace agent::publish
