#include "base/config/yaml.h"

#include "base/config/node.h"
#include "base/core/file.h"

namespace base::config {

Node Document::parse(std::string_view text, std::string file, Problems& problems) {
  return Node::Impl::make(parse_tree(text, std::move(file), problems), Tree::kRoot, "");
}

Node Document::load(const std::string& path, Problems& problems) {
  const Result<std::string> text = read_file(path, kMaxDocumentBytes + 3);
  if (text) return parse(*text, path, problems);
  problems.add({path, 0, 0}, "", text.error().context);
  auto tree = std::make_shared<Tree>();
  tree->file = path;
  tree->problems = &problems;
  tree->items.resize(1);
  tree->items[Tree::kRoot].kind = Item::Kind::kSilent;
  return Node::Impl::make(std::move(tree), Tree::kRoot, "");
}

}  // namespace base::config
