#include "base/config/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "base/core/text.h"

namespace base::config {
namespace {

// Ends yaml-cpp's work; the problem has been reported.
struct GiveUp {};

// Thread: one. Owner: parse_tree. Invariant: open_ is the path from the root to where we are.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Tree& tree, std::string_view text) : tree_(tree), text_(text) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    report(mark, "a second document, expected one document in a file");
    throw GiveUp();
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    report(mark, "anchors (&name) are not allowed, expected each value written out");
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    report(mark, "aliases (*name) are not allowed, expected the value written out");
    leaf(mark, Item::Kind::kSilent);
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse_tag(mark, "");
    leaf(mark, Item::Kind::kNull);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    const bool refused = refuse_tag(mark, tag);
    refuse_endless_quote(mark);
    if (expects_key()) {
      key(mark, value);
      return;
    }
    Item& item = leaf(mark, refused ? Item::Kind::kSilent : Item::Kind::kScalar);
    item.text = value;
    item.quoted = tag == "!";  // yaml-cpp's word for "not plain"
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, Item::Kind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, Item::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    uint32_t item;
    bool is_map;
    std::string path;
    // Of a map: its keys so far, and the one whose value comes next.
    std::unordered_map<std::string, int> lines{};
    std::optional<std::string> key{};
    YAML::Mark key_mark{};
    bool duplicate = false;
  };

  bool expects_key() const { return !open_.empty() && open_.back().is_map && !open_.back().key; }

  std::string next_path() const {
    if (open_.empty()) return "";
    const Open& parent = open_.back();
    if (!parent.is_map) return path_of_index(parent.path, tree_.items[parent.item].items.size());
    return parent.key ? path_of_key(parent.path, *parent.key) : parent.path;
  }

  void report(const YAML::Mark& mark, std::string message) {
    tree_.problems->add({tree_.file, mark.line + 1, mark.column + 1}, next_path(),
                        std::move(message));
  }

  bool refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    const auto at = static_cast<size_t>(mark.pos);
    const bool written = mark.pos >= 0 && at < text_.size() && text_[at] == '!';
    if (!written && (tag.empty() || tag == "?" || tag == "!")) return false;
    report(mark, "tags (!name) are not allowed, expected a plain value");
    return true;
  }

  // yaml-cpp takes a quoted text that the end of the file cuts off after a newline.
  void refuse_endless_quote(const YAML::Mark& mark) {
    if (mark.pos < 0 || static_cast<size_t>(mark.pos) >= text_.size()) return;
    const char quote = text_[static_cast<size_t>(mark.pos)];
    if (quote != '"' && quote != '\'') return;
    for (auto at = static_cast<size_t>(mark.pos) + 1; at < text_.size(); ++at) {
      const bool doubled = quote == '\'' && text_.substr(at, 2) == "''";
      const bool escaped = quote == '"' && text_[at] == '\\';
      if (doubled || escaped) {
        ++at;
      } else if (text_[at] == quote) {
        return;
      }
    }
    report(mark, "this quoted text never ends, expected a closing quote");
    throw GiveUp();
  }

  void key(const YAML::Mark& mark, const std::string& name) {
    Open& map = open_.back();
    const auto [first, fresh] = map.lines.emplace(name, mark.line + 1);
    map.key = name;
    map.key_mark = mark;
    map.duplicate = !fresh;
    if (!fresh) {
      report(mark, "duplicate key, expected each key once (first on line " +
                       std::to_string(first->second) + ")");
    }
  }

  // A new item in its place below its parent.
  uint32_t place(const YAML::Mark& mark, Item::Kind kind) {
    if (expects_key()) {
      report(mark, "this key is not text, expected a word");
      throw GiveUp();
    }
    if (tree_.items.size() >= kMaxItems) {
      report(mark, "more than " + std::to_string(kMaxItems) + " values, expected a smaller file");
      throw GiveUp();
    }
    const auto index = static_cast<uint32_t>(tree_.items.size());
    Item item;
    item.kind = kind;
    item.line = mark.line + 1;
    item.column = mark.column + 1;
    tree_.items.push_back(std::move(item));
    if (open_.empty()) return index;
    Open& parent = open_.back();
    Item& above = tree_.items[parent.item];
    if (!parent.is_map) {
      above.items.push_back(index);
      return index;
    }
    if (!parent.duplicate) {
      above.members.emplace_back(*parent.key, index);
      above.member_places.emplace_back(parent.key_mark.line + 1, parent.key_mark.column + 1);
    }
    return index;
  }

  Item& leaf(const YAML::Mark& mark, Item::Kind kind) {
    const uint32_t index = place(mark, kind);
    if (!open_.empty()) open_.back().key.reset();
    return tree_.items[index];
  }

  void open(const YAML::Mark& mark, Item::Kind kind) {
    if (open_.size() >= kMaxDepth) {
      report(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
      throw GiveUp();
    }
    std::string path = next_path();
    const uint32_t index = place(mark, kind);
    if (!open_.empty()) open_.back().key.reset();
    open_.push_back(Open{index, kind == Item::Kind::kMap, std::move(path)});
  }

  Tree& tree_;
  const std::string_view text_;
  std::vector<Open> open_;
  int documents_ = 0;
};

