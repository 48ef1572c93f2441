// The tree behind config::Node: what a YAML text says, with places, built from yaml-cpp's events.
//
// Idea: items lie flat in one vector and refer to each other by index, so that neither building nor
// destroying a tree recurses; depth, items and size are bounded before yaml-cpp can be made to work
// hard. Building from events, not from YAML::Node, is what makes duplicates, anchors, aliases and
// tags visible at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config/yaml.h"

namespace base::config {

inline constexpr size_t kMaxDocumentBytes = 16u << 20;
inline constexpr size_t kMaxDepth = 64;
inline constexpr size_t kMaxItems = 1'000'000;

struct Item {
  enum class Kind {
    kNull,
    kScalar,
    kList,
    kMap,
    kSilent,  // stands for what has been reported already: reads as null, reports nothing
  };
  Kind kind = Kind::kNull;
  int line = 0;
  int column = 0;
  bool quoted = false;                                    // scalars
  std::string text;                                       // scalars
  std::vector<uint32_t> items;                            // lists
  std::vector<std::pair<std::string, uint32_t>> members;  // maps: each key once
  std::vector<std::pair<int, int>> member_places;         // of the keys
};

struct Tree {
  static constexpr uint32_t kRoot = 0;

  std::string file;
  Problems* problems = nullptr;  // outlives the tree
  std::vector<Item> items;       // at least the root
};

std::shared_ptr<const Tree> parse_tree(std::string_view text, std::string file, Problems& problems);

// "limits.connections", or labels["a b"] where the key is not a plain word.
std::string path_of_key(const std::string& parent, std::string_view key);
std::string path_of_index(const std::string& parent, size_t index);

}  // namespace base::config