struct BadByte {
  size_t at;
  const char* why;
};

size_t utf8_sequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (length > 1 && (lead < 0xc2 || lead > 0xf4 || text.size() < length)) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// yaml-cpp guesses UTF-16 and UTF-32 from zero bytes and passes broken UTF-8 on; here a file is
// UTF-8 text or a problem.
std::optional<BadByte> find_bad_byte(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
      return BadByte{at, "a control character"};
    }
    const size_t length = utf8_sequence(text.substr(at));
    if (length == 0) return BadByte{at, "a byte that is not UTF-8"};
    at += length;
  }
  return std::nullopt;
}

Place place_of_byte(const std::string& file, std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n');
  const size_t newline = before.rfind('\n');
  const size_t column = newline == std::string_view::npos ? at : at - newline - 1;
  return {file, static_cast<int>(line) + 1, static_cast<int>(column) + 1};
}

void make_silent(Tree& tree) {
  tree.items.resize(1);
  tree.items[Tree::kRoot] = Item{};
  tree.items[Tree::kRoot].kind = Item::Kind::kSilent;
}

// Whether the tree is whole.
bool read_document(std::string_view text, Tree& tree) {
  TreeBuilder builder(tree, text);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    return true;
  } catch (const GiveUp&) {
  } catch (const YAML::Exception& e) {
    tree.problems->add({tree.file, std::max(e.mark.line + 1, 1), std::max(e.mark.column + 1, 1)},
                       "", "not valid YAML: " + printable(e.msg));
  } catch (const std::exception& e) {
    tree.problems->add({tree.file, 1, 1}, "", std::string("not valid YAML: ") + e.what());
  }
  return false;
}

}  // namespace

std::string path_of_key(const std::string& parent, std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (key.empty() || !std::all_of(key.begin(), key.end(), plain)) {
    return parent + "[\"" + printable(key, 60) + "\"]";
  }
  return (parent.empty() ? "" : parent + ".") + printable(key, 60);
}

std::string path_of_index(const std::string& parent, size_t index) {
  return parent + "[" + std::to_string(index) + "]";
}

std::shared_ptr<const Tree> parse_tree(std::string_view text, std::string file,
                                       Problems& problems) {
  auto tree = std::make_shared<Tree>();
  tree->file = std::move(file);
  tree->problems = &problems;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (text.size() > kMaxDocumentBytes) {
    problems.add({tree->file, 1, 1}, "",
                 "the file has " + std::to_string(text.size()) + " bytes, expected at most 16MiB");
    make_silent(*tree);
    return tree;
  }
  if (const auto bad = find_bad_byte(text)) {
    problems.add(place_of_byte(tree->file, text, bad->at), "",
                 std::string("got ") + bad->why + ", expected UTF-8 text");
    make_silent(*tree);
    return tree;
  }
  if (!read_document(text, *tree)) make_silent(*tree);
  if (tree->items.empty()) {
    tree->items.emplace_back();
    tree->items[Tree::kRoot].line = 1;
    tree->items[Tree::kRoot].column = 1;
  }
  return tree;
}

}  // namespace base::config
